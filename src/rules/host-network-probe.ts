import type { RunCommand } from "../run-command.ts";
import type { BackendChoice } from "./choose-backend.ts";
import { IMDS_IPV4 } from "./rule-set.ts";
import { isDenied } from "./tool.ts";

/** A table with what host-network containers need of the kernel, for `nft --check`, which loads nothing. The root is always there. */
const PROBE_TABLE = `table inet imdsgate-probe { chain c { type nat hook output priority -110; ip daddr ${IMDS_IPV4} tcp dport 80 socket cgroupv2 level 1 "/" redirect to :18169; }; }\n`;

/**
 * Whether the rules of a backend can tell sockets by their cgroup on this kernel: without that a rule set with `hostNetwork` would not load
 * at all. Changes nothing. `problem` says what is in the way; undefined also where this process may not find out. It never rejects.
 */
export async function probeHostNetwork(
  run: RunCommand,
  { backend, program }: Pick<BackendChoice, "backend" | "program">,
): Promise<{ readonly problem: string | undefined }> {
  return { problem: backend === "nftables" ? await nftProblem(run) : await iptablesProblem(run, program) };
}

async function nftProblem(run: RunCommand): Promise<string | undefined> {
  const tried = await run("nft", ["--check", "-f", "-"], PROBE_TABLE);
  if (tried.exitCode === 0 || isDenied(tried)) return undefined;
  const [line = ""] = tried.stderr.split("\n").filter((said) => said.includes("Error"));
  return `nft cannot tell sockets by their cgroup here: ${line.replace(/^.*Error: /, "").trim() || "it did not say why"}`;
}

/** The help of a match lists the options that both the program and the kernel know. Asking registers no table, as a listing would. */
async function iptablesProblem(run: RunCommand, program: string): Promise<string | undefined> {
  const asked = await Promise.all([program, program.replace(/^iptables/, "ip6tables")].map((one) => run(one, ["-m", "cgroup", "-h"])));
  const lacking = asked.find((tried) => !isDenied(tried) && !tried.isMissing && !tried.stdout.includes("--path"));
  if (lacking === undefined) return undefined;
  const [said = ""] = lacking.stderr.split("\n");
  return `${program} cannot tell sockets by their cgroup here: ${said.trim() || "its match cgroup has no --path"}`;
}
