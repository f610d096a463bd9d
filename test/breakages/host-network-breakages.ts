import type { Breakage } from "./breakage.ts";

const CLOSED = "README, security model 7";
const PACKETS = { rule: CLOSED, tests: ["test/kernel/host-network.test.ts"] };
const NFT = { ...PACKETS, file: "src/rules/nftables.ts", titled: "under nftables" };
const IPTABLES = { ...PACKETS, file: "src/rules/iptables.ts", titled: "under iptables-nft" };
const STANDING = { rule: CLOSED, file: "src/rules/standing-capture.ts", tests: ["test/rules/host-network-scripts.test.ts"] };
const PLAN = { rule: CLOSED, file: "src/rules/host-network.ts", tests: ["test/rules/host-network.test.ts"] };
const CGROUP_GUARD = { rule: CLOSED, file: "src/rules/cgroup-guard.ts", tests: ["test/kernel/cgroup-guard.test.ts"] };
const LOOK = { rule: CLOSED, file: "src/rules/host-network-look.ts", tests: ["test/rules/follow-cgroup-guard.test.ts"] };
const FOLLOWED = {
  rule: CLOSED,
  file: "src/rules/follow-host-network.ts",
  tests: ["test/rules/follow-host-network.test.ts", "test/rules/follow-cgroup-guard.test.ts"],
};
const LIVED = { rule: CLOSED, tests: ["test/host-network-rules.test.ts"] };
const SOCKET = { rule: "README, security model 1", file: "src/identity/socket-cgroup.ts", tests: ["test/identity/socket-cgroup.test.ts"] };

/** Containers with the host's network: who is caught, and whose socket it is. */
export const HOST_NETWORK_BREAKAGES: readonly Breakage[] = [
  {
    ...NFT,
    name: "nftables: host-network containers are not redirected",
    search: "{ match: ` tcp dport",
    replace: "{ match: ` udp dport",
  },
  {
    ...NFT,
    name: "nftables: what a host-network container sends elsewhere at IMDS passes",
    search: 'match: "", verdict: "drop"',
    replace: 'match: "", verdict: "accept"',
  },
  {
    ...NFT,
    name: "nftables: the gateway's own calls come back to it",
    search: " return`), ...rules(caught",
    replace: " continue`), ...rules(caught",
  },
  {
    ...IPTABLES,
    name: "iptables: host-network containers are not redirected",
    search: "target = { match: `-p tcp",
    replace: "target = { match: `-p udp",
  },
  {
    ...IPTABLES,
    name: "iptables: what a host-network container sends elsewhere at IMDS passes",
    search: 'match: "", target: "DROP"',
    replace: 'match: "", target: "ACCEPT"',
  },
  {
    ...IPTABLES,
    name: "iptables: the gateway's own calls come back to it",
    search: " -j RETURN`),\n    ...caught",
    replace: "`),\n    ...caught",
  },
  {
    ...IPTABLES,
    name: "iptables: the chain of a capture that ended goes on",
    search: "const stale = present.chains(name).filter((chain) => !chains.includes(chain));",
    replace: "const stale: string[] = [];",
  },
  {
    ...STANDING,
    name: "host-network: one dead container keeps all rules out",
    search: "capture: only(capture, (path) => ids.has(path))",
    replace: "capture",
  },
  {
    ...STANDING,
    name: "host-network: a rule for a cgroup that was made anew counts as standing",
    search: "(applied?.ids.get(path) ?? ids.get(path)) !== ids.get(path)",
    replace: "false",
  },
  {
    ...STANDING,
    name: "host-network: a cgroup of v1 is taken for one of the cgroup2 tree",
    search: "const id = listed.has(",
    replace: "const id = true || listed.has(",
  },
  {
    ...PLAN,
    name: "host-network: the gateway's exemption counts for other containers too",
    search: 'const isExempt = (path: string) => own !== "" && isWithin(path, own);',
    replace: "const isExempt = (_path: string) => false;",
  },
  {
    ...PLAN,
    name: "host-network: a cgroup that a container shares with the host counts as covered",
    search: "|| (alone.includes(path) && scopeOf(path) === undefined)",
    replace: "",
  },
  {
    ...PLAN,
    name: "host-network: any text may stand in the rules as a path",
    search: "const isSafe = ",
    replace: "const isSafe = true || ",
  },
  {
    ...CGROUP_GUARD,
    name: "cgroup guard: what is new right below the root passes",
    search: '...rules("socket cgroupv2 level 1 != @known counter drop"),',
    replace: "",
  },
  {
    ...CGROUP_GUARD,
    name: "cgroup guard: what is new further down passes",
    search: "!= @known counter drop`)),",
    replace: "!= @known counter accept`)),",
  },
  {
    ...CGROUP_GUARD,
    name: "cgroup guard: IPv6 is forgotten",
    search: "const rules = (text: string) => FAMILIES.map(",
    replace: "const rules = (text: string) => FAMILIES.slice(0, 1).map(",
  },
  {
    ...CGROUP_GUARD,
    name: "cgroup guard: it holds for ever, though nobody is there to learn of new services",
    search: '"    meta nfproto != @alive accept",',
    replace: "",
  },
  {
    ...LOOK,
    name: "cgroup guard: a container's cgroup becomes known",
    search: "below(tree, dir, (name) => !isContainerDir(name))",
    replace: "below(tree, dir, () => true)",
  },
  {
    ...LOOK,
    name: "cgroup guard: a place for containers becomes known before its rule is in",
    search: "others.filter((path) => !parents.includes(path))",
    replace: "others",
  },
  {
    ...LOOK,
    name: "cgroup guard: a part of the tree is taken for the whole",
    search: "guard === undefined || plan.capture === undefined ||",
    replace: "guard === undefined ||",
  },
  {
    ...LOOK,
    name: "cgroup guard: a place that comes between two looks is known and not shared",
    search: "const tree = snapshotOf(parts.tree);",
    replace: "const { tree } = parts;",
  },
  {
    ...FOLLOWED,
    name: "host-network: a container that comes just before its place is watched is overlooked",
    search: "isNewlyHeard ? lookNow() : first",
    replace: "isNewlyHeard ? first : first",
  },
  {
    ...FOLLOWED,
    name: "cgroup guard: a service that is started anew is known by its name alone",
    tests: ["test/rules/follow-cgroup-guard.test.ts"],
    search: "idOf(path)}`",
    replace: "path}`",
  },
  {
    ...FOLLOWED,
    name: "host-network: a container that the runtime never names has no rule",
    search: "const isNew = !hasPassed(at, NAMED_WITHIN_MS, now);",
    replace: "const isNew = last !== undefined;",
  },
  {
    ...LOOK,
    name: "host-network: a container is taken for one with a network of its own where no guard holds it",
    search: "return !isGuarded(dir) || !(isNew || parts.isElsewhere(name));",
    replace: "return !(isNew || parts.isElsewhere(name));",
  },
  {
    ...FOLLOWED,
    name: "cgroup guard: one that could not be put in counts as holding",
    search: "standing = await onGuard();",
    replace: 'standing = (await onGuard()) ?? { prefix: "", shared: [], known: [], ownContainer: undefined };',
  },
  {
    ...FOLLOWED,
    name: "cgroup guard: one that somebody took out counts as holding",
    search: "(due.isDue(guarded(seen)) || !isHolding)",
    replace: "due.isDue(guarded(seen))",
  },
  {
    ...FOLLOWED,
    name: "cgroup guard: what is there at the beginning counts as new",
    search: "last === undefined ? Number.NEGATIVE_INFINITY : ",
    replace: "last === undefined ? now : ",
  },
  {
    ...FOLLOWED,
    name: "cgroup guard: a place that only the runtime has shown is guarded late",
    search: "{ shared: set.shared, known: set.known }",
    replace: "{ known: [...set.shared, ...set.known] }",
  },
  {
    ...FOLLOWED,
    name: "host-network: the runtime's word is not heard",
    search: "containers().join() === known &&",
    replace: "",
  },
  {
    ...FOLLOWED,
    name: "host-network: a directory that cannot be watched is not looked at",
    search: "const isSettled = watchers.areWhole() &&",
    replace: "const isSettled =",
  },
  {
    ...FOLLOWED,
    name: "host-network: what went is never let go",
    search: "plans.isTold(planned(seen)) && guarding.isTold(seen)",
    replace: "guarding.isTold(seen)",
  },
  {
    ...LIVED,
    name: "cgroup guard: what it alone holds has no rule when the gateway ends",
    file: "src/host-network-rules.ts",
    search: "await capture(hostNetworkPlan(here)).catch(() => {});",
    replace: "",
  },
  {
    ...LIVED,
    name: "cgroup guard: a gateway that follows nobody is cut off by the one before",
    file: "src/host-network-rules.ts",
    search: ".remove()",
    replace: ".standing()",
  },
  {
    ...LIVED,
    name: "cgroup guard: it is not in before the first containers are",
    file: "src/host-rules.ts",
    search: "await hostNetwork.putCgroupGuard();",
    replace: "",
  },
  {
    ...LIVED,
    name: "cgroup guard: a failure of it keeps the rules out",
    file: "src/host-network-rules.ts",
    search: "failures.tell(error);\n          return undefined;",
    replace: "throw error;",
  },
  {
    ...LIVED,
    name: "cgroup guard: nobody puts it in again",
    file: "src/rules/follow-host-network.ts",
    search: "createDue(clock, GUARD_RENEWAL_MS)",
    replace: "createDue(clock, Number.POSITIVE_INFINITY)",
  },
  {
    ...LIVED,
    name: "cgroup guard: who flushed the rules has flushed it for good",
    file: "src/host-rules.ts",
    search: "void hostNetwork.putCgroupGuard()",
    replace: "{}",
  },
  {
    ...LIVED,
    name: "cgroup guard: it comes back after the rules were released",
    file: "src/rules/kept-rules.ts",
    search: "await onRelease();",
    replace: "void onRelease();",
  },
  {
    ...SOCKET,
    name: "socket cgroup: another connection from the same port counts",
    search: " && to.some((end) => isAt(peer, end))",
    replace: " && peer !== to.join()",
  },
  {
    ...SOCKET,
    name: "socket cgroup: the first of two that do not agree counts",
    search: " || places.some((other) => other !== place)",
    replace: "",
  },
];
