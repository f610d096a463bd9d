import { isIPv4 } from "node:net";
import { endianness } from "node:os";
import { type Endpoint, ipv6Bytes } from "../address.ts";

/** One end of a TCP connection and the other, as the process that holds the socket sees them. */
export interface Connection {
  readonly from: Endpoint;
  readonly to: Endpoint;
}

/** ESTABLISHED, FIN_WAIT1 and FIN_WAIT2: there is still somebody who can read an answer. */
const OPEN_STATES = ["01", "04", "05"];

/**
 * Whether a `/proc/PID/net/tcp` or `tcp6` lists `connection` as an open one (proc_net_tcp, Linux Documentation/networking). A program that
 * speaks IPv4 through a dual-stack socket, as Java's do, stands in `tcp6` with mapped addresses.
 */
export function listsConnection(text: string, { from, to }: Connection): boolean {
  const spellings = isIPv4(from.host) ? [hexOfIpv4, hexOfMapped] : [hexOfIpv6];
  return spellings.some((hexOf) => {
    const ends = `${endText(from, hexOf)} ${endText(to, hexOf)} `;
    return OPEN_STATES.some((state) => text.includes(`: ${ends}${state} `));
  });
}

function endText({ host, port }: Endpoint, hexOf: (address: string) => string): string {
  return `${hexOf(host)}:${port.toString(16).toUpperCase().padStart(4, "0")}`;
}

function hexOfIpv4(address: string): string {
  return wordsInHex(Buffer.from(address.split(".").map(Number)));
}

function hexOfMapped(address: string): string {
  return `0000000000000000${wordsInHex(Buffer.from([0, 0, 255, 255]))}${hexOfIpv4(address)}`;
}

function hexOfIpv6(address: string): string {
  return wordsInHex(ipv6Bytes(address));
}

/** The kernel prints each 32 bits of an address as a number of this machine. */
function wordsInHex(bytes: Buffer): string {
  const ordered = endianness() === "LE" ? Buffer.from(bytes).swap32() : bytes;
  return ordered.toString("hex").toUpperCase();
}
