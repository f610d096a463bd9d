import { vi } from "vitest";
import type { Endpoint } from "../../src/address.ts";
import type { Clock } from "../../src/clock.ts";
import { parseConfig } from "../../src/config/config.ts";
import { createDaemon } from "../../src/daemon.ts";
import type { ImdsgateEvent } from "../../src/events.ts";
import { type RunningImds, type SeenRequest, startImds } from "../../src/sim/imds.ts";
import { fixedTokens } from "../../src/sim/imds-tokens.ts";
import { type RunningSts, startSts } from "../../src/sim/sts.ts";
import { createWorld } from "../../src/world.ts";
import { type HandMovedClock, handMovedClock } from "../support/hand-moved-clock.ts";
import { fieldOf, type RawAnswer, rawRequest } from "../support/raw-request.ts";
import { type CaseContext, type ConformanceCase, FIXTURES, requestText } from "./conformance-cases.ts";
import type { Observed } from "./expectations.ts";

/** What a gateway of the cases stands between. */
export interface Sims {
  readonly imds: RunningImds;
  readonly sts: RunningSts;
}

const LOOPBACK = { host: "127.0.0.1", port: 0 };
const BASE_CALLER_ARN = "arn:aws:iam::111111111111:user/imdsgate";
const LEASE_SECONDS = 3600;
const CONTEXT_FIELDS: Readonly<Record<keyof CaseContext, true>> = {
  container: true,
  imdsTokens: true,
  imdsState: true,
  stsState: true,
  cache: true,
  policy: true,
  config: true,
  parallel: true,
  setup: true,
};

/** Starts the metadata service that can be fooled, and an STS with the keys of the fixtures. */
export async function startSims(clock: Clock, stack: AsyncDisposableStack): Promise<Sims> {
  const { VALID, VALID2, remainingTtl } = FIXTURES.tokens;
  const imds = await startImds({
    listen: LOOPBACK,
    clock,
    behaviour: "victim",
    facts: FIXTURES.upstream,
    tokens: fixedTokens([VALID, VALID2], remainingTtl),
  });
  stack.use(imds);
  const scripted = new Map(
    Object.values(FIXTURES.containers).flatMap(({ role, credentials }) => {
      if (!role || !credentials) return [];
      const { AccessKeyId, SecretAccessKey, SessionToken } = credentials;
      return [[role.arn, { accessKeyId: AccessKeyId, secretAccessKey: SecretAccessKey, sessionToken: SessionToken }] as const];
    }),
  );
  const sts = await startSts({ listen: LOOPBACK, clock, random: () => 0.5, baseCallerArn: BASE_CALLER_ARN, scripted, hasFraction: true });
  stack.use(sts);
  return { imds, sts };
}

/** The flags of `imdsgate run` for these sims, the containers as static workloads. */
export function runFlags({ imds, sts }: Sims, context?: CaseContext): Readonly<Record<string, string | readonly string[]>> {
  const { app, odd, none } = FIXTURES.containers;
  return {
    bind: [`name:app=${app.role?.arn}`, `name:odd=${odd.role?.arn}`],
    workload: [`app=${app.sourceAddress}`, `odd=${odd.sourceAddress}`, `none=${none.sourceAddress}`],
    listen: ["127.0.0.1:0"],
    upstream: `http://127.0.0.1:${imds.endpoint.port}`,
    "sts-endpoint": `http://127.0.0.1:${sts.endpoint.port}`,
    account: "111111111111",
    region: "eu-central-1",
    rules: "none",
    runtime: "none",
    "deny-path": context?.policy?.deny ?? [],
    duration: String(context?.config?.durationSeconds ?? LEASE_SECONDS),
  };
}

/** Runs one case against a daemon of its own, over real sockets and with time that is moved by hand. Gives one observation for each parallel request. */
export async function runCase(conformanceCase: ConformanceCase): Promise<readonly Observed[]> {
  const { context } = conformanceCase;
  const unknown = Object.keys(context).filter((field) => !(field in CONTEXT_FIELDS));
  if (unknown.length > 0) throw new Error(`the runner does not know the context ${unknown.join(", ")}`);
  await using stack = new AsyncDisposableStack();
  const clock = handMovedClock();
  const sims = await startSims(clock, stack);
  if (context.cache === "cold") sims.sts.setState(context.stsState);
  const gateway = await startGateway(sims, context, { clock, stack });

  if (context.cache !== "cold") {
    await prefetched(sims);
    await prepareCache(gateway, { context, clock });
  }
  sims.imds.setTokenUse(context.imdsTokens);
  sims.imds.setState(context.imdsState ?? "ok");
  for (const request of context.setup ?? []) await settled(clock, rawRequest(gateway, requestText(request), sourceOf(context)));
  sims.imds.forget();
  if (context.cache !== "cold") sims.sts.forget();
  sims.sts.setState(context.stsState);

  return await observe(conformanceCase, sims, { clock, send: (bytes) => rawRequest(gateway, bytes, sourceOf(context)) });
}

async function startGateway(
  sims: Sims,
  context: CaseContext,
  run: { clock: HandMovedClock; stack: AsyncDisposableStack },
): Promise<Endpoint> {
  const config = parseConfig({ flags: runFlags(sims, context), environment: {} });
  const base = {
    accessKeyId: "AKIAFIXTUREBASE00000",
    secretAccessKey: "base",
    sessionToken: undefined,
    expiresAt: undefined,
    source: "environment",
  };
  const world = { ...createWorld(config), clock: run.clock, operatorCredentials: async () => base };
  const bugs: ImdsgateEvent[] = [];
  const emit = (event: ImdsgateEvent) => void (event.kind === "bug" && bugs.push(event));
  const daemon = createDaemon(config, world, emit, "0.0.0");
  run.stack.defer(() => {
    if (bugs.length > 0) throw new Error(`the daemon told of a bug: ${JSON.stringify(bugs)}`);
  });
  run.stack.defer(() => settled(run.clock, daemon.stop("the case is over")));
  await settled(run.clock, daemon.start());
  const [listening] = daemon.listening();
  if (!listening) throw new Error("the daemon listens nowhere");
  return listening;
}

/** Fills the container's lease by asking for it, and lets it grow as old as the case wants it. Without a wish it is warm. */
async function prepareCache(gateway: Endpoint, { context, clock }: { context: CaseContext; clock: HandMovedClock }): Promise<void> {
  const { role } = FIXTURES.containers[context.container];
  if (!role) return;
  const lines = [
    `GET /latest/meta-data/iam/security-credentials/${role.name} HTTP/1.1`,
    "Host: a",
    `X-aws-ec2-metadata-token: ${FIXTURES.tokens.VALID2}`,
  ];
  const answer = await settled(clock, rawRequest(gateway, `${lines.join("\r\n")}\r\n\r\n`, sourceOf(context)));
  if (!answer.bytes.includes("ASIA")) throw new Error(`the cache could not be made warm: ${answer.bytes.toString("latin1")}`);
  const ages: Partial<Record<NonNullable<CaseContext["cache"]>, number>> = { left20m: LEASE_SECONDS - 1200, expired: LEASE_SECONDS + 1 };
  clock.leap((ages[context.cache ?? "warm"] ?? 0) * 1000);
}

/** Sends the case's request as often as it says and observes what that led to. */
export async function observe(
  { request, context }: ConformanceCase,
  { imds, sts }: Sims,
  { clock, send }: { clock: Clock & Partial<HandMovedClock>; send: (bytes: string) => Promise<RawAnswer> },
): Promise<readonly Observed[]> {
  const sentAt = clock.now();
  const sending = Array.from({ length: context.parallel ?? 1 }, async () => {
    const answer = await send(requestText(request));
    return { answer, millis: clock.now() - sentAt };
  });
  const answers = await settled(clock, Promise.all(sending));
  const { role } = FIXTURES.containers[context.container];
  const stsCalls = sts.calls.filter(({ parameters }) => context.cache !== "cold" || parameters["RoleArn"] === role?.arn).length;
  const seen = imds.requests.filter((request) => !isSelfCheck(request));
  return answers.map((one) => ({ ...one, seen, stsCalls, now: clock.now() }));
}

/** The one question that the daemon asks upstream of its own accord when it starts: no part of a case. */
function isSelfCheck({ target, fields }: SeenRequest): boolean {
  return target === "/latest/meta-data/instance-id" && fieldOf({ fields }, "User-Agent").some((name) => /^imdsgate\/[0-9a-f]+$/.test(name));
}

/** Waits until the daemon has asked for every role once, as it does when it starts: those calls are not the case's. */
export async function prefetched({ sts }: Sims): Promise<void> {
  const rolesAsked = () => new Set(sts.calls.map(({ parameters }) => parameters["RoleArn"])).size;
  await vi.waitUntil(() => rolesAsked() === 2, { timeout: 8_000, interval: 2 });
}

/** The address that the case's container speaks from. */
export function sourceOf(context: CaseContext): string {
  return FIXTURES.containers[context.container].sourceAddress;
}

const QUIET_MS = 400;
const STEP_MS = 50;

/** What `work` gives. Only when nothing came of it for a while does time begin to move, in small steps, so that what waits for time goes on. */
async function settled<T>(clock: Clock & Partial<HandMovedClock>, work: Promise<T>): Promise<T> {
  let timer = setTimeout(function move() {
    clock.advance?.(STEP_MS);
    timer = setTimeout(move, 5);
  }, QUIET_MS);
  try {
    return await work;
  } finally {
    clearTimeout(timer);
  }
}
