/**
 * What many leases cost, in a process that has loaded all that the daemon loads: `node credentials-leases.ts STS_PORT COUNT`. The real
 * leases, mint, STS client and log lines, one call of HTTP a mint; only time is not real: it passes second by second, as fast as the work
 * of each second is done. It says what came of it in one line on stdout.
 */
import "../src/daemon.ts";
import { performance } from "node:perf_hooks";
import { setImmediate, setTimeout as sleep } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import type { Clock } from "../src/clock.ts";
import type { Sts } from "../src/credentials/assume-role.ts";
import { Leases } from "../src/credentials/leases.ts";
import { createMint } from "../src/credentials/mint.ts";
import { createPrefetch } from "../src/credentials/prefetch.ts";
import { awsSts } from "../src/credentials/sts.ts";
import { createStsBudget } from "../src/credentials/sts-budget.ts";
import type { Workload } from "../src/identity/workload.ts";
import { createLogger } from "../src/observability/logger.ts";
import type { Grant } from "../src/policy/decide.ts";
import { memoryOf } from "./process-usage.ts";

/** Resident memory, and what V8's heap held of live objects. */
interface MemoryAt {
  readonly mib: number;
  readonly liveMib: number;
}

/** What so many leases cost: with all loaded and one lease made, with all leases held, and after the hour of their renewals. */
export interface LeasesCost {
  readonly leases: number;
  readonly empty: MemoryAt;
  readonly held: MemoryAt;
  readonly afterHour: MemoryAt;
  readonly peakMib: number;
  /** CPU time of the whole process over the hour, and the part of a core that it is. */
  readonly cpuMs: number;
  readonly coreShare: number;
  readonly calls: number;
  readonly failed: number;
  /** The most calls in one second of the hour. */
  readonly busiestSecond: number;
  /** How long the hour took. */
  readonly wallMs: number;
}

const HOUR_S = 3_600;
const SETTLE_MS = 2_000;
/** As many workloads appear in a second as STS is asked for at once in the long run. */
const ARRIVALS = 10;
const BASE = {
  accessKeyId: "AKIABENCHMARK0000000",
  secretAccessKey: "base",
  sessionToken: undefined,
  expiresAt: undefined,
  source: "bench",
};

interface Timer {
  readonly at: number;
  readonly act: () => void;
}

/** A clock that `step` moves to its next full second, calling what falls due on the way. */
function steppedClock(): Clock & { readonly step: () => void } {
  const bySecond = new Map<number, Set<Timer>>();
  let now = Date.now();
  const secondOf = (at: number) => Math.floor(at / 1_000);
  return {
    now: () => now,
    after(ms, act) {
      const timer = { at: now + Math.max(0, ms), act };
      const second = secondOf(timer.at);
      const due = bySecond.get(second) ?? new Set();
      bySecond.set(second, due.add(timer));
      return () => void due.delete(timer);
    },
    step() {
      const second = secondOf(now);
      const due = bySecond.get(second) ?? new Set();
      while (due.size > 0) {
        const next = [...due].reduce((one, other) => (other.at < one.at ? other : one));
        due.delete(next);
        now = Math.max(now, next.at);
        next.act();
      }
      bySecond.delete(second);
      now = (second + 1) * 1_000;
    },
  };
}

/** `sts`, counted, and its sessions as long in the clock's time as they are in its own. */
function countedSts(sts: Sts, clock: Clock) {
  const counts = { calls: 0, failed: 0, underWay: 0 };
  let tellIdle = () => {};
  const counted: Sts = {
    ...sts,
    async assumeRole(request, ...rest) {
      counts.calls += 1;
      counts.underWay += 1;
      try {
        return { ...(await sts.assumeRole(request, ...rest)), expiresAt: clock.now() + request.durationSeconds * 1_000 };
      } catch (error) {
        counts.failed += 1;
        throw error;
      } finally {
        counts.underWay -= 1;
        if (counts.underWay === 0) tellIdle();
      }
    },
  };
  /** Resolves when all calls have ended, and those that followed from them. */
  async function settle(): Promise<void> {
    await setImmediate();
    while (counts.underWay > 0) {
      await new Promise<void>((resolve) => {
        tellIdle = resolve;
      });
      await setImmediate();
    }
  }
  return { counted, counts, settle };
}

function grantOf(name: string): Grant {
  const role = { arn: "arn:aws:iam::111111111111:role/web-role", partition: "aws", account: "111111111111", name: "web-role" };
  const plain = { externalId: undefined, sourceIdentity: undefined, tags: [], policy: undefined, policyArns: [], durationSeconds: HOUR_S };
  return { ...plain, role, sessionName: name, binding: "name:web*=web-role" };
}

function workloadOf(index: number): Workload {
  const id = `${index}`.padStart(12, "0").padEnd(64, "a");
  return { kind: "container", name: `web-${id.slice(0, 12)}`, id, image: "bench", labels: {}, networks: [], addresses: ["198.18.0.10"] };
}

/** The resident memory is read before garbage is collected for the other figure. */
async function memoryNow(): Promise<MemoryAt> {
  await sleep(SETTLE_MS);
  const mib = memoryOf(process.pid).nowMib;
  setFlagsFromString("--expose-gc");
  runInNewContext("gc")();
  return { mib, liveMib: process.memoryUsage().heapUsed / 1_024 / 1_024 };
}

async function measure(port: number, count: number): Promise<LeasesCost> {
  const clock = steppedClock();
  const { counted, counts, settle } = countedSts(awsSts(`http://127.0.0.1:${port}`), clock);
  const emit = createLogger({ level: "info", format: "json", version: "bench", destination: { write() {} } });
  const base = { current: async () => BASE, renewed: async () => BASE };
  const hostFacts = () => ({ region: "eu-central-1", partition: "aws" as const, account: "111111111111" });
  const mint = createMint({ sts: counted, base, hostFacts, clock, emit });
  const leases = new Leases({ mint, budget: createStsBudget(clock), clock, random: Math.random, emit });
  const prefetch = createPrefetch({ clock, leases, decide: ({ name }) => ({ kind: "grant", grant: grantOf(name) }) });
  const ending = new AbortController();
  const running = leases.run(ending.signal);
  const pass = async () => {
    clock.step();
    await settle();
  };

  prefetch.seen(workloadOf(0));
  await settle();
  const empty = await memoryNow();
  for (let index = 1; index < count; index += 1) {
    prefetch.seen(workloadOf(index));
    if (index % ARRIVALS === 0) await pass();
  }
  await pass();
  const held = await memoryNow();

  const before = { ...counts };
  const beganAt = performance.now();
  const cpu = process.cpuUsage();
  let busiestSecond = 0;
  for (let second = 0; second < HOUR_S; second += 1) {
    const { calls } = counts;
    await pass();
    busiestSecond = Math.max(busiestSecond, counts.calls - calls);
  }
  const { user, system } = process.cpuUsage(cpu);
  const wallMs = performance.now() - beganAt;
  const { peakMib } = memoryOf(process.pid);
  const afterHour = await memoryNow();
  const cost = {
    leases: count,
    empty,
    held,
    afterHour,
    peakMib,
    cpuMs: (user + system) / 1_000,
    coreShare: (user + system) / 1_000_000 / HOUR_S,
    calls: counts.calls - before.calls,
    failed: counts.failed - before.failed,
    busiestSecond,
    wallMs,
  };
  prefetch.stop();
  ending.abort();
  await running;
  return cost;
}

const [, , port, count] = process.argv;
process.stdout.write(`${JSON.stringify({ event: "ready", listen: "none:0" })}\n`);
process.stdin.resume().on("end", () => process.exit(0));
process.stdout.write(`${JSON.stringify(await measure(Number(port), Number(count)))}\n`);
