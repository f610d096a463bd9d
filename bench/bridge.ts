/** One interface of a container on a bridge of this network, as Docker makes it: the host's end is a port, the other one is `inner` in the container. */
export interface BridgePort {
  readonly bridge: string;
  /** What the host calls its end. */
  readonly name: string;
  readonly inner: string;
  /** The container's end by its index, which no other container has. */
  readonly innerIndex: number;
  /** A process in the container. */
  readonly pid: number;
  readonly address: string;
}

/** The MAC address that Docker gives the interface with an IPv4 address. */
export function macOf(address: string): string {
  const bytes = address.split(".").map((byte) => Number(byte).toString(16).padStart(2, "0"));
  return ["02:42", ...bytes].join(":");
}

/** The lines for `ip -batch` that make a bridge, which owns `subnet`.1; `subnet` is the first three numbers of a /24. */
export function bridgeLines(bridge: string, subnet: string): readonly string[] {
  return [`link add ${bridge} type bridge`, `link set ${bridge} up`, `addr add ${subnet}.1/24 dev ${bridge}`];
}

/** The lines for the host that make a port. Its own end has an index too, without which the kernel would choose that of the other. */
export function portLines({ bridge, name, inner, innerIndex, pid, address }: BridgePort): readonly string[] {
  const peer = `name ${inner} index ${innerIndex} address ${macOf(address)} netns ${pid}`;
  return [
    `link add ${name} index ${HOST_INDEXES + innerIndex} type veth peer ${peer}`,
    `link set ${name} master ${bridge}`,
    `link set ${name} up`,
  ];
}

/** The lines for the container's own network. */
export function innerLines({ inner, address }: BridgePort): readonly string[] {
  return [`link set ${inner} up`, `addr add ${address}/24 dev ${inner}`];
}

/** What every container has besides: `subnet` is that of its first network. */
export function routeLines(subnet: string): readonly string[] {
  return ["link set lo up", `route add default via ${subnet}.1`];
}

/** Above all indexes of containers. */
const HOST_INDEXES = 100_000;
