import { expect, test } from "vitest";
import { runTool } from "../../src/rules/tool.ts";
import { type Answer, MISSING, scriptedRun } from "./scripted-run.ts";

const FAILURES: readonly { title: string; answer: Answer; code: string; message: string }[] = [
  {
    title: "no such program",
    answer: MISSING,
    code: "RULES_TOOL_MISSING",
    message: 'There is no program "nft" on this host. Install the package "nftables", or choose the other tool with --rules.',
  },
  {
    title: "no privilege",
    answer: { exitCode: 1, stderr: "Operation not permitted (you must be root)\nnetlink: Error: cache initialization failed\n" },
    code: "RULES_NOT_PERMITTED",
    message:
      'nft may not touch the kernel\'s rules: "Operation not permitted (you must be root)". Start imdsgate with sudo, or give it the capability CAP_NET_ADMIN (iptables-legacy wants root).',
  },
  {
    title: "refused text",
    answer: { exitCode: 1, stderr: "\n# Warning: legacy tables present\n/dev/stdin:1:1-3: Error: syntax error\nadd tabel\n" },
    code: "RULES_FAILED",
    message:
      '"nft -f -" ended with 1: "/dev/stdin:1:1-3: Error: syntax error". Look at the text with "imdsgate rules show", or choose the other tool with --rules.',
  },
  {
    title: "a lock that somebody holds",
    answer: { exitCode: 4, stderr: "Another app is currently holding the xtables lock. Perhaps you want to use the -w option?\n" },
    code: "RULES_FAILED",
    message: 'Another program holds the lock of nft and does not let go of it. See which: "fuser -v /run/xtables.lock"; then try again.',
  },
  {
    title: "no end",
    answer: { exitCode: undefined },
    code: "RULES_FAILED",
    message:
      '"nft -f -" was stopped after 5 s: "it said nothing". Look at the text with "imdsgate rules show", or choose the other tool with --rules.',
  },
];

test.for(FAILURES)("a tool's failure is told with the next step: $title", async ({ answer, code, message }) => {
  const { run } = scriptedRun({ "nft -f -": answer });
  await expect(runTool(run, { program: "nft", args: ["-f", "-"], input: "add tabel" })).rejects.toMatchObject({ code, message });
});
