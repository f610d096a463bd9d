import { isIPv4 } from "node:net";
import type { Endpoint } from "../address.ts";
import { isLoopback } from "../config/places.ts";
import { ImdsgateError } from "../errors.ts";
import type { StaticWorkload } from "../identity/workload.ts";

/** What Docker says of where its containers are. */
export type DockerSeen =
  /** `--runtime none`. */
  | { readonly kind: "none" }
  /** `--runtime podman`: it has a bridge only while containers are on it, so where that is tells nothing. */
  | { readonly kind: "podman" }
  | { readonly kind: "silent"; readonly message: string }
  /** `gateways`: the addresses by which its bridges are reached in the kernel that has them. `system`: what it says it runs on. */
  | { readonly kind: "answers"; readonly gateways: readonly string[]; readonly system: string };

/** What this machine is, as far as the way of the containers depends on it. */
export interface Surroundings {
  /** `linux`, `darwin`, `win32` … */
  readonly platform: string;
  readonly isRoot: boolean;
  /** The IPv4 addresses of this network namespace, without loopback. */
  readonly ownAddresses: ReadonlySet<string>;
  readonly docker: DockerSeen;
}

/** What the operator said that bears on it. */
export interface WayWishes {
  /** What he chose with `--rules`; undefined where he left it. */
  readonly rules: string | undefined;
  readonly workloads: readonly StaticWorkload[];
}

/**
 * How containers get to the gateway. `redirect`: the kernel leads them. `owner`: it has the address of the metadata service itself, on a
 * network that containers are on. `endpoint`: they are pointed to a bridge's address, and proven by their sockets. `loopback`: they, or
 * programs of this machine, are pointed to it, and none can be proven. `given`: as `--rules` says.
 */
export interface Way {
  readonly kind: "redirect" | "owner" | "endpoint" | "loopback" | "given";
  /** Why, as a clause. */
  readonly reason: string;
  /** Where the gateway then listens, unless the operator says otherwise; undefined leaves it at the default. */
  readonly listen: Endpoint | undefined;
}

const IMDS = { host: "169.254.169.254", port: 80 };
const PORT = 18_169;

/**
 * The safest way that works here. Throws CONFIG_INVALID where nobody could be told from anybody: a role is then given only to who the
 * operator names.
 */
export function chooseWay(seen: Surroundings, { rules, workloads }: WayWishes): Way {
  const { ownAddresses, platform, isRoot, docker } = seen;
  if (rules !== undefined && rules !== "auto") return { kind: "given", reason: `--rules ${rules} was asked for`, listen: undefined };
  if (ownAddresses.has(IMDS.host)) return { kind: "owner", reason: `${IMDS.host} is an address of this very machine`, listen: IMDS };
  const atLoopback = workloads.find(({ address }) => isLoopback(address));
  if (atLoopback) return loopback(`the workload ${atLoopback.name} has a loopback address`);
  if (platform !== "linux")
    return nobodyProven(`${systemOf(docker)} keeps its containers in another kernel than this machine's`, workloads);
  if (docker.kind !== "answers") return withoutDocker(docker, isRoot, workloads);
  const bridge = docker.gateways.find((gateway) => isIPv4(gateway) && ownAddresses.has(gateway));
  if (bridge === undefined) return nobodyProven(`${systemOf(docker)} has its bridges elsewhere than in this network namespace`, workloads);
  if (isRoot) return { kind: "redirect", reason: "this is root on Linux, and Docker's bridges are here", listen: undefined };
  const reason = "without root no rule can be put in; each container is proven by its own socket";
  return { kind: "endpoint", reason, listen: { host: bridge, port: PORT } };
}

function withoutDocker(docker: Exclude<DockerSeen, { kind: "answers" }>, isRoot: boolean, workloads: readonly StaticWorkload[]): Way {
  const why = whyWithout(docker);
  if (isRoot) return { kind: "redirect", reason: `this is root on Linux; ${why}`, listen: undefined };
  return nobodyProven(`${why}, and without root no rule can be put in`, workloads);
}

function whyWithout(docker: Exclude<DockerSeen, { kind: "answers" }>): string {
  if (docker.kind === "podman") return "Podman's bridges are root's";
  return docker.kind === "none" ? "there is no runtime (--runtime none)" : `Docker is silent (${docker.message})`;
}

/** Whoever comes then comes by an address that many share. */
function nobodyProven(why: string, workloads: readonly StaticWorkload[]): Way {
  if (workloads.length > 0) return loopback(`${why}; whoever speaks from the address of a --workload is it`);
  throw new ImdsgateError(
    "CONFIG_INVALID",
    `dev: ${why}, so no container could be told from another, and none is given a role by guessing\n  allowed  one role for all: --workload all=127.0.0.1 --default-role ROLE; or imdsgate as a container, see docs/dev.md\n  example  imdsgate dev --workload all=127.0.0.1 --default-role web-role`,
  );
}

function loopback(reason: string): Way {
  return { kind: "loopback", reason, listen: { host: "127.0.0.1", port: PORT } };
}

function systemOf(docker: DockerSeen): string {
  return docker.kind === "answers" && docker.system !== "" ? `Docker (${docker.system})` : "Docker";
}
