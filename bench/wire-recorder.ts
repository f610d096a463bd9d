import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import { rawRequest } from "../test/support/raw-request.ts";

/** What came through a forwarder: what upstream saw of the request, and what the client got of the answer. */
interface Carried {
  readonly seen: Buffer;
  readonly answer: Buffer;
}

/** An upstream that writes down what reaches it and answers with whatever it is told to. */
export interface WireRecorder {
  readonly port: number;
  /** Sends `request` to the forwarder on `port`; upstream will answer with `answer`. */
  carry(port: number, request: Buffer, answer: Buffer): Promise<Carried>;
}

const HOST = "127.0.0.1";
/** A request counts as whole when nothing more of it came for so long: the recorder judges no framing. */
const QUIET_MS = 60;

export async function startWireRecorder(owner: AsyncDisposableStack): Promise<WireRecorder> {
  const open = new Set<Socket>();
  let seen: Buffer[] = [];
  let answer: Buffer = Buffer.alloc(0);
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    let timer: NodeJS.Timeout | undefined;
    open.add(socket);
    socket.on("error", () => socket.destroy());
    socket.on("close", () => void open.delete(socket));
    socket.on("data", (bytes: Buffer) => {
      seen.push(bytes);
      clearTimeout(timer);
      timer = setTimeout(() => socket.end(answer), QUIET_MS);
    });
  }).listen(0, HOST);
  await once(server, "listening");
  owner.defer(() => {
    for (const socket of open) socket.destroy();
    server.close();
  });
  const address = server.address();
  return {
    port: address !== null && typeof address === "object" ? address.port : 0,
    async carry(port, request, wantedAnswer) {
      seen = [];
      answer = wantedAnswer;
      const { bytes } = await rawRequest({ host: HOST, port }, request);
      return { seen: Buffer.concat(seen), answer: bytes };
    },
  };
}
