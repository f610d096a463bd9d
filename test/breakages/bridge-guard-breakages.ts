import type { Breakage } from "./breakage.ts";

const RULE = "README, security model 2";
const FRAMES = { rule: RULE, tests: ["test/kernel/bridge-guard.test.ts"] };
const NFT = { ...FRAMES, file: "src/rules/nft-bridge-guard.ts" };
const HELD = { rule: RULE, file: "src/rules/bridge-guarding.ts", tests: ["test/rules/bridge-guarding.test.ts"] };
const KEPT = { rule: RULE, file: "src/rules/bridge-guard-keeper.ts", tests: ["test/rules/bridge-guard-keeper.test.ts"] };

/** What a container may say of itself on a bridge, and what the gateway may believe of that. */
export const BRIDGE_GUARD_BREAKAGES: readonly Breakage[] = [
  {
    ...NFT,
    name: "guard: a neighbour takes the MAC of another container",
    search: '  "ether saddr @macs iifname . ether saddr != @ports counter drop",\n',
    replace: "",
    titled: "guard of nft.*the attacker gains nothing by mac,",
  },
  {
    ...NFT,
    name: "guard: what stands behind two tags is not judged",
    search: "{ 8021q, 8021ad } counter drop",
    replace: "{ 8021q, 8021ad } counter accept",
    titled: "guard of nft.*the attacker gains nothing by arp-tagged-twice",
  },
  {
    ...NFT,
    name: "guard: ARP names another container",
    search: 'iifname . arp saddr ether . arp saddr ip != @endpoints4 counter drop"',
    replace: 'iifname . arp saddr ether . arp saddr ip != @endpoints4 counter accept"',
    titled: "guard of nft.*the attacker gains nothing by arp-request",
  },
  {
    ...NFT,
    name: "guard: a neighbour asks for others in another container's name",
    search: "ip6 saddr @addresses6 iifname . ether saddr . ip6 saddr != @endpoints6 counter drop`",
    replace: "ip6 saddr @addresses6 iifname . ether saddr . ip6 saddr != @endpoints6 counter accept`",
    titled: "guard of nft.*the attacker gains nothing by solicit",
  },
  {
    ...NFT,
    name: "guard: a neighbour advertises another container's address as its own",
    search: "nd-neighbor-advert @th,64,128 @targets6 iifname . ether saddr . @th,64,128 != @claims6 counter drop",
    replace: "nd-neighbor-advert @th,64,128 @targets6 iifname . ether saddr . @th,64,128 != @claims6 counter accept",
    titled: "guard of nft.*the attacker gains nothing by advert-own-source",
  },
  {
    ...NFT,
    name: "guard: a neighbour claims the address that another container is getting",
    search: "ip6 saddr :: @th,64,128 @targets6 iifname . ether saddr . @th,64,128 != @claims6 counter drop",
    replace: "ip6 saddr :: @th,64,128 @targets6 iifname . ether saddr . @th,64,128 != @claims6 counter accept",
    titled: "guard of nft.*a container that is getting its address",
  },
  {
    ...NFT,
    name: "guard: a container advertises itself as the way out",
    search: "{ nd-router-advert, nd-redirect } iifname @veths counter drop",
    replace: "{ nd-router-advert, nd-redirect } iifname @veths counter accept",
    titled: "guard of nft.*no container believes",
  },
  {
    ...NFT,
    name: "guard: a container asks from an address that is nobody's",
    search: "} iifname @veths counter drop`",
    replace: "} iifname @veths counter continue`",
    titled: "guard of nft.*the attacker gains nothing by nobodys-address4",
  },
  {
    ...NFT,
    name: "guard: a machine that is no container asks from a container's address",
    search: "} counter drop`",
    replace: "} counter accept`",
    titled: "guard of nft.*the machine gains nothing by address4",
  },
  {
    ...FRAMES,
    name: "guard: a bridge learns from frames that no rule sees",
    file: "src/rules/bridge-guard.ts",
    search: "    await tryEach(learning, (bridge) => endLinkLocalLearning(run, bridge));\n",
    replace: "",
    titled: "guard of nft.*the attacker gains nothing by group-mac",
  },
  {
    ...NFT,
    name: "guard: a guard that nobody keeps cuts off who has a dead container's address",
    search: '  "meta iiftype != @alive accept",\n',
    replace: "",
    titled: "guard of nft.*a guard that nobody keeps alive",
  },
  {
    ...HELD,
    name: "guard: nobody keeps it alive, and it is believed for ever",
    search: "!(await attempts.attempt(guard.keepAlive, signal))",
    replace: "!(await attempts.attempt(async () => {}, signal))",
    titled: "is kept alive each ten seconds",
  },
  {
    ...HELD,
    name: "guard: an address stays held although the kernel refused",
    search: "        forget();\n        failures.tell(error);",
    replace: "        failures.tell(error);",
    titled: "a kernel that refuses holds nothing",
  },
  {
    ...HELD,
    name: "guard: an address stays held although its veth is gone",
    search: 'line.startsWith("Deleted ") && onGone()',
    replace: 'line.startsWith("Deleted ")',
    titled: "whose veth is gone is held no more",
  },
  {
    ...KEPT,
    name: "guard: what somebody changes in it is not looked for",
    search: "look: bridgeGuarding.differences,",
    replace: "look: async () => [],",
    titled: "is back and told within half a minute",
  },
  {
    ...KEPT,
    name: "guard: that all of it is gone is not heard at once",
    search: "/^delete table bridge imdsgate\\b/",
    replace: "/^delete table inet imdsgate\\b/",
    titled: "nft tells at once",
  },
  {
    name: "guard: where ip fails nobody has to be guarded",
    rule: RULE,
    file: "src/rules/host-links.ts",
    search: 'return parseHostLinks(await runTool(run, { program: "ip", args: ["-j", "address", "show"] }));',
    replace: 'return parseHostLinks((await run("ip", ["-j", "address", "show"])).stdout);',
    tests: ["test/rules/host-links.test.ts"],
    titled: "are a failure where",
  },
];
