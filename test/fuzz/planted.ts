import { once } from "node:events";
import net, { type Socket } from "node:net";
import type { Endpoint } from "../../src/address.ts";
import type { Connect } from "../../src/world.ts";

const WITHHELD_PATH = /\/meta-data\/+iam|security-credentials|identity-credentials|user-data|\/\.|[^\x21-\x7e]|[;\\#]/i;
const WITHHELD = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";

/**
 * The mistake that got the host's credentials out of more than one program of this kind: judge the path decoded once, then paste what was
 * decoded into the request that goes out, where it is decoded again.
 */
export async function startDecodingGateway(
  upstream: Endpoint,
  connect: Connect,
): Promise<AsyncDisposable & { readonly endpoint: Endpoint }> {
  const open = new Set<Socket>();
  const server = net.createServer({ allowHalfOpen: true }, (socket) => {
    open.add(socket);
    socket.on("error", () => {}).on("close", () => open.delete(socket));
    let received = "";
    const readHead = (bytes: Buffer) => {
      received += bytes.toString("latin1");
      if (!received.includes("\r\n\r\n")) return;
      socket.off("data", readHead);
      judgeAndForward(received, socket, () => connect(upstream));
    };
    socket.on("data", readHead);
    socket.on("end", () => !received.includes("\r\n\r\n") && socket.end());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  return {
    endpoint: { host: "127.0.0.1", port: address !== null && typeof address === "object" ? address.port : 0 },
    async [Symbol.asyncDispose]() {
      for (const socket of open) socket.destroy();
      server.close();
    },
  };
}

function judgeAndForward(received: string, socket: Socket, toUpstream: () => ReturnType<Connect>): void {
  const [line, target] = /^GET (\/[\x21-\x7e]*) HTTP\/1\.1\r\n/.exec(received) ?? [];
  const path = target === undefined ? "" : decoded(target);
  if (line === undefined || WITHHELD_PATH.test(path)) return void socket.end(WITHHELD);
  const stream = toUpstream();
  stream.on("error", () => socket.destroy());
  stream.write(Buffer.from(`GET ${path} HTTP/1.1\r\n${received.slice(line.length)}`, "latin1"));
  socket.pipe(stream);
  stream.pipe(socket);
}

/** Between gateway and upstream: the target is decoded once more on the way. */
export function decodingConnect(connect: Connect): Connect {
  return (endpoint) => {
    const stream = connect(endpoint);
    const { write } = stream;
    const decoding = (...[bytes, ...rest]: readonly unknown[]): unknown => {
      const text = Buffer.isBuffer(bytes) ? bytes.toString("latin1") : "";
      const changed = text.replace(/^(\S+ )(\S+)/, (_, method: string, target: string) => `${method}${decoded(target)}`);
      return Reflect.apply(write, stream, [Buffer.from(changed, "latin1"), ...rest]);
    };
    Object.defineProperty(stream, "write", { value: decoding, configurable: true });
    return stream;
  };
}

function decoded(target: string): string {
  return target.replace(/%([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}
