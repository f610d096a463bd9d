import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import type { GroupResult, RunPlace } from "./test-groups.ts";
import { isRoot, MARKER_NAME } from "./test-programs.ts";

/** What the tests may not change on the machine, as sorted lines under a heading each. */
export type MachineState = ReadonlyMap<string, readonly string[]>;

const QUESTIONS: readonly (readonly [heading: string, needsRoot: boolean, program: string, ...args: string[]])[] = [
  ["nftables", true, "nft", "list", "ruleset"],
  ["iptables", true, "iptables-save"],
  ["ip6tables", true, "ip6tables-save"],
  ["legacy iptables", true, "iptables-legacy-save"],
  ["addresses", false, "ip", "-oneline", "address"],
  ["IPv4 routes", false, "ip", "-4", "route"],
  ["IPv6 routes", false, "ip", "-6", "route"],
  ["network namespaces", false, "ip", "netns"],
];
const FILES = ["/proc/sys/net/ipv4/ip_forward", "/proc/sys/net/ipv4/conf/all/route_localnet", "/proc/sys/net/ipv6/conf/all/forwarding"];

/** What this machine's own namespaces hold now. Looking changes nothing. */
export function machineState(): MachineState {
  const state = new Map<string, readonly string[]>();
  for (const [heading, needsRoot, program, ...args] of QUESTIONS) {
    if (needsRoot && !isRoot()) continue;
    const { stdout } = spawnSync(program, args, {
      encoding: "utf8",
      env: { ...process.env, PATH: `${process.env["PATH"]}:/usr/sbin:/sbin` },
    });
    state.set(heading, lasting(stdout ?? ""));
  }
  for (const file of FILES) state.set(file, existsSync(file) ? lasting(readFileSync(file, "utf8")) : []);
  state.set("mounts", mountPoints());
  return state;
}

/** Four tests: no process of this run is left, no temporary file, no cgroup, and the machine is as it was in `before`. */
export function leftovers(place: RunPlace, before: MachineState): GroupResult {
  const findings = [
    ["processes left", processesOf(place.marker)],
    ["temporary files left", readdirSync(place.temporary)],
    [
      "cgroups left",
      mountPoints()
        .filter((mount) => mount.startsWith("/sys/fs/cgroup"))
        .flatMap(ownCgroups),
    ],
    ["the machine changed", changes(before, machineState())],
  ] as const;
  const failures = findings.filter(([, found]) => found.length > 0);
  for (const [what, found] of failures) process.stdout.write(`${what}:\n${found.map((line) => `  ${line}\n`).join("")}`);
  return { passed: findings.length - failures.length, failures: failures.map(([what, found]) => `${what}: ${found[0]}`), notRun: [] };
}

/** Waits, 5 s at most, until no process of a run that was ended is left. */
export async function processesEnded(marker: string): Promise<void> {
  for (let tries = 0; tries < 100 && processesOf(marker).length > 0; tries += 1) await delay(50);
}

function lasting(text: string): readonly string[] {
  const isComment = (line: string): boolean => line.startsWith("#");
  // counters and lifetimes move by themselves
  const lines = text
    .split("\n")
    .map((line) => line.replaceAll(/packets \d+ bytes \d+|\[\d+:\d+\]|(valid_lft|preferred_lft) \w+|expires \w+/g, "").trim());
  return lines.filter((line) => line !== "" && !isComment(line)).toSorted();
}

function mountPoints(): readonly string[] {
  const lines = readFileSync("/proc/self/mounts", "utf8").split("\n");
  return lines
    .map((line) => line.split(" ")[1] ?? "")
    .filter((mount) => mount !== "")
    .toSorted();
}

function ownCgroups(mount: string): readonly string[] {
  return readdirSync(mount)
    .filter((name) => name.startsWith("imdsgate-"))
    .map((name) => `${mount}/${name}`);
}

function processesOf(marker: string): readonly string[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name) && readQuietly(`/proc/${name}/environ`).split("\0").includes(`${MARKER_NAME}=${marker}`))
    .map((pid) => `${pid} ${readQuietly(`/proc/${pid}/cmdline`).replaceAll("\0", " ")}`);
}

function changes(before: MachineState, after: MachineState): readonly string[] {
  return [...after].flatMap(([heading, lines]) => {
    const old = before.get(heading) ?? [];
    return [
      ...old.filter((line) => !lines.includes(line)).map((line) => `${heading}: - ${line}`),
      ...lines.filter((line) => !old.includes(line)).map((line) => `${heading}: + ${line}`),
    ];
  });
}

/** A process may end while it is looked at, and another user's is closed. */
function readQuietly(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}
