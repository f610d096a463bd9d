import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { GroupResult, RunPlace } from "./test-groups.ts";
import { canRun, copyCheckout, isRoot, markedEnvironment, ROOT, runQuietly } from "./test-programs.ts";

interface DemoRun {
  readonly title: string;
  /** Why it cannot run on this machine; undefined when it can. */
  readonly obstacle: string | undefined;
  readonly checkout: string;
  /** What stands before the demo on the command line. */
  readonly wrapper: readonly string[];
  /** Whether the kernel's part can be shown there; else the demo has to say that it was not. */
  readonly hasKernel: boolean;
}

const NOBODY = "65534";
const AS_NOBODY = ["setpriv", `--reuid=${NOBODY}`, `--regid=${NOBODY}`, "--clear-groups", "--inh-caps=-all", "--"];
// A user namespace in which no other can be made, then no capability left: what a hardened machine or a CI container gives.
const WITHOUT_NAMESPACES = [
  ...["unshare", "--user", "--map-current-user", "--keep-caps", "bash", "-c"],
  'for limit in /proc/sys/user/max_*_namespaces; do echo 0 >"$limit"; done; exec setpriv --inh-caps=-all --ambient-caps=-all --bounding-set=-all -- "$@"',
  "-",
];

/** Runs `./scripts/demo` wherever it has to work. A run passes when it ends with 0 and shows what can be shown there; the output of one that does not is shown. */
export async function runDemos(place: RunPlace): Promise<GroupResult> {
  const home = join(place.folder, "ordinary-user");
  const copy = await freshCopy(home);
  const asOrdinaryUser = isRoot() ? AS_NOBODY : [];
  const hasKernel = await canRun("unshare", ["--user", "--map-root-user", "--net", "true"]);
  const runs: readonly DemoRun[] = [
    { title: "as root", obstacle: isRoot() ? undefined : "it needs root", checkout: ROOT, wrapper: [], hasKernel },
    { title: "as an ordinary user, in a fresh copy", obstacle: undefined, checkout: copy, wrapper: asOrdinaryUser, hasKernel },
    {
      title: "where namespaces are forbidden",
      obstacle: hasKernel ? undefined : "such a place is made of a user namespace, which this machine does not give",
      checkout: copy,
      wrapper: [...asOrdinaryUser, ...WITHOUT_NAMESPACES],
      hasKernel: false,
    },
  ];
  const result = { passed: 0, failures: [] as string[], notRun: [] as string[] };
  for (const run of runs) {
    if (place.signal.aborted) break;
    if (run.obstacle !== undefined) result.notRun.push(`demo ${run.title}: ${run.obstacle}`);
    else if (await runDemo(run, place, home)) result.passed += 1;
    else result.failures.push(run.title);
  }
  rmSync(home, { recursive: true, force: true });
  return result;
}

async function runDemo({ title, checkout, wrapper, hasKernel }: DemoRun, place: RunPlace, home: string): Promise<boolean> {
  process.stdout.write(`demo ${title} … `);
  const [program = "", ...args] = [...wrapper, join(checkout, "scripts/demo")];
  // PATH as the machine has it: the demo has to find or install its Node by itself
  const path = process.env["MACHINE_PATH"] ?? process.env["PATH"];
  const env = { ...markedEnvironment(place), PATH: path, ...(checkout === ROOT ? {} : { HOME: home }) };
  const { code, output } = await runQuietly(program, args, { cwd: checkout, env, signal: place.signal });
  const isWhole = !output.includes("Not shown:");
  const verdict = isWhole === hasKernel ? `exit code ${code}` : `it ${isWhole ? "claims to show" : "does not show"} the kernel's part`;
  const isGood = code === 0 && isWhole === hasKernel;
  process.stdout.write(isGood ? "passed\n" : `failed: ${verdict}\n${output}\n`);
  return isGood;
}

/** The checkout as a clone would bring it, without packages and tools, in the hands of an ordinary user whose home is `home`. */
async function freshCopy(home: string): Promise<string> {
  const copy = join(home, "imdsgate");
  mkdirSync(home);
  copyCheckout(copy);
  if (isRoot()) await runQuietly("chown", ["-R", `${NOBODY}:${NOBODY}`, home], { cwd: home, env: process.env });
  return copy;
}
