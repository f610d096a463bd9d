import { expect, test } from "vitest";
import type { BackendName } from "../../src/rules/backend.ts";
import { ruleChanges } from "../../src/rules/rule-changes.ts";
import type { FollowCommand } from "../../src/run-command.ts";
import { handMovedClock } from "../support/hand-moved-clock.ts";

/** A watch whose `nft monitor` says what the test says, and ends when it says so. */
function startWatch(backend: BackendName) {
  const clock = handMovedClock();
  const ending = new AbortController();
  const started: string[] = [];
  let say = (_: string) => {};
  let die = () => {};
  const follow: FollowCommand = (program, args, onLine, signal) => {
    started.push([program, ...args.filter((arg) => !arg.includes("\n"))].join(" "));
    say = onLine;
    return new Promise((resolve) => {
      die = resolve;
      signal.addEventListener("abort", () => resolve(), { once: true });
    });
  };
  let changes = 0;
  const watching = ruleChanges(
    { name: backend, program: backend === "nftables" ? "nft" : backend },
    follow,
    clock,
  )(() => {
    changes += 1;
  }, ending.signal);
  const changesBy = async (act: () => void) => {
    const before = changes;
    act();
    for (let turn = 0; turn < 10; turn++) await Promise.resolve();
    return changes - before;
  };
  return { clock, started, changesBy, say: (line: string) => say(line), die: () => die(), end: () => ending.abort(), watching };
}

test.for<{ backend: BackendName; line: string; counts: boolean }>([
  { backend: "nftables", line: "delete table inet imdsgate", counts: true },
  { backend: "nftables", line: "delete rule inet imdsgate-closed forward handle 3", counts: true },
  { backend: "nftables", line: "add rule inet imdsgate forward counter packets 0 bytes 0", counts: true },
  { backend: "nftables", line: "add table inet imdsgate-released", counts: true },
  { backend: "nftables", line: "add table inet imdsgatelike", counts: false },
  { backend: "nftables", line: "delete table inet imdsgate-cgroups", counts: false },
  { backend: "nftables", line: "delete rule ip nat PREROUTING handle 6", counts: false },
  { backend: "nftables", line: "# new generation 8 by process 24924 (iptables-nft)", counts: false },
  { backend: "nftables", line: "# ERROR: We lost some netlink events!", counts: true },
  { backend: "iptables-nft", line: "# ERROR: We lost some netlink events!", counts: true },
  { backend: "iptables-nft", line: "delete rule ip nat PREROUTING handle 6", counts: true },
  { backend: "iptables-nft", line: "insert rule ip6 mangle FORWARD counter packets 0 bytes 0 accept", counts: true },
  { backend: "iptables-nft", line: "delete rule ip nat IMDSGATE-PRE handle 2", counts: true },
  { backend: "iptables-nft", line: "delete table ip nat", counts: true },
  { backend: "iptables-nft", line: "add chain ip mangle IMDSGATE_RELEASED", counts: true },
  { backend: "iptables-nft", line: "add rule ip nat DOCKER iifname docker0 return", counts: false },
])("$backend: whether it counts: $line", async ({ backend, line, counts }) => {
  const watch = startWatch(backend);
  expect(await watch.changesBy(() => watch.say(line))).toBe(counts ? 1 : 0);
});

test("what changed before the monitor listened is looked for", async () => {
  const watch = startWatch("nftables");
  expect(watch.started).toEqual(["nft monitor"]);
  expect(await watch.changesBy(() => watch.clock.advance(250))).toBe(1);
  expect(await watch.changesBy(() => watch.clock.advance(60_000))).toBe(0);
});

test("a monitor that dies is started anew after half a second, with a look at either end", async () => {
  const watch = startWatch("nftables");
  await watch.changesBy(() => watch.clock.advance(250));
  expect(await watch.changesBy(watch.die)).toBe(1);
  expect(await watch.changesBy(() => watch.clock.advance(500))).toBe(0);
  expect(watch.started).toEqual(["nft monitor", "nft monitor"]);
  expect(await watch.changesBy(() => watch.clock.advance(250))).toBe(1);
});

test("iptables-legacy tells nothing, so a shell looks, and says when it differs", async () => {
  const watch = startWatch("iptables-legacy");
  expect(watch.started).toEqual(["sh -c sh iptables-legacy-save ip6tables-legacy-save"]);
  expect(await watch.changesBy(() => watch.say("changed"))).toBe(1);
});

test("where that shell does not stay alive, its restarts come to the same as polling", async () => {
  const watch = startWatch("iptables-legacy");
  for (let k = 1; k < 4; k++) {
    expect(await watch.changesBy(watch.die)).toBe(1);
    expect(await watch.changesBy(() => watch.clock.advance(500))).toBe(0);
    expect(watch.started).toHaveLength(k + 1);
  }
});

test.for<BackendName>(["nftables", "iptables-nft", "iptables-legacy"])("%s: it ends when it is told to", async (backend) => {
  const watch = startWatch(backend);
  watch.end();
  await watch.watching;
  expect(watch.clock.untilNext()).toBe(undefined);
});
