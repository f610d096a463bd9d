import { ImdsgateError } from "../errors.ts";
import type { CommandResult, RunCommand } from "../run-command.ts";

/** A program that reads or changes the kernel's rules, and what it is fed. */
export interface ToolCall {
  readonly program: string;
  readonly args: readonly string[];
  readonly input?: string;
}

const LOCKED = /holding the xtables lock/i;
const DENIED = /operation not permitted|permission denied|must be root/i;

/** Runs a rules tool and gives its stdout. Throws RULES_TOOL_MISSING, RULES_NOT_PERMITTED or RULES_FAILED. */
export async function runTool(run: RunCommand, call: ToolCall): Promise<string> {
  const result = await run(call.program, call.args, call.input);
  if (result.exitCode === 0) return result.stdout;
  throw toolFailure(call, result);
}

/** Whether a tool ended because this process lacks CAP_NET_ADMIN. */
export function isDenied(result: CommandResult): boolean {
  return result.exitCode !== 0 && DENIED.test(result.stderr);
}

/** The Debian and Red Hat packages that bring `program`, in words. */
function packageHint(program: string): string {
  if (program.startsWith("nft")) return 'the package "nftables"';
  if (program.startsWith("ip6tables") || program.startsWith("iptables")) return 'the package "iptables"';
  return 'the package "iproute2" (Red Hat: "iproute")';
}

function toolFailure({ program, args }: ToolCall, result: CommandResult): ImdsgateError {
  if (result.isMissing) {
    return new ImdsgateError(
      "RULES_TOOL_MISSING",
      `There is no program "${program}" on this host. Install ${packageHint(program)}, or choose the other tool with --rules.`,
    );
  }
  const said = firstLine(result);
  if (isDenied(result)) {
    return new ImdsgateError(
      "RULES_NOT_PERMITTED",
      `${program} may not touch the kernel's rules: "${said}". Start imdsgate with sudo, or give it the capability CAP_NET_ADMIN (iptables-legacy wants root).`,
    );
  }
  if (LOCKED.test(result.stderr)) {
    return new ImdsgateError(
      "RULES_FAILED",
      `Another program holds the lock of ${program} and does not let go of it. See which: "fuser -v /run/xtables.lock"; then try again.`,
    );
  }
  const how = result.exitCode === undefined ? "was stopped after 5 s" : `ended with ${result.exitCode}`;
  return new ImdsgateError(
    "RULES_FAILED",
    `"${[program, ...args].join(" ")}" ${how}: "${said}". Look at the text with "imdsgate rules show", or choose the other tool with --rules.`,
  );
}

function firstLine({ stderr, stdout }: CommandResult): string {
  const lines = `${stderr}\n${stdout}`.split("\n").map((line) => line.trim());
  return lines.find((line) => line !== "" && !line.startsWith("#")) ?? "it said nothing";
}
