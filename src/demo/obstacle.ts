import { readFileSync } from "node:fs";
import type { RunCommand } from "../run-command.ts";

/** Why containers cannot be namespaces here, and what would help. */
export interface Obstacle {
  /** Follows "since": `this machine forbids namespaces (…)`. */
  readonly reason: string;
  /** The command that would show what loopback cannot, and where it would. */
  readonly remedy: string;
}

/** What this machine was seen to have. */
export interface NamespaceProbe {
  readonly isRoot: boolean;
  /** Programs that are needed and are not there, by the names of `PACKAGES`. */
  readonly missing: readonly string[];
  /** What the rehearsal said when it failed; undefined when it went well. */
  readonly failure: string | undefined;
  /** Switches of the kernel by name, those that exist. */
  readonly switches: Readonly<Record<string, string>>;
}

/** What makes new namespaces and starts a program in them, as words before that program's. */
export type Wrapper = readonly string[];

// A network namespace that is made before its user namespace has a root keeps files in /proc/net that nobody may read.
const AS_ROOT: Wrapper = "unshare --pid --fork --kill-child --net --mount --".split(" ");
const AS_ANYBODY: Wrapper = "unshare --user --map-root-user --pid --fork --kill-child -- unshare --net --mount --".split(" ");

/** Everything that the demonstration needs, in small. */
const REHEARSAL = `set -e
mount -t tmpfs tmpfs /run
printf '%s\\n' 'netns add peer' 'link add name bridge0 type bridge' 'link add name veth0 type veth peer name eth0 netns peer' 'link set veth0 master bridge0' | ip -batch -
echo 1 >/proc/sys/net/ipv4/ip_forward
nsenter --net=/run/netns/peer true
if command -v nft >/dev/null; then echo 'table inet t { chain c { type nat hook prerouting priority dstnat; tcp dport 80 redirect to :81; }; }' | nft -f -
else iptables -t nat -A PREROUTING -p tcp --dport 80 -j REDIRECT --to-ports 81; fi`;

const SWITCHES = [
  "user.max_user_namespaces",
  "user.max_net_namespaces",
  "kernel.unprivileged_userns_clone",
  "kernel.apparmor_restrict_unprivileged_userns",
];

/** Tries, in namespaces of its own, whether the demonstration could be played in some. It gives the words that make them, or why there are none. */
export async function rehearse(run: RunCommand, isRoot: boolean, calledAs: string): Promise<Wrapper | Obstacle> {
  const missing = await missingPrograms(run);
  let failure: string | undefined;
  for (const wrapper of missing.length > 0 ? [] : isRoot ? [AS_ROOT, AS_ANYBODY] : [AS_ANYBODY]) {
    const [program = "", ...args] = wrapper;
    const { exitCode, stderr } = await run(program, [...args, "sh", "-c", REHEARSAL]);
    if (exitCode === 0) return wrapper;
    failure ??= stderr.trim().split("\n")[0] || `exit code ${exitCode}`;
  }
  return obstacleFor({ isRoot, missing, failure, switches: readSwitches() }, calledAs);
}

/** Names the one thing that is in the way. `calledAs` is how the demonstration was started, for the command. */
export function obstacleFor({ isRoot, missing, failure = "", switches }: NamespaceProbe, calledAs: string): Obstacle {
  if (missing.length > 0) {
    const packages = missing.map((program) => PACKAGES.get(program) ?? program).join(" ");
    return { reason: `this machine has no ${missing.join(" and no ")}`, remedy: `sudo apt-get install -y ${packages} && ${calledAs}` };
  }
  const elsewhere = { remedy: `${calledAs}, on the machine itself or in a container that was started with --privileged` };
  const asRoot = isRoot ? elsewhere : { remedy: `sudo ${calledAs}` };
  const none = ["user.max_user_namespaces", "user.max_net_namespaces"].find((name) => switches[name] === "0");
  if (none !== undefined) return { reason: `this machine forbids namespaces (${none}=0)`, ...asRoot };
  if (!isRoot && switches["kernel.unprivileged_userns_clone"] === "0") {
    return { reason: "this machine lets only root make user namespaces (kernel.unprivileged_userns_clone=0)", ...asRoot };
  }
  if (!isRoot && switches["kernel.apparmor_restrict_unprivileged_userns"] === "1") {
    return { reason: "this machine lets only root use user namespaces (kernel.apparmor_restrict_unprivileged_userns=1)", ...asRoot };
  }
  return { reason: `this machine gives no namespaces of one's own (${failure})`, ...asRoot };
}

const PACKAGES = new Map([
  ["ip", "iproute2"],
  ["nft or iptables", "nftables"],
  ["unshare", "util-linux"],
]);

/** Of nft and iptables one is enough. */
async function missingPrograms(run: RunCommand): Promise<readonly string[]> {
  const isMissing = async (program: string) => (await run(program, ["--version"])).isMissing;
  const [unshare, nft, iptables] = await Promise.all(["unshare", "nft", "iptables"].map(isMissing));
  const ip = (await run("ip", ["-V"])).isMissing;
  return [...(unshare ? ["unshare"] : []), ...(ip ? ["ip"] : []), ...(nft && iptables ? ["nft or iptables"] : [])];
}

function readSwitches(): Readonly<Record<string, string>> {
  return Object.fromEntries(
    SWITCHES.flatMap((name) => {
      try {
        return [[name, readFileSync(`/proc/sys/${name.replaceAll(".", "/")}`, "utf8").trim()]];
      } catch {
        return [];
      }
    }),
  );
}
