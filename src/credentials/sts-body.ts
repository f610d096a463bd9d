/** STS answers with 2 to 20 KiB. */
const MAX_ANSWER_BYTES = 1_048_576;
const FIRST_BYTES = 65_536;

/** Marks what `collectAnswer` cut: the SDK hands its error on as it is. */
const TOO_LONG = "AnswerTooLong";

/** The body of an answer of STS. Rejects past 1 MiB, and reads no further. However small the pieces are, it takes 2 MiB at most. */
export async function collectAnswer(body: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  let room = Buffer.alloc(FIRST_BYTES);
  let size = 0;
  for await (const piece of body) {
    const needed = size + piece.length;
    if (needed > MAX_ANSWER_BYTES) throw Object.assign(new Error("the answer is longer than 1 MiB"), { name: TOO_LONG });
    if (needed > room.length) room = Buffer.concat([room], Math.min(MAX_ANSWER_BYTES, Math.max(needed, 2 * room.length)));
    room.set(piece, size);
    size = needed;
  }
  return room.subarray(0, size);
}

/** Whether `error` is that of an answer that was too long. */
export function isAnswerTooLong(error: unknown): boolean {
  return error instanceof Error && error.name === TOO_LONG;
}
