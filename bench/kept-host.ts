import { setImmediate as afterIo, setTimeout as sleep } from "node:timers/promises";
import { type Config, parseConfig } from "../src/config/config.ts";
import type { ImdsgateEvent } from "../src/events.ts";
import { createHostRules, type HostRules } from "../src/host-rules.ts";
import type { Claimant } from "../src/identity/inventory.ts";
import { probeBridgeGuard } from "../src/rules/bridge-guard.ts";
import { createRules, removeAllRules } from "../src/rules/rules.ts";
import type { RunCommand } from "../src/run-command.ts";
import { createWorld, type World } from "../src/world.ts";
import type { Member } from "./crowd.ts";
import { stubId } from "./docker-stub.ts";

export type HostKind = "nftables" | "iptables";

/** A program that the rules or the guard ran. */
export interface Ran {
  readonly command: string;
  readonly ms: number;
}

/** All that imdsgate has in the kernel of this host, with every program that it ran. */
export interface KeptHost {
  readonly rules: () => HostRules;
  /** Whether a bridge guard can be had here: iptables-legacy needs a part of the kernel for it that not every one has. */
  readonly hasGuard: boolean;
  /** Of which the list is emptied by whoever measures. */
  readonly ran: Ran[];
  /** Puts the rules in and keeps them, with the guard or without. Before that, and after `end`, there is nothing of imdsgate's. */
  begin(what: "rules and guard" | "rules"): Promise<void>;
  end(): Promise<void>;
  /** Takes note of containers; resolves when the guard holds the last one, where there is one. */
  hold(members: readonly Member[]): Promise<void>;
  /** The same for nobody; resolves when the guard is empty. */
  holdNobody(): Promise<void>;
}

export const GATEWAY_PORT = 18_169;
/** What a host without nftables lacks. */
const NFT_PROGRAMS = /^(nft|(ip|ip6|eb|arp)tables(-nft)?(-save|-restore)?)$/;
const PATIENCE_MS = 30_000;
/** After a start the way of host-network containers is chosen, by programs of its own. */
const QUIET_MS = 700;

/** Looks at this host as the daemon does. `iptables` is a host that has iptables-legacy alone. */
export async function startKeptHost(kind: HostKind, owner: AsyncDisposableStack): Promise<KeptHost> {
  const config = configFor(kind, { "docker-socket": "/nowhere.sock" });
  const withoutContainers = configFor(kind, { runtime: "none" });
  const realWorld = createWorld(config);
  const { ran, run, whenRan } = watched(withoutNft(kind, realWorld.runCommand));
  const world: World = { ...realWorld, runCommand: run };
  const events: ImdsgateEvent[] = [];
  let current: { rules: HostRules; stop: () => Promise<void> } | undefined;

  async function begin(what: "rules and guard" | "rules"): Promise<void> {
    const rules = await createHostRules(what === "rules" ? withoutContainers : config, world, (event) => events.push(event));
    if (rules === undefined) throw new Error(`no rules on a host with ${kind}`);
    await rules.apply("closed", GATEWAY_PORT);
    await rules.apply("all", GATEWAY_PORT);
    const ending = new AbortController();
    const running = rules.run(ending.signal);
    const stop = async () => {
      ending.abort();
      await running;
    };
    current = { rules, stop };
    await sleep(QUIET_MS);
  }

  async function end(): Promise<void> {
    await current?.stop();
    current = undefined;
    await removeAllRules(run);
  }

  const rules = () => {
    if (current === undefined) throw new Error("the rules have ended");
    return current.rules;
  };
  async function hold(members: readonly Member[]): Promise<void> {
    const last = members.at(-1);
    rules().note(members.map(claimantOf(world)));
    if (last === undefined || !hasGuard) return;
    await whenRan(
      () => rules().heldSince(idOf(last), last.address) !== undefined,
      () => wordsOf(events),
    );
  }

  const { backend } = await createRules(run, kind, []);
  const hasGuard = "guard" in (await probeBridgeGuard(run, backend));
  owner.defer(end);
  await begin("rules and guard");
  return {
    rules,
    hasGuard,
    ran,
    begin,
    end,
    hold,
    async holdNobody() {
      await hold([]);
      await sleep(QUIET_MS);
    },
  };
}

function configFor(kind: HostKind, flags: Readonly<Record<string, string>>): Config {
  return parseConfig({ flags: { rules: kind, ...flags }, environment: {} });
}

function withoutNft(kind: HostKind, run: RunCommand): RunCommand {
  if (kind === "nftables") return run;
  const missing = { exitCode: undefined, stdout: "", stderr: "", isMissing: true };
  return async (program, args, input) => (NFT_PROGRAMS.test(program) ? missing : run(program, args, input));
}

/** `run` with a list of what it ran, and a way to wait for something that comes about by it. */
function watched(run: RunCommand) {
  const ran: Ran[] = [];
  const looks = new Set<() => void>();
  const watchedRun: RunCommand = async (program, args, input) => {
    const startedAt = performance.now();
    const result = await run(program, args, input);
    ran.push({ command: [program, ...args].join(" "), ms: performance.now() - startedAt });
    void afterIo().then(() => {
      for (const look of [...looks]) look();
    });
    return result;
  };
  async function whenRan(isSo: () => boolean, why: () => string): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const look = () => isSo() && resolve();
    looks.add(look);
    const patience = setTimeout(() => reject(new Error(`the guard did not come to hold: ${why()}`)), PATIENCE_MS);
    look();
    await promise.finally(() => {
      clearTimeout(patience);
      looks.delete(look);
    });
  }
  return { ran, run: watchedRun, whenRan };
}

function wordsOf(events: readonly ImdsgateEvent[]): string {
  return JSON.stringify(events.slice(-3));
}

function idOf({ name }: Member): string {
  return stubId(Number(name.split("-")[1]));
}

function claimantOf({ processTable }: World): (member: Member) => Claimant {
  return (member) => {
    const { name, pid, mac, addresses } = member;
    const workload = { kind: "container" as const, name, id: idOf(member), image: "bench", labels: {}, networks: ["crowd"], addresses };
    const startTime = String(processTable.startTime(pid));
    return { workload, pid, startTime, startedAt: "2026-11-24T02:00:00Z", namespace: { kind: "own" }, macs: [mac] };
  };
}
