import net, { type Socket } from "node:net";
import { onTestFinished } from "vitest";
import type { Endpoint } from "../../src/address.ts";

/** A request whose answer is looked at while it comes. */
export interface OpenRequest {
  readonly socket: Socket;
  /** All bytes so far. */
  received(): Buffer;
  /** How the connection ended: in order, or torn down. */
  readonly ending: Promise<"end" | "reset">;
}

/** Connects, sends `bytes` (a string is latin-1) and reads what comes, unless `isPaused`. It ends with the test. */
export function openRequest(
  endpoint: Endpoint,
  bytes: string | Buffer,
  { isPaused = false, sourceAddress }: { readonly isPaused?: boolean; readonly sourceAddress?: string } = {},
): OpenRequest {
  const pieces: Buffer[] = [];
  const ending = Promise.withResolvers<"end" | "reset">();
  const socket = net.connect({ ...endpoint, ...(sourceAddress === undefined ? {} : { localAddress: sourceAddress }) });
  onTestFinished(() => void socket.destroy());
  socket.on("error", () => ending.resolve("reset"));
  socket.on("end", () => ending.resolve("end"));
  socket.on("data", (piece: Buffer) => pieces.push(piece));
  if (isPaused) socket.pause();
  socket.write(bytes, "latin1");
  return { socket, received: () => Buffer.concat(pieces), ending: ending.promise };
}

/** Resolves when `seen` holds; events arrive by themselves, the test's own limit ends a wait for ever. */
export async function until(seen: () => boolean): Promise<void> {
  while (!seen()) await turn();
}

/** Lets everything happen that is ready, and what that makes ready. */
export async function turns(count = 20): Promise<void> {
  for (let k = 0; k < count; k++) await turn();
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
