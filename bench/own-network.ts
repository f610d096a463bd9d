import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";

/** The flag by which the benchmark knows that it runs in a network of its own. */
export const INSIDE = "--inside-own-network";

export const PATH = `${process.env["PATH"] ?? ""}:/usr/sbin:/sbin`;

/** A network namespace whose user namespace has no root yet would keep its /proc/net to itself, hence two steps. */
const NEW_NETWORK = [...(process.getuid?.() === 0 ? [] : ["unshare", "--user", "--map-root-user"]), "unshare", "--net"];

/**
 * Runs this very program again with `flags` in a network namespace without an uplink, and gives its exit code. Undefined when
 * this machine allows no namespace, or has no `unshare`, `nsenter` or `ip`.
 */
export async function runInOwnNetwork(script: string, flags: readonly string[]): Promise<number | undefined> {
  const env = { ...process.env, PATH };
  const [file = "", ...args] = NEW_NETWORK;
  const probe = spawnSync(file, [...args, "sh", "-c", "ip link set lo up && command -v nsenter"], {
    env,
    stdio: "ignore",
    timeout: 10_000,
  });
  if (probe.status !== 0) return undefined;
  const child = spawn(file, [...args, process.execPath, script, ...flags, INSIDE], { env, stdio: "inherit" });
  const release = passSignalsTo(child);
  const [code]: (number | null)[] = await once(child, "exit");
  release();
  return code ?? 1;
}

/** Ctrl-C reaches both processes from a terminal; the outer one only waits for the inner one's clean-up. */
function passSignalsTo(child: ChildProcess): () => void {
  const forward = () => void child.kill("SIGTERM");
  const wait = () => {};
  process.on("SIGTERM", forward).on("SIGINT", wait);
  return () => void process.off("SIGTERM", forward).off("SIGINT", wait);
}
