import { BlockList, isIP, SocketAddress } from "node:net";

/** An IP address in one spelling: IPv4-mapped IPv6 becomes IPv4, IPv6 is compressed as RFC 5952, a zone is left out. Undefined if it is none. */
export function canonicalAddress(text: string): string | undefined {
  const family = isIP(text);
  if (family === 0) return undefined;
  if (family === 4) return text;
  const { address } = new SocketAddress({ address: text.replace(/%.*$/, ""), family: "ipv6" });
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/.exec(address);
  return mapped?.[1] ?? address;
}

/** The 16 bytes of an IPv6 address in canonical text. */
export function ipv6Bytes(address: string): Buffer {
  const [head = "", tail] = address.split("::");
  const groupsIn = (part: string) => (part === "" ? [] : part.split(":"));
  const [before, after] = [groupsIn(head), groupsIn(tail ?? "")];
  const zeros = Array<string>(8 - before.length - after.length).fill("0");
  return Buffer.from([...before, ...zeros, ...after].map((group) => group.padStart(4, "0")).join(""), "hex");
}

/** Whether `address` lies in `block` (CIDR, `10.0.0.0/8` or `fd00::/8`). False when either is none, or they are of two families. */
export function isInBlock(address: string, block: string): boolean {
  const [, base = "", bits = ""] = /^([0-9a-f.:]+)\/(\d{1,3})$/i.exec(block) ?? [];
  const family = isIP(base);
  const length = Number(bits);
  if (family === 0 || isIP(address) !== family || address.includes("%") || length > (family === 6 ? 128 : 32)) return false;
  const type = family === 6 ? "ipv6" : "ipv4";
  const list = new BlockList();
  list.addSubnet(base, length, type);
  return list.check(address, type);
}

/** Where something listens or is reached: a host (name or address, IPv6 without brackets) and a TCP port. */
export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

/** `host:port`, IPv6 in brackets. */
export function endpointText({ host, port }: Endpoint): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}
