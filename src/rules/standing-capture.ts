import type { RunCommand } from "../run-command.ts";
import { isCgroupPath } from "./host-network.ts";
import type { HostNetworkCapture } from "./rule-set.ts";

/** What of a capture the kernel can be told now: a rule for a cgroup that is not there would fail the whole transaction. */
export interface StandingCapture {
  readonly capture: HostNetworkCapture | undefined;
  /** Leads from /sys/fs/cgroup to the cgroup2 tree: empty, or `unified/` beside the trees of cgroup v1. */
  readonly prefix: string;
  /** The kernel's number of each path that is there. A cgroup that is made anew under its old path has another. */
  readonly ids: ReadonlyMap<string, string>;
}

const ROOT = "/sys/fs/cgroup/";
const PREFIXES = ["", "unified/"] as const;
/** The root of a cgroup2 tree has it, that of another tree has not. */
const MARK = "cgroup.controllers";
const TRIES = 5;

/** Looks which paths of a capture are there. By a program, since it must see what the rules' own program sees. It never rejects. */
async function readStanding(run: RunCommand, capture: HostNetworkCapture | undefined): Promise<StandingCapture> {
  const paths = pathsIn(capture).filter(isCgroupPath);
  if (capture === undefined || paths.length === 0) return { capture: capture && { caught: [], exempt: [] }, prefix: "", ids: new Map() };
  const asked = PREFIXES.flatMap((prefix) => [MARK, ...paths].map((path) => `${ROOT}${prefix}${path}`));
  // It says on its error output what is not there, and ends with 2: both are answers.
  const { stdout } = await run("ls", ["-di", "--", ...asked]);
  const listed = new Map(
    stdout.split("\n").flatMap((line): [string, string][] => {
      const [, id, path] = /^\s*(\d+) \/sys\/fs\/cgroup\/(.+)$/.exec(line) ?? [];
      return id === undefined || path === undefined ? [] : [[path, id]];
    }),
  );
  const prefix = PREFIXES.find((one) => listed.has(`${one}${MARK}`)) ?? "";
  const ids = new Map(
    paths.flatMap((path): [string, string][] => {
      const id = listed.has(`${prefix}${MARK}`) ? listed.get(`${prefix}${path}`) : undefined;
      return id === undefined ? [] : [[path, id]];
    }),
  );
  return { capture: only(capture, (path) => ids.has(path)), prefix, ids };
}

/**
 * Loads a capture without the cgroups that are gone, and gives what was loaded. Where it fails and a cgroup came or went meanwhile it is
 * done again, five times at most. Throws what `load` throws.
 */
export async function loadStanding(
  run: RunCommand,
  capture: HostNetworkCapture | undefined,
  load: (standing: StandingCapture) => Promise<void>,
): Promise<StandingCapture> {
  for (let tries = 1; ; tries += 1) {
    const standing = await readStanding(run, capture);
    try {
      await load(standing);
      return standing;
    } catch (error) {
      if (tries === TRIES || isSame(standing, await readStanding(run, capture))) throw error;
    }
  }
}

/** What the rules for a capture are compared with. */
interface CaptureToCompare extends Pick<StandingCapture, "capture" | "prefix"> {
  /** Whether a rule for this cgroup, a path or a bare number, is left over from one that is gone, and so matches nothing. */
  readonly isLeftOver: (cgroup: string | number | undefined) => boolean;
}

/**
 * Looks what of a capture should stand, once the rules are listed: a cgroup that goes in between is gone in both. One that came after `applied` was loaded is not missing: who watches the tree puts it in.
 * It never rejects.
 */
export async function captureToCompare(
  run: RunCommand,
  capture: HostNetworkCapture | undefined,
  applied: StandingCapture | undefined,
): Promise<CaptureToCompare> {
  const { capture: standing, prefix, ids } = await readStanding(run, capture);
  const asked = new Set(pathsIn(capture));
  const isDead = (path: string) => asked.has(path) && (!ids.has(path) || (applied?.ids.get(path) ?? ids.get(path)) !== ids.get(path));
  return {
    prefix,
    capture: standing && only(standing, (path) => applied === undefined || applied.ids.has(path)),
    isLeftOver: (cgroup) => typeof cgroup === "number" || (cgroup !== undefined && isDead(cgroup)),
  };
}

function pathsIn(capture: HostNetworkCapture | undefined): readonly string[] {
  return capture === undefined ? [] : [...capture.exempt, ...capture.caught];
}

function only({ caught, exempt }: HostNetworkCapture, isWanted: (path: string) => boolean): HostNetworkCapture {
  return { caught: caught.filter(isWanted), exempt: exempt.filter(isWanted) };
}

function isSame(one: StandingCapture, other: StandingCapture): boolean {
  return JSON.stringify([...one.ids]) === JSON.stringify([...other.ids]);
}
