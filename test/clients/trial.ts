import { setTimeout as delay } from "node:timers/promises";
import type { ProgramEnd } from "../support/docker-host/running-program.ts";
import type { Client } from "./clients.ts";
import type { Playing, Stage } from "./stage.ts";

/** What came of one client's trial. A verdict is `ok`, or says what went wrong. */
export interface Trial {
  readonly version: string;
  readonly optional: string;
  readonly required: string;
  /** Empty for a client that takes no credentials. */
  readonly expiry: string;
  /** Medians in milliseconds; undefined where there is nothing to measure. */
  readonly directMs: number | undefined;
  readonly throughMs: number | undefined;
}

/** One use of credentials: who STS says the client is, and its access key id; of a client that takes none, the instance profile. */
interface Use {
  readonly profile?: string;
  readonly arn?: string;
  readonly key?: string;
  readonly error?: string;
}

/** The verdict on what a client cannot do without imdsgate either. */
const FAILS_ANYWAY = "fails without imdsgate too";

const USES_LIMIT_MS = 90_000;
const TIMES = 15;
/** Twenty seconds: a life of twelve ends in it. */
const USES_OVER_EXPIRY = 11;
const GAP_SECONDS = 2;
/** Ten minutes a step: two hours, so the leases of two end in it. */
const MOVED_STEP_SECONDS = 600;
const MOVED_STEPS = 12;
/** More than a client comes to. */
const MOVED_USES = 500;
const MOVED_WAITS = 150;
const WAIT_MS = 100;
const TIMER = ["/usr/bin/curl", "-s", "http://169.254.169.254/latest/meta-data/iam/security-credentials/app-role"];

/** The verdicts on a client alone. */
export function verdictsOf(trial: Trial | undefined): Pick<Trial, "optional" | "required" | "expiry"> {
  const { optional = "", required = "", expiry = "" } = trial ?? {};
  return { optional, required, expiry };
}

/** The verdicts that a client has to come to. */
export function expectedOf({ hasNoTokens = false, expiry }: Client): Pick<Trial, "optional" | "required" | "expiry"> {
  return { optional: "ok", required: hasNoTokens ? FAILS_ANYWAY : "ok", expiry: expiry === "none" ? "" : "ok" };
}

/** Takes every client through all: its role with tokens optional and required, the time it takes, and the end of its credentials. */
export async function tryClients(stage: Stage, clients: readonly Client[], onProgress: (text: string) => void = () => {}) {
  const optional = await each(stage, clients, "optional", onProgress);
  const required = await each(stage, clients, "required", onProgress);
  const expiry = await overExpiry(stage, clients, onProgress);
  const trials = new Map<string, Trial>();
  for (const { name } of clients) {
    const { version = "", directMs, throughMs, verdict = "" } = optional.get(name) ?? {};
    const trial = {
      version,
      optional: verdict,
      required: required.get(name)?.verdict ?? "",
      expiry: expiry.get(name) ?? "",
      directMs,
      throughMs,
    };
    trials.set(name, trial);
  }
  return trials;
}

interface First {
  readonly version: string;
  readonly verdict: string;
  readonly directMs: number | undefined;
  readonly throughMs: number | undefined;
}

async function each(stage: Stage, clients: readonly Client[], tokens: "optional" | "required", onProgress: (text: string) => void) {
  await using playing = await stage.play({ tokens, life: "hour" });
  const found = new Map<string, First>();
  for (const client of clients) {
    const verdict = await firstVerdict(stage, playing, client);
    onProgress(`${client.name}, tokens ${tokens}: ${verdict}`);
    const isTimed = tokens === "optional" && verdict === "ok";
    const throughMs = isTimed ? await medianMs(playing, client, "container") : undefined;
    const directMs = isTimed ? await medianMs(playing, client, "host") : undefined;
    found.set(client.name, { version: tokens === "optional" ? await versionOf(playing, client) : "", verdict, directMs, throughMs });
  }
  return found;
}

async function overExpiry(stage: Stage, clients: readonly Client[], onProgress: (text: string) => void) {
  const verdicts = new Map<string, string>();
  for (const expiry of ["short lease", "moved clock"] as const) {
    const concerned = clients.filter((client) => client.expiry === expiry);
    if (concerned.length === 0) continue;
    const found = expiry === "short lease" ? await overShortLease(stage, concerned) : await overMovedClock(stage, concerned);
    for (const [name, verdict] of found) {
      verdicts.set(name, verdict);
      onProgress(`${name}, over an expiry: ${verdict}`);
    }
  }
  return verdicts;
}

/** All clients at once, since each of them waits for the most part. */
async function overShortLease(stage: Stage, clients: readonly Client[]): Promise<ReadonlyMap<string, string>> {
  await using playing = await stage.play({ tokens: "optional", life: "short" });
  const uses = ["use", String(USES_OVER_EXPIRY), String(GAP_SECONDS)];
  const verdictOf = async (client: Client) => [client.name, expiryVerdict(stage, await usesOf(playing, client, uses))] as const;
  return new Map(await Promise.all(clients.map(verdictOf)));
}

/** All clients at once, and the clocks moved on whenever each of them has used its credentials. */
async function overMovedClock(stage: Stage, clients: readonly Client[]): Promise<ReadonlyMap<string, string>> {
  await using playing = await stage.play({ tokens: "optional", life: "moved" });
  const uses = ["use", String(MOVED_USES), String(GAP_SECONDS)];
  const running = clients.map((client) => ({
    client,
    program: playing.start("container", [...client.command, ...uses], client.env ?? {}),
  }));
  const usesSoFar = (): readonly number[] => running.map(({ program }) => linesOf(program.stdout()).length);
  for (let step = 1; step <= MOVED_STEPS; step += 1) {
    const before = usesSoFar();
    for (let waits = 0; waits < MOVED_WAITS && usesSoFar().some((count, index) => count === before[index]); waits += 1)
      await delay(WAIT_MS);
    playing.moveClock(step * MOVED_STEP_SECONDS);
    // imdsgate renews by timers, which do not move with the clock: a request does it in their place
    await playing.start("container", TIMER, {}).ended();
  }
  return new Map(running.map(({ client, program }) => [client.name, expiryVerdict(stage, linesOf(program.stdout()))]));
}

/** A client that cannot do it without imdsgate either is no fault of ours. */
async function firstVerdict(stage: Stage, playing: Playing, client: Client): Promise<string> {
  const once = ["use", "1", "0"];
  const verdict = roleVerdict(stage, await usesOf(playing, client, once));
  if (verdict === "ok") return verdict;
  const [directly] = await usesOf(playing, client, once, "host");
  return directly?.error === undefined ? verdict : FAILS_ANYWAY;
}

function roleVerdict({ arn, profile }: Stage, uses: readonly Use[]): string {
  const failed = uses.find((use) => use.error !== undefined);
  if (failed) return failed.error ?? "";
  const other = uses.find((use) => use.profile !== profile && (use.arn !== arn || !use.key?.startsWith("ASIA")));
  return uses.length === 0 ? "it told nothing" : other === undefined ? "ok" : `it is ${other.arn ?? other.profile}`;
}

function expiryVerdict(stage: Stage, uses: readonly Use[]): string {
  const verdict = roleVerdict(stage, uses);
  const keys = new Set(uses.map(({ key }) => key));
  return verdict !== "ok" || keys.size > 1 ? verdict : "it had one key all the time";
}

async function usesOf(
  playing: Playing,
  client: Client,
  args: readonly string[],
  from: "container" | "host" = "container",
): Promise<readonly Use[]> {
  const { code, stdout, stderr } = await endOf(playing, client, args, from);
  if (code !== 0) return [{ error: `exit code ${code}: ${stderr.trim().split("\n").at(-1)}` }];
  return linesOf(stdout);
}

async function medianMs(playing: Playing, client: Client, from: "container" | "host"): Promise<number | undefined> {
  const times = ["time", String(client.times ?? TIMES)];
  const { code, stdout } = await endOf(playing, client, times, from);
  const measured = linesOf(stdout).flatMap((line) => ("ms" in line ? [Number(line.ms)] : []));
  return code === 0 ? measured.toSorted((one, other) => one - other)[Math.floor(measured.length / 2)] : undefined;
}

async function versionOf(playing: Playing, client: Client): Promise<string> {
  return (await endOf(playing, client, ["version"], "host")).stdout.trim();
}

/** How a client ended; as failed, with its reason, when it did not in time. */
async function endOf(playing: Playing, client: Client, args: readonly string[], from: "container" | "host"): Promise<ProgramEnd> {
  const program = playing.start(from, [...client.command, ...args], client.env ?? {});
  return program.ended(USES_LIMIT_MS).catch(() => ({ code: undefined, stdout: program.stdout(), stderr: "it takes too long" }));
}

function linesOf(stdout: string) {
  return stdout
    .split("\n")
    .filter((line) => /^\{.*\}$/.test(line))
    .map((line): Use & { readonly ms?: number } => JSON.parse(line));
}
