import { once } from "node:events";
import { createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { systemClock } from "../src/clock.ts";
import { SIM_INSTANCE_ARN } from "../src/sim/instance-facts.ts";
import { type RunningSts, startSts } from "../src/sim/sts.ts";
import type { Stage } from "./contenders.ts";
import type { LeasesCost } from "./credentials-leases.ts";
import { type DockerStub, startDockerStub } from "./docker-stub.ts";
import { compileCacheIn, type Imdsgate, NODE_FLAGS, startImdsgate } from "./imdsgate.ts";
import type { Lab } from "./lab.ts";
import type { Outcome } from "./load-client.ts";
import { PATH } from "./own-network.ts";
import { startProgram } from "./program.ts";
import { answerTo, stated } from "./stated-answers.ts";

/** How much is asked. */
export interface CredentialsPlan {
  readonly newContainers: number;
  readonly warmAnswers: number;
  readonly leases: number;
}

/** What new containers wait for their first credentials, and what that and the answers after it cost others. */
export interface FirstCredentials {
  /** Of each new container: asked the moment that it starts, and half a second later. */
  readonly atOnceMs: readonly number[];
  readonly prefetchedMs: readonly number[];
  /** Of the metadata service itself, asked as long after the last question as the prefetched ones are. */
  readonly directMs: readonly number[];
  /** Of questions at once of one new container, as many as it may ask. */
  readonly crowd: { readonly asked: number; readonly stsCalls: number; readonly failures: number };
  /** Of answers one after the other from a lease that is held. */
  readonly warm: { readonly asked: number; readonly stsCalls: number; readonly upstreamCalls: number; readonly failures: number };
  readonly failures: number;
}

export interface CredentialsCost {
  /** Undefined where this machine allows no container. */
  readonly first: FirstCredentials | undefined;
  readonly leases: LeasesCost;
}

export const STS_MS = 50;
/** As many connections as one container may have open, and all that nobody knows yet together (docs/contract.md, R4). */
export const CROWD = 64;
/** The mint of a prefetch is over by then; and the end of a container is known. */
const PREFETCHED_MS = 500;
const KNOWN_MS = 100;
/** The first containers of a daemon find code that has never run. */
const UNCOUNTED = 3;

/** Measures on a daemon of its own, before which stand an STS that takes 50 ms and a metadata service that counts, and on a process of many leases. */
export async function measureCredentials(stage: Stage, plan: CredentialsPlan): Promise<CredentialsCost> {
  const first = stage.lab.containers.length > 0 ? await measureFirst(stage, plan) : undefined;
  return { first, leases: await measureLeases(stage.directory, plan.leases) };
}

async function measureFirst({ lab, directory }: Stage, plan: CredentialsPlan): Promise<FirstCredentials> {
  await using owner = new AsyncDisposableStack();
  const upstream = await startCountedUpstream(lab.serverHost, owner);
  const sts = await startOwnSts(STS_MS, owner);
  const dockerSocket = `${directory}/first-credentials.sock`;
  const docker = await startDockerStub(dockerSocket, [lab.greedy], owner);
  const target = `http://${lab.serverHost}:${upstream.port}`;
  const imdsgate = await startImdsgate({ lab, directory, target, stsPort: sts.endpoint.port, dockerSocket }, owner);
  const askAt = ({ host, port }: Pick<Imdsgate, "host" | "port">, connections: number, count: number) =>
    lab.web.load({ host, port, ...stated("cached credentials"), connections, count });
  const ask = (connections: number, count: number) => askAt(imdsgate, connections, count);
  const sample = (waitMs: number) => askOfNewContainer(docker, lab, waitMs, () => ask(1, 1));

  for (let round = 0; round < UNCOUNTED; round += 1) await sample(0);
  const atOnce: Outcome[] = [];
  const prefetched: Outcome[] = [];
  const direct: Outcome[] = [];
  for (let round = 0; round < plan.newContainers; round += 1) {
    atOnce.push(await sample(0));
    prefetched.push(await sample(PREFETCHED_MS));
    await sleep(PREFETCHED_MS);
    direct.push(await askAt({ host: lab.askedHost, port: upstream.port }, 1, 1));
  }
  const beforeCrowd = sts.calls.length;
  const end = docker.start(lab.web);
  const crowd = await ask(CROWD, CROWD);
  const [beforeSts, beforeUpstream] = [sts.calls.length, upstream.calls()];
  const warm = await ask(1, plan.warmAnswers);
  const [stsCalls, upstreamCalls] = [sts.calls.length - beforeSts, upstream.calls() - beforeUpstream];
  end();
  return {
    atOnceMs: atOnce.map(({ p50Ms }) => p50Ms),
    prefetchedMs: prefetched.map(({ p50Ms }) => p50Ms),
    directMs: direct.map(({ p50Ms }) => p50Ms),
    crowd: { asked: CROWD, stsCalls: beforeSts - beforeCrowd, failures: crowd.failures },
    warm: { asked: plan.warmAnswers, stsCalls, upstreamCalls, failures: warm.failures },
    failures: [...atOnce, ...prefetched, ...direct].reduce((sum, { failures }) => sum + failures, 0),
  };
}

/** One question of a container that started `waitMs` ago, and that ends after it. All have one process and one address, one after the other. */
async function askOfNewContainer(docker: DockerStub, lab: Lab, waitMs: number, ask: () => Promise<Outcome>): Promise<Outcome> {
  const end = docker.start(lab.web);
  if (waitMs > 0) await sleep(waitMs);
  const outcome = await ask();
  end();
  await sleep(KNOWN_MS);
  return outcome;
}

/** The metadata service of the benchmark in this very process, so that its calls can be counted. */
async function startCountedUpstream(host: string, owner: AsyncDisposableStack) {
  let calls = 0;
  const server = createServer({ noDelay: true }, (socket) => {
    let received = "";
    socket.on("error", () => socket.destroy());
    socket.on("data", (bytes: Buffer) => {
      received += bytes.toString("latin1");
      if (!received.includes("\r\n\r\n")) return;
      calls += 1;
      socket.end(answerTo(received));
    });
  }).listen(0, host);
  await once(server, "listening");
  owner.defer(() => void server.close());
  const address = server.address();
  return { port: address !== null && typeof address === "object" ? address.port : 0, calls: () => calls };
}

/** The embedded STS, each of whose answers takes `delayMs`: its slow state, on a clock that runs the faster. */
async function startOwnSts(delayMs: number, owner: AsyncDisposableStack): Promise<RunningSts> {
  const clock = { now: systemClock.now, after: (ms: number, act: () => void) => systemClock.after((ms * delayMs) / 300, act) };
  const sts = await startSts({ listen: { host: "127.0.0.1", port: 0 }, clock, random: Math.random, baseCallerArn: SIM_INSTANCE_ARN });
  owner.defer(() => sts.close());
  if (delayMs > 0) sts.setState("slow300ms");
  return sts;
}

async function measureLeases(directory: string, count: number): Promise<LeasesCost> {
  await using owner = new AsyncDisposableStack();
  const sts = await startOwnSts(0, owner);
  const script = fileURLToPath(new URL("credentials-leases.ts", import.meta.url));
  const command = [process.execPath, ...NODE_FLAGS, script, `${sts.endpoint.port}`, `${count}`];
  const { lines } = await startProgram({ command, environment: { PATH, ...compileCacheIn(directory) } }, owner);
  const [line]: string[] = await Promise.race([once(lines, "line"), once(lines, "close").then(() => [])]);
  if (line === undefined) throw new Error("the process with many leases ended without a word");
  return JSON.parse(line);
}
