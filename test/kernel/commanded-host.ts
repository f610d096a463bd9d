import { onTestFinished } from "vitest";
import { systemClock } from "../../src/clock.ts";
import { type RulesArguments, runRules } from "../../src/commands/rules.ts";
import type { CgroupTree } from "../../src/rules/cgroup-tree.ts";
import { startHostNamespace } from "./namespace.ts";

/** A tree of cgroups that holds nothing, and the same where only a part of it can be seen: nothing depends on what runs on this machine. */
export const EMPTY: CgroupTree = {
  version: "v2",
  isPart: false,
  isNested: false,
  idOf: () => undefined,
  children: () => [],
  pathOf: () => undefined,
  watch: () => undefined,
};
const NOT_SEEN: CgroupTree = { ...EMPTY, isPart: true };

/** A host with an uplink, and `imdsgate rules …` on it: exit code, stdout, stderr. */
export async function startCommandedHost(tree: CgroupTree = NOT_SEEN) {
  const host = await startHostNamespace();
  onTestFinished(() => host[Symbol.asyncDispose]());
  await host.sh("ip", ["-batch", "-"], "link add ens5 type veth peer name far\nlink set ens5 up\nroute add default dev ens5\n");
  const rules = async (action: RulesArguments["action"], flags: Readonly<Record<string, unknown>> = {}) => {
    const said = { out: "", err: "" };
    const io = {
      out: (text: string) => {
        said.out += text;
      },
      err: (text: string) => {
        said.err += text;
      },
      isTerminal: false,
      signal: new AbortController().signal,
      environment: {},
    };
    const exitCode = await runRules({ action, all: false, ...flags }, io, { run: host.run, clock: systemClock, tree });
    return { exitCode, ...said };
  };
  return { host, rules };
}
