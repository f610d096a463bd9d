import type { IncomingMessage } from "node:http";
import type { Clock } from "../clock.ts";
import { ImdsgateError } from "../errors.ts";
import {
  parseContainer,
  parseContainerIds,
  parseEvent,
  parseImageLabels,
  parseJson,
  parseNetwork,
  parseNetworks,
} from "./docker-answers.ts";
import type { ContainerRuntime } from "./runtime.ts";

/** More than this (of characters, or bytes of one answer) is no answer that a daemon in its right mind gives. */
const ANSWER_LIMIT = 32 * 1024 * 1024;

/** What is worth waking up for; without it every health check of every container would come by. */
const EVENT_FILTERS = {
  type: ["container", "network"],
  event: ["connect", "disconnect", "create", "destroy", "remove", "init", "start", "die", "died", "rename"],
};

/**
 * The Docker daemon behind `socketPath`, read only. Paths carry no API version: every daemon from 20.10 to 29 answers them in its own,
 * while any fixed version is refused by some of them. Each call rejects with RUNTIME_UNAVAILABLE.
 */
export function dockerRuntime(socketPath: string, clock: Clock): ContainerRuntime {
  const read = (path: string, signal: AbortSignal) => readJson(socketPath, path, signal);
  return {
    name: "docker",
    async listContainers(signal) {
      return parseContainerIds(await read("/containers/json", signal)) ?? refuse(socketPath, "its list of containers is none");
    },
    async inspectContainer(id, signal) {
      return parseContainer(id, await read(`/containers/${encodeURIComponent(id)}/json`, signal));
    },
    async listNetworks(signal) {
      return parseNetworks(await read("/networks", signal)) ?? refuse(socketPath, "its list of networks is none");
    },
    async inspectNetwork(id, signal) {
      return parseNetwork(id, await read(`/networks/${encodeURIComponent(id)}`, signal));
    },
    async imageLabels(imageId, signal) {
      const answer = await read(`/images/${encodeURIComponent(imageId)}/json`, signal);
      return parseImageLabels(answer) ?? refuse(socketPath, `it knows no image ${imageId}`);
    },
    async watchEvents(onOpen, onEvent, signal) {
      // Docker answers the head before it subscribes; `since` brings what happened between the two.
      const since = Math.floor(clock.now() / 1000);
      const path = `/events?since=${since}&filters=${encodeURIComponent(JSON.stringify(EVENT_FILTERS))}`;
      try {
        const response = await openAnswer(socketPath, path, signal);
        if (response.statusCode !== 200) refuse(socketPath, `it answered ${response.statusCode} to ${path}`);
        onOpen();
        for await (const line of linesOf(response)) {
          const event = parseEvent(line);
          if (event) onEvent(event);
        }
      } catch (error) {
        if (!signal.aborted) throw unavailable(socketPath, error);
      }
    },
  };
}

/** The value of the JSON answer; undefined when Docker says that there is no such thing. */
async function readJson(socketPath: string, path: string, signal: AbortSignal): Promise<unknown> {
  try {
    const response = await openAnswer(socketPath, path, signal);
    const body = await readBody(response);
    if (response.statusCode === 404) return undefined;
    if (response.statusCode !== 200) refuse(socketPath, `it answered ${response.statusCode} to ${path}: ${body.slice(0, 200).trim()}`);
    return parseJson(body) ?? refuse(socketPath, `its answer to ${path} is not JSON`);
  } catch (error) {
    throw unavailable(socketPath, error);
  }
}

function openAnswer(socketPath: string, path: string, signal: AbortSignal): Promise<IncomingMessage> {
  // An import of node:http would load all of undici at start.
  const http = process.getBuiltinModule("node:http");
  return new Promise((resolve, reject) => {
    const request = http.request({ socketPath, path, method: "GET", headers: { Host: "docker" }, agent: false, signal });
    request.on("response", resolve);
    request.on("error", reject);
    request.end();
  });
}

async function readBody(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of response) {
    chunks.push(chunk);
    length += chunk.length;
    if (length > ANSWER_LIMIT) throw new Error(`the answer is longer than ${ANSWER_LIMIT} bytes`);
  }
  return Buffer.concat(chunks).toString("utf8");
}

/** The lines of a stream, however it is cut. A last line without its end is left out: it may be half an event. */
async function* linesOf(response: IncomingMessage): AsyncGenerator<string> {
  response.setEncoding("utf8");
  let rest = "";
  for await (const chunk of response) {
    const pieces = String(chunk).split("\n");
    const last = pieces.pop() ?? "";
    for (const piece of pieces) {
      yield rest + piece;
      rest = "";
    }
    rest += last;
    if (rest.length > ANSWER_LIMIT) throw new Error(`an event is longer than ${ANSWER_LIMIT} characters`);
  }
}

function refuse(socketPath: string, what: string): never {
  throw new ImdsgateError(
    "RUNTIME_UNAVAILABLE",
    `Docker's answer on ${socketPath} is of no use: ${what}. See whether it is a Docker socket`,
  );
}

function unavailable(socketPath: string, cause: unknown): ImdsgateError {
  if (cause instanceof ImdsgateError) return cause;
  return new ImdsgateError("RUNTIME_UNAVAILABLE", `${failureOf(socketPath, cause)}`, { cause });
}

function failureOf(socketPath: string, cause: unknown): string {
  const error = cause instanceof Error ? cause : new Error(String(cause));
  const code = "code" in error ? error.code : undefined;
  if (code === "ENOENT" || code === "ECONNREFUSED") {
    return `nothing answers on the Docker socket ${socketPath}: start Docker, or name its socket with --docker-socket`;
  }
  if (code === "EACCES" || code === "EPERM") {
    return `no permission to use the Docker socket ${socketPath}: run imdsgate as root, or in the group that owns the socket`;
  }
  if (error.name === "AbortError") return `Docker did not answer on ${socketPath} in time: see whether "docker ps" answers`;
  return `the talk with Docker on ${socketPath} broke off (${error.message}): see whether "docker ps" answers`;
}
