import { accessSync, constants, existsSync } from "node:fs";
import { canonicalAddress, type Endpoint, endpointText } from "../address.ts";
import type { DockerEndpoint, DockerTls } from "../identity/docker-endpoint.ts";
import { type Parsed, parsedOrThrow } from "../parsed.ts";
import { isLoopback } from "./places.ts";

/** Where the APIs of Docker, and of root's Podman, usually are. */
export const USUAL_SOCKETS = { docker: "/var/run/docker.sock", podman: "/run/podman/podman.sock" } as const;

const ALLOWED = "unix:///PATH, or tcp://HOST:PORT of this host's own daemon (loopback, or a socket proxy in a container)";
const EXAMPLE = "unix:///var/run/docker.sock";

type Environment = Readonly<Record<string, string | undefined>>;

/** Reads the path of Docker's unix socket. */
export function parseSocket(text: string): Parsed<string> {
  const path = text.replace(/^unix:\/\/(?=\/)/, "");
  if (!/^[a-z]+:\/\//i.test(path)) return { value: path };
  return {
    problem: `${JSON.stringify(text)} is no path`,
    allowed: "the path of a unix socket; TCP by DOCKER_HOST",
    example: USUAL_SOCKETS.docker,
  };
}

/** Where Docker is by the variables of Docker's own command line. Throws CONFIG_INVALID for what can not be this host's daemon. */
export function dockerFrom(environment: Environment, usualSocket: string): DockerEndpoint {
  const text = environment["DOCKER_HOST"] ?? "";
  if (text === "" || text === "unix://") return { kind: "unix", path: usualSocket };
  return parsedOrThrow("DOCKER_HOST", parseDockerHost(text, environment));
}

function parseDockerHost(text: string, environment: Environment): Parsed<DockerEndpoint> {
  const [, path] = /^unix:\/\/(\/.+)$/.exec(text) ?? [];
  if (path !== undefined) return { value: { kind: "unix", path } };
  const tls = parseTls(environment);
  const at = parseTcp(text, tls === undefined ? 2375 : 2376);
  if (at === undefined) return { problem: `${JSON.stringify(text)} ${whyNot(text)}`, allowed: ALLOWED, example: EXAMPLE };
  if (tls !== undefined && "problem" in tls) return tls;
  return { value: { kind: "tcp", at, tls: tls?.value } };
}

function parseTcp(text: string, usualPort: number): Endpoint | undefined {
  const [, v6, name, port = String(usualPort)] = /^tcp:\/\/(?:\[([0-9a-f:.]+)\]|([\w.-]+))(?::(\d{1,5}))?\/?$/i.exec(text) ?? [];
  const host = v6 === undefined ? name : canonicalAddress(v6);
  return host !== undefined && Number(port) >= 1 && Number(port) <= 65_535 ? { host, port: Number(port) } : undefined;
}

function whyNot(text: string): string {
  if (/^ssh:/i.test(text))
    return "leads to another host: run imdsgate there, since only a host's own processes prove who its containers are";
  if (/^fd:/i.test(text)) return "is how dockerd is given its socket, not how it is reached";
  if (/^npipe:/i.test(text)) return "is a pipe of Windows";
  if (/^https?:/i.test(text)) return "is how a browser says it: write tcp://";
  return "is no place where Docker could be";
}

/** As Docker's command line has it, but for one thing: a daemon that is asked over TLS is always verified. Undefined: plain TCP. */
function parseTls(environment: Environment): Parsed<DockerTls> | undefined {
  const { DOCKER_TLS_VERIFY: verify, DOCKER_CERT_PATH: folder, HOME: home = "/root" } = environment;
  if (!verify && !folder) return undefined;
  const fileOf = (name: string) => `${folder || `${home}/.docker`}/${name}`;
  const [ca, cert, key] = [fileOf("ca.pem"), fileOf("cert.pem"), fileOf("key.pem")];
  const hasClient = existsSync(cert) || existsSync(key);
  const unreadable = [ca, ...(hasClient ? [cert, key] : [])].find((path) => !isReadable(path));
  if (unreadable === undefined) return { value: { ca, client: hasClient ? { cert, key } : undefined } };
  return {
    problem: `its TLS needs ${unreadable}, which ${existsSync(unreadable) ? "may not be read" : "is not there"}`,
    allowed: "ca.pem, and cert.pem with key.pem, in the folder DOCKER_CERT_PATH names (~/.docker)",
    example: "DOCKER_HOST=tcp://127.0.0.1:2376 DOCKER_TLS_VERIFY=1 DOCKER_CERT_PATH=/etc/docker/client",
  };
}

function isReadable(path: string): boolean {
  try {
    accessSync(path, constants.R_OK);
    return true;
  } catch {
    return false;
  }
}

/** What is allowed but not wise about how Docker is reached, in sentences. */
export function dockerWarnings(docker: DockerEndpoint): readonly string[] {
  if (docker.kind === "unix") return [];
  const { at, tls } = docker;
  const text = `DOCKER_HOST tcp://${endpointText(at)}`;
  const isHere = at.host === "localhost" || isLoopback(at.host);
  return [
    ...(tls === undefined
      ? [
          `${text} is plain TCP: whoever can answer there says which container is which; use a unix socket, or DOCKER_TLS_VERIFY and DOCKER_CERT_PATH`,
        ]
      : []),
    ...(isHere
      ? []
      : [`${text} has to be this very host's daemon, as behind a socket proxy in a container: this host proves no containers of another`]),
  ];
}
