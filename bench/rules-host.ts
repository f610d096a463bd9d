/**
 * A container host in a network of its own: `node rules-host.ts nftables|iptables CONTAINERS`. It measures what the rules and the guard take
 * on it, prints that, keeps them, and then measures what it is asked for, one line of stdin at a time. It ends with its stdin.
 */
import { createInterface } from "node:readline";
import { startCrowd } from "./crowd.ts";
import { type ForeignPlan, measureForeign } from "./foreign-traffic.ts";
import { type HostKind, startKeptHost } from "./kept-host.ts";
import { measureChanges } from "./rules-changes.ts";

/** Containers that come one by one after the others. */
const COMING = 15;

const [kind = "nftables", count = "10"] = process.argv.slice(2);

async function main(): Promise<void> {
  await using owner = new AsyncDisposableStack();
  const crowd = await startCrowd(Number(count) + COMING, owner);
  const host = await startKeptHost(kind === "iptables" ? "iptables" : ("nftables" satisfies HostKind), owner);
  say({ event: "ready", listen: "none:0" });
  say(await measureChanges(host, crowd.slice(0, Number(count)), crowd.slice(Number(count))));
  for await (const line of createInterface({ input: process.stdin })) {
    const plan: ForeignPlan = JSON.parse(line);
    say(await measureForeign(host, crowd, plan));
  }
}

function say(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value)}\n`);
}

await main();
process.exit(0);
