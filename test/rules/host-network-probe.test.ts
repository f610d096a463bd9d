import { expect, test } from "vitest";
import { probeHostNetwork } from "../../src/rules/host-network-probe.ts";
import { scriptedRun } from "./scripted-run.ts";

const NFT = { backend: "nftables", program: "nft" } as const;
const LEGACY = { backend: "iptables-legacy", program: "iptables" } as const;
const HELP = { stdout: "iptables v1.8.9\n\ncgroup match options:\n[!] --path path                 Recursively match path\n" };

test.for([
  { title: "a kernel that can", answer: {}, problem: undefined },
  {
    title: "a process that may not ask",
    answer: { exitCode: 1, stderr: "Operation not permitted (you must be root)\n" },
    problem: undefined,
  },
  {
    title: "a kernel without socket cgroupv2",
    answer: { exitCode: 1, stderr: "/dev/stdin:1:1-2: Error: Could not process rule: No such file or directory\ntable inet …\n" },
    problem: "nft cannot tell sockets by their cgroup here: Could not process rule: No such file or directory",
  },
  {
    title: "an nft that hangs",
    answer: { exitCode: undefined },
    problem: "nft cannot tell sockets by their cgroup here: it did not say why",
  },
])("nft is asked by a check that loads nothing: $title", async ({ answer, problem }) => {
  const { run, calls } = scriptedRun({ "nft --check -f -": answer });
  expect(await probeHostNetwork(run, NFT)).toEqual({ problem });
  expect(calls.length).toBe(1);
});

test.for([
  { title: "both can", answers: { "iptables -m cgroup -h": HELP, "ip6tables -m cgroup -h": HELP }, problem: undefined },
  {
    title: "a match of the first revision",
    answers: { "iptables -m cgroup -h": { stdout: "cgroup match options:\n[!] --cgroup classid\n" }, "ip6tables -m cgroup -h": HELP },
    problem: "iptables cannot tell sockets by their cgroup here: its match cgroup has no --path",
  },
  {
    title: "no such match",
    answers: {
      "iptables -m cgroup -h": HELP,
      "ip6tables -m cgroup -h": { exitCode: 2, stderr: "ip6tables: Couldn't load match `cgroup'\nTry\n" },
    },
    problem: "iptables cannot tell sockets by their cgroup here: ip6tables: Couldn't load match `cgroup'",
  },
  { title: "no IPv6 tool", answers: { "iptables -m cgroup -h": HELP }, problem: undefined },
])("iptables is asked for the help of the match: $title", async ({ answers, problem }) => {
  expect(await probeHostNetwork(scriptedRun(answers).run, LEGACY)).toEqual({ problem });
});
