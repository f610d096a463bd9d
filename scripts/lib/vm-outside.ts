import { readFileSync } from "node:fs";
import { join } from "node:path";
import { runProgram, startProgram } from "../../test/support/docker-host/running-program.ts";
import { ROOT } from "./test-programs.ts";

/** The end of the machine's cable that is outside of it. */
export const TAP = "vm0";
/** Where the machine finds STS. */
export const STS = "10.77.0.254:8090";

const CLI = join(ROOT, "src/cli.ts");

/**
 * Makes the network that the machine sees, in this process's own network namespace: its cable, the metadata service one hop away as on EC2, and STS, both
 * embedded. There is no uplink. Throws where the namespace has one, which is then not its own.
 */
export async function startOutside(): Promise<void> {
  const interfaces = readFileSync("/proc/self/net/dev", "utf8").split("\n").slice(2);
  if (interfaces.some((line) => line.trim() !== "" && !line.trim().startsWith("lo:")))
    throw new Error("the network namespace is not one of its own");
  const lines = [
    "link set lo up",
    "address add 169.254.169.254/32 dev lo",
    `tuntap add ${TAP} mode tap`,
    `address add 10.77.0.254/24 dev ${TAP}`,
    `link set ${TAP} up`,
  ];
  for (const line of lines) await runProgram({ program: "ip", args: line.split(" ") });
  const sims = [
    ["imds", "--listen", "169.254.169.254:80"],
    ["sts", "--listen", STS],
  ];
  await Promise.all(
    sims.map((words) => startProgram({ program: process.execPath, args: [CLI, "sim", ...words] }).printed(/"event":"ready"/)),
  );
}
