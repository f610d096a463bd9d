import { mkdirSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { type Stage, startUpstream } from "./contenders.ts";
import { type Member, startCrowd } from "./crowd.ts";
import { type DockerStub, startDockerStub } from "./docker-stub.ts";
import type { Question, RoomCost, Told } from "./identity-room.ts";
import { logPathIn, NODE_FLAGS, type Surroundings, startImdsgate, startSurroundings } from "./imdsgate.ts";
import { type Program, startProgram } from "./program.ts";
import { ask, nextLine } from "./talk.ts";

/** How much is measured. */
export interface IdentityPlan {
  /** Known containers, fewest first. */
  readonly counts: readonly number[];
  readonly attestations: number;
  /** Containers that come while the most are known. */
  readonly coming: number;
  /** Starts of the whole daemon with the most containers; one more fills the compile cache. */
  readonly starts: number;
}

/** The identity room with so many containers known. */
export interface RoomFindings extends RoomCost {
  readonly known: number;
  readonly asked: number;
  /** One attestation in the middle of those from the same ten containers, however many are known. */
  readonly tenP50Micros: number;
  /** From the beginning of its run to the end of the first list: on the clock, and of CPU time without Docker's. */
  readonly knownMs: number;
  readonly knownCpuMs: number;
  /** Of each container that came: from the line in Docker's stream to the inventory. */
  readonly eventMs: readonly number[];
}

/** What it costs to know who is there. */
export interface IdentityCost {
  readonly rooms: readonly RoomFindings[];
  /** Of the whole daemon, with the most containers: from the start of Node until it says that it knows them. */
  readonly startsMs: readonly number[];
}

const ROOM = fileURLToPath(new URL("identity-room.ts", import.meta.url));
const BETWEEN_EVENTS_MS = 30;
const TEN = 10;
const KNOWN_TRIES = 400;
const KNOWN_STEP_MS = 25;

/** Measures with a crowd of containers on bridges of this network; `tell` hears what is under way. */
export async function measureIdentity({ lab, directory }: Stage, plan: IdentityPlan, tell: (text: string) => void): Promise<IdentityCost> {
  await using owner = new AsyncDisposableStack();
  const upstream = await startUpstream({ lab, directory, owner });
  const surroundings = await startSurroundings(lab, directory, `http://${lab.serverHost}:${upstream.port}`, owner);
  const most = Math.max(...plan.counts);
  tell(`identity: ${most} containers`);
  const crowd = await startCrowd(most + plan.coming, owner);
  const rooms: RoomFindings[] = [];
  for (const count of plan.counts) {
    tell(`identity: ${count} known`);
    rooms.push(await measureRoom(directory, crowd, count, plan));
  }
  tell("identity: starts");
  return { rooms, startsMs: await measureKnown(surroundings, crowd.slice(0, most), plan.starts) };
}

async function measureRoom(directory: string, crowd: readonly Member[], count: number, plan: IdentityPlan): Promise<RoomFindings> {
  await using owner = new AsyncDisposableStack();
  const socketPath = `${directory}/crowd-${count}.sock`;
  const known = crowd.slice(0, count);
  const docker = await startDockerStub(socketPath, known, owner);
  const program = await startProgram({ command: [process.execPath, ...NODE_FLAGS, "--expose-gc", ROOM, socketPath] }, owner);
  const told = await nextLine<Told>(program);
  if (told.told !== "known" || told.workloads !== count) throw new Error(`of ${count} containers came ${JSON.stringify(told)}`);
  const addresses = known.map(({ address }) => address);
  const cost = await ask<RoomCost>(program, { addresses, calls: plan.attestations } satisfies Question);
  const ten = await ask<RoomCost>(program, { addresses: addresses.slice(0, TEN), calls: plan.attestations } satisfies Question);
  const isMost = count === Math.max(...plan.counts);
  const eventMs = isMost ? await measureEvents(program, docker, crowd.slice(count)) : [];
  const { attestP50Micros: tenP50Micros } = ten;
  return { ...cost, known: count, asked: plan.attestations, tenP50Micros, knownMs: told.ms, knownCpuMs: told.cpuMs, eventMs };
}

async function measureEvents(program: Program, docker: DockerStub, coming: readonly Member[]): Promise<readonly number[]> {
  const waits: number[] = [];
  for (const member of coming) {
    const seen = nextLine<Told>(program);
    const saidAt = process.hrtime.bigint();
    docker.start(member);
    const told = await seen;
    if (told.told !== "seen" || told.name !== member.name) throw new Error(`${member.name} came, and the room saw ${JSON.stringify(told)}`);
    waits.push(Number(BigInt(told.atNanos) - saidAt) / 1_000_000);
    await sleep(BETWEEN_EVENTS_MS);
  }
  return waits;
}

/** The first start fills the compile cache and is not counted. */
async function measureKnown(surroundings: Surroundings, crowd: readonly Member[], starts: number): Promise<readonly number[]> {
  await using owner = new AsyncDisposableStack();
  const directory = `${surroundings.directory}/crowd`;
  mkdirSync(directory);
  const dockerSocket = `${directory}/docker.sock`;
  await startDockerStub(dockerSocket, crowd, owner);
  const times: number[] = [];
  for (let start = 0; start <= starts; start += 1) {
    times.push(await timeToKnow({ ...surroundings, directory, dockerSocket }, crowd.length, start));
  }
  return times.slice(1);
}

async function timeToKnow(surroundings: Surroundings, count: number, before: number): Promise<number> {
  await using owner = new AsyncDisposableStack();
  const startedAt = Date.now();
  await startImdsgate(surroundings, owner);
  for (let attempt = 0; attempt < KNOWN_TRIES; attempt += 1) {
    const said = connectedLines(surroundings.directory)[before];
    if (said !== undefined) {
      if (said.workloads !== count) throw new Error(`the daemon knows ${said.workloads} of ${count} containers`);
      return said.at - startedAt;
    }
    await sleep(KNOWN_STEP_MS);
  }
  throw new Error(`the daemon did not get to know ${count} containers`);
}

/** When the daemons that wrote this log said that they know the containers, and how many. */
function connectedLines(directory: string): readonly { readonly at: number; readonly workloads: number }[] {
  return readFileSync(logPathIn(directory), "utf8")
    .split("\n")
    .flatMap((line) => {
      const [, time, workloads] = /"time":"([^"]+)".* is listed: (\d+) containers"/.exec(line) ?? [];
      return time === undefined ? [] : [{ at: Date.parse(time), workloads: Number(workloads) }];
    });
}
