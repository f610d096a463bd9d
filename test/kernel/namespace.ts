import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { type FollowCommand, followCommand, type RunCommand, runCommand } from "../../src/run-command.ts";
import type { Ask } from "./agent.ts";

/** A network namespace of its own, with an agent inside. */
export interface Namespace {
  /** The agent's pid: `ip link set … netns PID`. */
  readonly pid: number;
  /** Runs a program inside, as `RunCommand` does outside. */
  readonly run: RunCommand;
  /** Runs a program inside that goes on, as `FollowCommand` does outside. */
  readonly follow: FollowCommand;
  /** Runs a program inside and gives its stdout; throws what it said when it fails. */
  readonly sh: (program: string, args: readonly string[], input?: string) => Promise<string>;
  /** What the agent answers. */
  readonly ask: (ask: Ask) => Promise<string>;
  readonly [Symbol.asyncDispose]: () => Promise<void>;
}

const AGENT = fileURLToPath(new URL("agent.ts", import.meta.url));
const isRoot = process.getuid?.() === 0;

/**
 * A new host: its own network and mounts (with an own `/run`, where iptables has its lock), in a user namespace where the
 * tests are not run by root.
 */
export function startHostNamespace(): Promise<Namespace> {
  // Made in one step with the user namespace, a network namespace would have files in /proc/net that only the machine's root reads.
  const user = isRoot ? [] : ["unshare", "--user", "--map-root-user"];
  return startAgent([...user, "unshare", "--net", "--mount", "sh", "-c", 'mount -t tmpfs tmpfs /run && exec "$@"', "sh"]);
}

/** A new network namespace that `host` may put links into: a container, a neighbour, the world outside. */
export function startPeerNamespace(host: Namespace): Promise<Namespace> {
  return startAgent([...entering(host.pid), "unshare", "--net"]);
}

/** A process of `host` itself, in its network, that runs in the cgroup of a `folder`. */
export function startInCgroup(host: Namespace, folder: string): Promise<Namespace> {
  return startAgent([...entering(host.pid), "sh", "-c", 'echo 0 >"$0/cgroup.procs" && exec "$@"', folder]);
}

/** One more process of `namespace`: a container that was joined to another's network. */
export function startJoined(namespace: Namespace): Promise<Namespace> {
  return startAgent(entering(namespace.pid));
}

function entering(pid: number): string[] {
  const user = isRoot ? [] : ["--user", "--preserve-credentials"];
  return ["nsenter", "--target", String(pid), ...user, "--net", "--mount"];
}

async function startAgent(prefix: readonly string[]): Promise<Namespace> {
  const [program = "", ...args] = [...prefix, process.execPath, AGENT];
  // Each of these programs executes the next in its place, so the pid is the agent's own.
  const child = spawn(program, args, { stdio: "pipe", env: { ...process.env, PATH: `${process.env["PATH"] ?? ""}:/usr/sbin:/sbin` } });
  const ask = await conversation(child);
  const pid = child.pid ?? 0;
  const run: RunCommand = (command, commandArgs, input) => {
    const [nsenter = "", ...rest] = [...entering(pid), command, ...commandArgs];
    return runCommand(nsenter, rest, input).then((result) => ({ ...result, isMissing: result.isMissing || result.exitCode === 127 }));
  };
  return {
    pid,
    run,
    follow(command, commandArgs, onLine, signal) {
      const [nsenter = "", ...rest] = [...entering(pid), command, ...commandArgs];
      return followCommand(nsenter, rest, onLine, signal);
    },
    ask,
    async sh(command, commandArgs, input) {
      const { exitCode, stdout, stderr } = await run(command, commandArgs, input);
      if (exitCode !== 0) throw new Error(`${command} ${commandArgs.join(" ")}: ${stderr}`);
      return stdout;
    },
    async [Symbol.asyncDispose]() {
      if (child.exitCode !== null) return;
      const ended = once(child, "exit");
      child.stdin.end();
      await ended;
    },
  };
}

/** Resolves when the agent says that it is ready; rejects when it ends before. */
function conversation(child: ChildProcessWithoutNullStreams): Promise<Namespace["ask"]> {
  const waiting = new Map<number, (said: string) => void>();
  const errors: string[] = [];
  child.stderr.on("data", (bytes: Buffer) => errors.push(bytes.toString()));
  child.stdin.on("error", () => {});
  let lastId = 0;
  const ask = (wanted: Ask): Promise<string> => {
    lastId += 1;
    const id = lastId;
    child.stdin.write(`${JSON.stringify({ id, ask: wanted })}\n`);
    return new Promise((resolve) => waiting.set(id, resolve));
  };
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (code) => {
      for (const settle of waiting.values()) settle("the agent ended");
      reject(new Error(`cannot make a namespace here (${code}): ${errors.join("")}`));
    });
    createInterface({ input: child.stdout }).on("line", (line) => {
      if (line === "ready") return resolve(ask);
      const { id, said }: { id: number; said: string } = JSON.parse(line);
      waiting.get(id)?.(said);
      waiting.delete(id);
    });
  });
}
