import { type Clock, within } from "../clock.ts";
import type { Config } from "../config/config.ts";
import { type Fields, isFields } from "../fields.ts";
import type { DockerEndpoint } from "../identity/docker-endpoint.ts";
import { dockerFailure } from "../identity/docker-failure.ts";
import { type VersionedDocker, versionedDocker } from "../identity/docker-version.ts";
import { dockerWire, readBody } from "../identity/docker-wire.ts";
import { procProcessTable } from "../identity/process-table.ts";
import type { DockerSeen, Surroundings } from "./way.ts";

const ANSWER_MS = 3_000;

/** The runtime of whose containers it is asked where they are. */
type RuntimeAsked = Pick<Config, "runtime" | "docker">;

/** Looks at this machine and asks Docker where it is; changes nothing and never rejects. */
export async function lookAround(asked: RuntimeAsked, clock: Clock, signal: AbortSignal): Promise<Surroundings> {
  const own = procProcessTable("/proc").ownedAddresses(process.pid, "ipv4");
  return {
    platform: process.platform,
    isRoot: process.getuid?.() === 0,
    ownAddresses: typeof own === "object" ? own : new Set(),
    docker: await seenOf(asked, clock, signal),
  };
}

async function seenOf({ runtime, docker }: RuntimeAsked, clock: Clock, signal: AbortSignal): Promise<DockerSeen> {
  if (docker === undefined) return { kind: "none" };
  return runtime === "podman" ? { kind: "podman" } : askDocker(docker, clock, signal);
}

async function askDocker(endpoint: DockerEndpoint, clock: Clock, signal: AbortSignal): Promise<DockerSeen> {
  const late: DockerSeen = { kind: "silent", message: `no answer within ${ANSWER_MS / 1_000} s` };
  const ending = new AbortController();
  const asking = whereDockerIs(versionedDocker(dockerWire(endpoint)), AbortSignal.any([signal, ending.signal])).catch(
    (error: unknown): DockerSeen => ({ kind: "silent", message: dockerFailure(endpoint, error).message }),
  );
  const seen = await within(clock, ANSWER_MS, asking, late);
  ending.abort();
  return seen;
}

async function whereDockerIs(docker: VersionedDocker, signal: AbortSignal): Promise<DockerSeen> {
  const read = async (path: string): Promise<unknown> => {
    const answer = await docker.ask(path, signal);
    const body = await readBody(answer);
    if (answer.statusCode !== 200) throw new Error(`${path}: status ${answer.statusCode}`);
    return JSON.parse(body);
  };
  // A proxy before the socket may keep the second one back.
  const [networks, info] = await Promise.all([read("/networks"), read("/info").catch(() => undefined)]);
  return { kind: "answers", gateways: gatewaysOf(networks), system: textAt(info, "OperatingSystem") };
}

/** The addresses that Docker's bridges have in the kernel that has them. */
function gatewaysOf(networks: unknown): readonly string[] {
  const bridges = listOf(networks).filter((network) => network["Driver"] === "bridge");
  const blocks = bridges.flatMap(({ IPAM }) => listOf(isFields(IPAM) ? IPAM["Config"] : undefined));
  return blocks.map((block) => textAt(block, "Gateway") || firstAddressOf(textAt(block, "Subnet"))).filter((gateway) => gateway !== "");
}

/** Docker says no gateway where nobody chose one: then it is the first address. */
function firstAddressOf(subnet: string): string {
  return /^\d+\.\d+\.\d+\.\d+\//.test(subnet) ? subnet.replace(/(\d+)\/.*$/, (_, last: string) => String(Number(last) + 1)) : "";
}

function listOf(value: unknown): readonly Fields[] {
  return Array.isArray(value) ? value.filter(isFields) : [];
}

function textAt(value: unknown, key: string): string {
  const text = isFields(value) ? value[key] : undefined;
  return typeof text === "string" ? text : "";
}
