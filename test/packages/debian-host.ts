import { existsSync, globSync } from "node:fs";
import { join } from "node:path";
import { makeCgroup, removeCgroup } from "../support/docker-host/cgroup.ts";
import { onlyChildOf, type ProgramEnd, type RunningProgram, startProgram, tryProgram } from "../support/docker-host/running-program.ts";

/** A Debian 12 that has booted: systemd is its PID 1, in namespaces of its own without an uplink. */
export interface DebianHost {
  /** Runs a line of shell as root there; gives what it printed, both streams; rejects with that when its exit code is not 0. */
  readonly sh: (line: string) => Promise<string>;
  /** How a line of shell ended that may fail. */
  readonly attempt: (line: string, input?: string) => Promise<ProgramEnd>;
  /** Starts a line of shell that goes on. */
  readonly start: (line: string) => RunningProgram;
  readonly stop: () => Promise<void>;
}

const ROOT = join(import.meta.dirname, "../..");
const DEBIAN = join(ROOT, ".tools/debian");
const PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/** The Node of the checkout, as the host sees it: what is asked there must not need the package under test. */
export const CHECKOUT_NODE = process.execPath.replace(ROOT, "/opt/checkout");
let booted = 0;

/** The package that `./scripts/package` made, as the host sees it. */
export function packageFile(ending: "deb" | "rpm"): string {
  const [name] = globSync(`*.${ending}`, { cwd: join(ROOT, "dist/packages") });
  if (name === undefined) throw new Error(`there is no .${ending} in dist/packages: ./scripts/package ${ending} makes it`);
  return `/opt/checkout/dist/packages/${name}`;
}

/** Boots it; takes 3 to 6 s, needs root. `layers` are folders of files that lie above its own, the topmost first. */
export async function bootDebian(layers: readonly string[] = []): Promise<DebianHost> {
  if (process.getuid?.() !== 0) throw new Error("a Debian host needs root");
  if (!existsSync(DEBIAN)) throw new Error(`${DEBIAN} is missing: ./scripts/test packages makes it`);
  booted += 1;
  const cgroup = await makeCgroup(`debian-${booted}`);
  const init = startProgram({
    program: "bash",
    args: [
      "-c",
      `echo 0 >"$1/cgroup.procs"; shift; exec "$@"`,
      "-",
      cgroup,
      ...NEW_NAMESPACES,
      join(import.meta.dirname, "boot.sh"),
      [...layers, DEBIAN].join(":"),
      ROOT,
    ],
  });
  const stop = async (): Promise<void> => {
    await init.stop("SIGKILL");
    await removeCgroup(cgroup);
  };
  const host = { ...placeIn(() => onlyChildOf(init.pid)), stop };
  try {
    // Before that, who enters finds the root of this machine.
    await init.printed(/^the root is changed$/m);
    await host.sh(
      "for i in $(seq 300); do systemctl is-system-running 2>/dev/null | grep -Eq 'running|degraded' && exit 0; sleep 0.1; done; exit 1",
    );
    await host.sh("/opt/checkout/test/packages/surroundings.sh");
    return host;
  } catch (error) {
    await stop();
    throw new Error(`Debian did not boot: ${init.stdout()}${init.stderr()}`, { cause: error });
  }
}

// Each step dies with the one before it: setpriv's signal when this process ends, unshare's when it does, and a pid namespace with its first process.
const NEW_NAMESPACES = [
  ...["setpriv", "--pdeathsig", "KILL", "--"],
  ...["unshare", "--net", "--mount", "--propagation", "private", "--uts", "--ipc", "--pid", "--cgroup", "--fork", "--kill-child"],
];

function placeIn(pid: () => number): Omit<DebianHost, "stop"> {
  const invocation = (line: string, input?: string) => ({
    program: "nsenter",
    args: [
      ...["--target", String(pid()), "--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup", "--root", "--wd", "--"],
      ...["bash", "-c", line],
    ],
    env: { PATH, HOME: "/root" },
    ...(input === undefined ? {} : { input }),
  });
  const attempt = (line: string, input?: string) => tryProgram(invocation(line, input));
  return {
    attempt,
    start: (line) => startProgram(invocation(line)),
    async sh(line) {
      const { code, stdout, stderr } = await attempt(line);
      if (code !== 0) throw new Error(`${line}: exit code ${code}\n${stdout}${stderr}`);
      return `${stdout}${stderr}`;
    },
  };
}
