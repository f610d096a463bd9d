import { describe, expect, test } from "vitest";
import { listHostLinks, parseHostLinks } from "../../src/rules/host-links.ts";
import { MISSING, scriptedRun } from "./scripted-run.ts";

const LISTED = JSON.stringify([
  { ifname: "docker0", addr_info: [{ local: "172.17.0.1", prefixlen: 16 }, { local: "nonsense", prefixlen: 8 }, { local: "fd88::1" }] },
  { ifname: "veth1", link_index: 7, link_netnsid: 0, master: "docker0", addr_info: [] },
  { ifname: "veth2", link: "eth0", master: 3 },
  { ifname: "veth3", link_index: "7", link_netnsid: null, addr_info: "odd" },
  { ifindex: 4 },
  "odd",
]);
const NOTHING_ELSE = { peerIndex: undefined, peerNamespace: undefined, bridge: undefined, addresses: [] };
const LINKS = [
  { ...NOTHING_ELSE, name: "docker0", addresses: [{ address: "172.17.0.1", block: "172.17.0.1/16" }] },
  { ...NOTHING_ELSE, name: "veth1", peerIndex: 7, peerNamespace: 0, bridge: "docker0" },
  { ...NOTHING_ELSE, name: "veth2" },
  { ...NOTHING_ELSE, name: "veth3" },
];

test("the interfaces of a host are read as ip tells them, and what is odd is left out", () =>
  expect(parseHostLinks(LISTED)).toEqual(LINKS));

test("an IPv6 address has one spelling, however ip writes it", () => {
  const listed = JSON.stringify([{ ifname: "br-1", addr_info: [{ local: "FD88:0:0::1", prefixlen: 64 }] }]);
  expect(parseHostLinks(listed)).toEqual([{ ...NOTHING_ELSE, name: "br-1", addresses: [{ address: "fd88::1", block: "fd88::1/64" }] }]);
});

test.for(["", "[", "{}", "null", "3"])("the text %j names no interface", (text) => expect(parseHostLinks(text)).toEqual([]));

describe("this host's interfaces", () => {
  const LINE = "ip -j address show";

  test("are asked for with one call", async () => {
    const { run, calls } = scriptedRun({ [LINE]: { stdout: LISTED } });
    expect(await listHostLinks(run)).toEqual(LINKS);
    expect(calls).toEqual([LINE]);
  });

  test.for([
    { why: "there is no ip", answer: MISSING, code: "RULES_TOOL_MISSING" },
    // No interfaces would be: nobody has to be guarded.
    { why: "ip fails, whatever it printed before", answer: { exitCode: 1, stdout: LISTED }, code: "RULES_FAILED" },
  ])("are a failure where $why", async ({ answer, code }) => {
    await expect(listHostLinks(scriptedRun({ [LINE]: answer }).run)).rejects.toMatchObject({ code });
  });
});
