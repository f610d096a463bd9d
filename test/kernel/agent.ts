/**
 * Runs inside a network namespace and does there what a test asks for, one JSON object a line on stdin, one answer a line
 * on stdout. It ends with its stdin, and the namespace with it.
 */
import { connect, createServer, type Server, type Socket } from "node:net";
import { createInterface } from "node:readline";

/** What can be asked for. */
export type Ask =
  /** Listens on `host` and answers each connection with `name`, its source and its local address. */
  | { readonly act: "listen"; readonly name: string; readonly host: string; readonly port: number }
  | { readonly act: "close"; readonly name: string }
  /** How many connections a listener has seen. */
  | { readonly act: "count"; readonly name: string }
  /** Opens a connection, from an address of its own where one is named, asks over it and tells what came back. */
  | {
      readonly act: "request";
      readonly host: string;
      readonly port: number;
      readonly timeoutMs: number;
      readonly source?: string | undefined;
    }
  /** Opens a connection that a later `speak` asks over. */
  | { readonly act: "open"; readonly key: string; readonly host: string; readonly port: number }
  | { readonly act: "speak"; readonly key: string; readonly timeoutMs: number };

interface Listener {
  readonly server: Server;
  seen: number;
}

const listeners = new Map<string, Listener>();
const opened = new Map<string, Socket>();

async function answerOf(ask: Ask): Promise<string> {
  switch (ask.act) {
    case "listen":
      await listen(ask);
      return "listening";
    case "close":
      await new Promise((resolve) => listeners.get(ask.name)?.server.close(resolve));
      listeners.delete(ask.name);
      return "closed";
    case "count":
      return String(listeners.get(ask.name)?.seen ?? 0);
    case "request":
      return talk(connect({ host: ask.host, port: ask.port, localAddress: ask.source }), ask.timeoutMs);
    case "open":
      opened.set(ask.key, await open(ask.host, ask.port));
      return "open";
    case "speak":
      return talk(opened.get(ask.key) ?? connect({ port: 0 }), ask.timeoutMs);
  }
}

function listen({ name, host, port }: { name: string; host: string; port: number }): Promise<void> {
  const listener: Listener = {
    seen: 0,
    server: createServer((socket) => {
      listener.seen += 1;
      socket.on("error", () => socket.destroy());
      socket.once("data", () => socket.end(`${name} saw ${socket.remoteAddress} on ${socket.localAddress}`));
    }),
  };
  listeners.set(name, listener);
  return new Promise((resolve, reject) => {
    listener.server.once("error", reject);
    listener.server.listen({ host, port, ipv6Only: true }, resolve);
  });
}

function open(host: string, port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port }, () => resolve(socket));
    socket.once("error", reject);
  });
}

/** What the other end says, or `refused`, or `silence`. */
function talk(socket: Socket, timeoutMs: number): Promise<string> {
  return new Promise((resolve) => {
    const end = (said: string) => {
      clearTimeout(timer);
      socket.destroy();
      resolve(said);
    };
    const timer = setTimeout(() => end("silence"), timeoutMs);
    socket.once("data", (bytes) => end(bytes.toString()));
    socket.once("close", () => end("closed"));
    socket.once("error", (error) => end("code" in error && error.code === "ECONNREFUSED" ? "refused" : error.message));
    socket.write("GET /latest/meta-data/instance-id HTTP/1.0\r\n\r\n");
  });
}

async function answerLine(line: string): Promise<void> {
  const { id, ask }: { id: number; ask: Ask } = JSON.parse(line);
  const said = await answerOf(ask).catch((error: unknown) => `failed: ${String(error)}`);
  process.stdout.write(`${JSON.stringify({ id, said })}\n`);
}

createInterface({ input: process.stdin })
  .on("line", (line) => void answerLine(line))
  .on("close", () => process.exit(0));
process.stdout.write("ready\n");
