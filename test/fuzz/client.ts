import { connect } from "node:net";
import type { Endpoint } from "../../src/address.ts";
import type { FuzzInput } from "./fuzz-input.ts";

/** What came back on one connection, and whether the other side closed it. */
export interface ReceivedAnswer {
  readonly bytes: Buffer;
  readonly isClosed: boolean;
}

/** Longer than any wait of the gateway. */
const PATIENCE_MS = 20_000;

/** Sends `input` from the address, packet by packet, and reads until the gateway closes. */
export function sendInput(gateway: Endpoint, { bytes, cuts, staysOpen }: FuzzInput, localAddress: string): Promise<ReceivedAnswer> {
  return new Promise((resolve) => {
    const pieces: Buffer[] = [];
    const socket = connect({ ...gateway, localAddress, noDelay: true });
    const finish = (isClosed: boolean) => {
      clearTimeout(timer);
      socket.destroy();
      resolve({ bytes: Buffer.concat(pieces), isClosed });
    };
    const timer = setTimeout(() => finish(false), PATIENCE_MS);
    const packets = [...cuts, bytes.length].map((end, n) => bytes.subarray(cuts[n - 1] ?? 0, end));
    const sendNext = () => {
      const packet = packets.shift();
      if (packet === undefined || socket.destroyed) return;
      if (packets.length === 0 && !staysOpen) socket.end(packet);
      else socket.write(packet);
      setImmediate(sendNext);
    };
    socket.on("connect", sendNext);
    socket.on("data", (piece: Buffer) => pieces.push(piece));
    socket.on("end", () => finish(true));
    socket.on("error", () => finish(true));
  });
}
