import { writeFileSync } from "node:fs";
import { bridgeLines, innerLines, macOf, portLines, routeLines } from "./bridge.ts";
import type { StubContainer } from "./docker-stub.ts";
import { spawnOwned } from "./program.ts";
import { enteringNetwork, runIp } from "./run-tool.ts";

/** One of many containers: a process that sleeps, in a network of its own, behind a port of a bridge. */
export interface Member extends StubContainer {
  readonly address: string;
  readonly mac: string;
  readonly subnet: string;
}

/** A bridge has no more than 1,023 ports, and a /24 has fewer addresses. */
const BRIDGES = 5;
const FIRST_SUBNET = 100;
const FIRST_HOST = 2;
const FIRST_INDEX = 2_000;
/** Each prints its pid when its network is its own, and ends with the stdin that all share. */
const MEMBERS = 'exec 3<&0; for n in $(seq "$0"); do unshare --net sh -c "echo \\$\\$; exec cat" <&3 & done; wait';

/** Makes `count` containers on the bridges of the network that this process is in, which then forwards between them. */
export async function startCrowd(count: number, owner: AsyncDisposableStack): Promise<readonly Member[]> {
  const pids = await startSleepers(count, owner);
  const subnets = Array.from({ length: BRIDGES }, (_, bridge) => `198.18.${FIRST_SUBNET + bridge}`);
  runIp(["link set lo up", ...subnets.flatMap((subnet, bridge) => bridgeLines(`crowd${bridge}`, subnet))]);
  writeFileSync("/proc/sys/net/ipv4/ip_forward", "1");
  const places = pids.map((pid, index) => {
    const subnet = subnets[index % BRIDGES] ?? "";
    const address = `${subnet}.${FIRST_HOST + Math.floor(index / BRIDGES)}`;
    const port = {
      bridge: `crowd${index % BRIDGES}`,
      name: `crowd-v${index}`,
      inner: "eth0",
      innerIndex: FIRST_INDEX + index,
      pid,
      address,
    };
    return { subnet, port };
  });
  runIp(places.flatMap(({ port }) => portLines(port)));
  for (const { subnet, port } of places) runIp([...innerLines(port), ...routeLines(subnet)], enteringNetwork(port.pid));
  return places.map(({ subnet, port: { pid, address } }, index) => {
    return { name: `crowd-${index}`, pid, addresses: [address], address, mac: macOf(address), subnet };
  });
}

async function startSleepers(count: number, owner: AsyncDisposableStack): Promise<readonly number[]> {
  const { stdin, stdout } = spawnOwned({ command: ["sh", "-c", MEMBERS, `${count}`] }, owner);
  if (!stdin || !stdout) throw new Error("the sleeping containers have no pipes");
  owner.defer(() => void stdin.end());
  const pids: number[] = [];
  let text = "";
  for await (const piece of stdout) {
    text += String(piece);
    const lines = text.split("\n");
    text = lines.pop() ?? "";
    pids.push(...lines.map(Number));
    if (pids.length === count) break;
  }
  if (pids.length < count) throw new Error(`only ${pids.length} of ${count} containers began`);
  return pids;
}
