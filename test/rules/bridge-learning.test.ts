import { expect, test } from "vitest";
import { listBridgesOf, listLearningAmong, resumeLinkLocalLearning } from "../../src/rules/bridge-learning.ts";
import { MISSING, scriptedRun } from "./scripted-run.ts";

const PORTS = "ip -j link show type bridge_slave";
const BRIDGES = "ip -j -d link show type bridge";
const link = (fields: object) => ({ stdout: JSON.stringify([{}, fields]) });

test("the bridges of many interfaces are read at once, those of one alone", async () => {
  const ports = [
    { ifname: "veth1", master: "br-a" },
    { ifname: "veth2", master: "br-a" },
    { ifname: "other", master: "br-z" },
  ];
  const { run, calls } = scriptedRun({
    [PORTS]: { stdout: JSON.stringify(ports) },
    "ip -j link show dev veth1": link({ ifname: "veth1", master: "br-a" }),
  });
  expect(await listBridgesOf(run, ["veth1", "veth2", "gone"])).toEqual(["br-a"]);
  expect(await listBridgesOf(run, ["veth1"])).toEqual(["br-a"]);
  expect(await listBridgesOf(run, [])).toEqual([]);
  expect(calls).toEqual([PORTS, "ip -j link show dev veth1"]);
});

test("an interface that is gone is of no bridge; an ip that fails is a failure", async () => {
  const gone = { exitCode: 1, stderr: 'Device "veth1" does not exist.\n' };
  expect(await listBridgesOf(scriptedRun({ "ip -j link show dev veth1": gone }).run, ["veth1"])).toEqual([]);
  await expect(listBridgesOf(scriptedRun({ "ip -j link show dev veth1": MISSING }).run, ["veth1"])).rejects.toMatchObject({
    code: "RULES_TOOL_MISSING",
  });
});

test("a bridge whose name rules cannot hold is refused", async () => {
  const { run } = scriptedRun({ "ip -j link show dev veth1": link({ ifname: "veth1", master: 'br"a' }) });
  await expect(listBridgesOf(run, ["veth1"])).rejects.toMatchObject({ code: "RULES_FAILED" });
});

test("a bridge learns unless its option says otherwise", async () => {
  const bridge = (ifname: string, info: object | undefined) => ({ ifname, linkinfo: { info_kind: "bridge", info_data: info } });
  const bridges = [
    bridge("br-a", { no_linklocal_learn: 0 }),
    bridge("br-b", { no_linklocal_learn: 1 }),
    bridge("br-c", {}),
    bridge("br-d", undefined),
  ];
  const { run } = scriptedRun({ [BRIDGES]: { stdout: JSON.stringify(bridges) } });
  expect(await listLearningAmong(run, ["br-a", "br-b", "br-c", "br-d", "br-gone"])).toEqual(["br-a", "br-c", "br-d"]);
});

test("a bridge that is gone needs nothing", async () => {
  const { run } = scriptedRun({ "ip link set dev br-a type bridge no_linklocal_learn 0": { exitCode: 1, stderr: "Cannot find device" } });
  await expect(resumeLinkLocalLearning(run, "br-a")).resolves.toBeUndefined();
});
