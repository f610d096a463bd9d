import type { Duplex } from "node:stream";

/**
 * The next bytes of `stream`, as many as are there; undefined when there are no more. Whether it then ended in order is
 * `stream.readableEnded`. Nothing is read ahead of a call. It never rejects.
 */
export function nextPiece(stream: Duplex): Promise<Buffer | undefined> {
  return new Promise((resolve) => {
    const settle = (piece: Buffer | undefined) => {
      stream.off("readable", look).off("end", end).off("close", end);
      resolve(piece);
    };
    const end = () => settle(undefined);
    const look = () => {
      const piece: unknown = stream.read();
      if (Buffer.isBuffer(piece)) settle(piece);
      else if (stream.readableEnded || stream.destroyed) end();
    };
    stream.on("readable", look).on("end", end).on("close", end);
    look();
  });
}
