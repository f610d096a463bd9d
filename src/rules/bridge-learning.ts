import { type Fields, isFields } from "../fields.ts";
import type { RunCommand } from "../run-command.ts";
import { refuseUnlikelyInterface } from "./bridge-guard-set.ts";
import { runTool } from "./tool.ts";

/**
 * A bridge learns the sender also of frames to 01:80:c2:00:00:0x, which no rule of its family gets to see: one of them, with the victim's
 * MAC, brings the victim's answers to the wrong port. `no_linklocal_learn` (kernel 5.0) ends that, and changes nothing else.
 */
const OPTION = "no_linklocal_learn";

/** The bridges that `interfaces` are ports of; an interface that is gone is of none. Throws RULES_TOOL_MISSING or RULES_FAILED. */
export async function listBridgesOf(run: RunCommand, interfaces: readonly string[]): Promise<readonly string[]> {
  if (interfaces.length === 0) return [];
  const [first = ""] = interfaces;
  const which = interfaces.length === 1 ? ["dev", first] : ["type", "bridge_slave"];
  const wanted = new Set(interfaces);
  const ports = (await listLinks(run, ["-j", "link", "show", ...which])).filter((port) => wanted.has(String(port["ifname"])));
  const bridges = new Set(ports.flatMap(({ ["master"]: master }) => (typeof master === "string" ? [master] : [])));
  for (const bridge of bridges) refuseUnlikelyInterface(bridge);
  return [...bridges];
}

/** Those of `names` that are there and learn so. Throws like `listBridgesOf`. */
export async function listLearningAmong(run: RunCommand, names: readonly string[]): Promise<readonly string[]> {
  if (names.length === 0) return [];
  const bridges = await listLinks(run, ["-j", "-d", "link", "show", "type", "bridge"]);
  const learning = new Set(bridges.filter(learnsFromLinkLocal).map((bridge) => bridge["ifname"]));
  return names.filter((name) => learning.has(name));
}

/** Throws RULES_TOOL_MISSING, RULES_NOT_PERMITTED or RULES_FAILED. */
export async function endLinkLocalLearning(run: RunCommand, bridge: string): Promise<void> {
  await runTool(run, { program: "ip", args: ["link", "set", "dev", bridge, "type", "bridge", OPTION, "1"] });
}

/** Lets a bridge learn again as it did before; one that is gone needs nothing. It never throws. */
export async function resumeLinkLocalLearning(run: RunCommand, bridge: string): Promise<void> {
  await run("ip", ["link", "set", "dev", bridge, "type", "bridge", OPTION, "0"]);
}

async function listLinks(run: RunCommand, args: readonly string[]): Promise<readonly Fields[]> {
  const text = await runTool(
    async (program, given) => {
      const result = await run(program, given);
      return result.stderr.includes("does not exist") ? { ...result, exitCode: 0, stdout: "" } : result;
    },
    { program: "ip", args },
  );
  const links: unknown = text.trim() === "" ? [] : JSON.parse(text);
  return Array.isArray(links) ? links.filter(isFields) : [];
}

function learnsFromLinkLocal(bridge: Fields): boolean {
  const info = isFields(bridge["linkinfo"]) ? bridge["linkinfo"]["info_data"] : undefined;
  // A kernel or an ip that does not know the option does not list it: then it is tried, and its failure told.
  return !isFields(info) || info[OPTION] !== 1;
}
