import { connect } from "node:net";
import type { Endpoint } from "../address.ts";
import type { Clock } from "../clock.ts";

/** What came back on one connection, until the other side closed it or 10 s were over. */
export interface Heard {
  readonly bytes: Buffer;
  readonly isClosed: boolean;
}

/** Who is asked, and from which address: undefined leaves that to the kernel. */
export interface Line {
  readonly gateway: Endpoint;
  readonly from: string | undefined;
  readonly clock: Clock;
}

const PATIENCE_MS = 10_000;
const MAX_BYTES = 1_048_576;

/** Sends `bytes` on a connection of its own and reads what comes back. A connection that fails is one without an answer. */
export function ask({ gateway, from, clock }: Line, bytes: Buffer): Promise<Heard> {
  return new Promise((resolve) => {
    const pieces: Buffer[] = [];
    let size = 0;
    const socket = connect({ ...gateway, ...(from === undefined ? {} : { localAddress: from }) });
    const finish = (isClosed: boolean) => {
      cancel();
      socket.destroy();
      resolve({ bytes: Buffer.concat(pieces), isClosed });
    };
    const cancel = clock.after(PATIENCE_MS, () => finish(false));
    socket.on("connect", () => socket.write(bytes));
    socket.on("data", (piece: Buffer) => {
      pieces.push(piece);
      size += piece.length;
      if (size > MAX_BYTES) finish(false);
    });
    socket.on("end", () => finish(true));
    socket.on("error", () => finish(true));
  });
}
