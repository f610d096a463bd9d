import { randomInt } from "node:crypto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { RunningImds } from "../../src/sim/imds.ts";
import { type ImdsTokens, randomTokens } from "../../src/sim/imds-tokens.ts";
import { SIM_INSTANCE_ROLE } from "../../src/sim/instance-facts.ts";
import { handMovedClock } from "../support/hand-moved-clock.ts";
import { type RawAnswer, rawRequest } from "../support/raw-request.ts";
import { testImds, testSts } from "../support/sims.ts";
import { startTestDaemon } from "../support/test-daemon.ts";
import { type RequestSketch, type Step, SURPLUS, sequences } from "./requests.ts";

/**
 * The same sequences of requests go to a metadata service and, through a gateway, to another one that is in the same state: same facts,
 * same clock, the same tokens given out in the same order. So nothing has to be masked in the answers, not even `Date` and tokens: they
 * are compared as bytes, and what the second service received is compared with what the first did. One thing is allowed for: a service
 * that resets every connection (`down`) shows through the gateway as a connection that is closed without an answer (R5).
 */
const FIXED_SEED = 20_261_124;
const RUNS = 300;
/** What the sequences of any seed meet. */
const COMMON = [200, 400, 401, 403, 404, 405];
/** What those of the fixed seed meet; 0 is a connection without an answer. */
const ALL = [0, ...COMMON, 417, 503];
const BASE = { accessKeyId: "AKIATEST", secretAccessKey: "base", sessionToken: undefined, expiresAt: undefined, source: "environment" };

const MODES = (["optional", "required"] as const).flatMap((tokenUse) =>
  ["with a role, as its host has one", "without a role, as its host"].map((container, k) => ({ tokenUse, container, hasRole: k === 0 })),
);

describe.for(MODES)("tokens $tokenUse, a container $container", ({ tokenUse, hasRole }) => {
  const seeds = [FIXED_SEED, Number(process.env["DIFFERENTIAL_SEED"] ?? randomInt(2 ** 31 - 1))];
  test.for(seeds)(
    `gets the service's own bytes for ${RUNS} sequences made from the seed %i (H3, H4, C9, M4, P6, T2, T6, T10)`,
    async (seed) => {
      const pair = await startPair(hasRole);
      const property = fc.asyncProperty(sequences, async (steps) => {
        pair.reset(tokenUse);
        await runSequence(steps, pair);
      });
      await fc.assert(property, { seed, numRuns: RUNS, endOnFailure: false });
      expect([...pair.statuses]).toEqual(expect.arrayContaining(seed === FIXED_SEED ? ALL : COMMON));
    },
  );
});

type Pair = Awaited<ReturnType<typeof startPair>>;

/** A metadata service, and one behind a gateway; `reset` puts both into the same first state. */
async function startPair(hasRole: boolean) {
  const clock = handMovedClock();
  const tokens = [renewableTokens(), renewableTokens()] as const;
  const role = hasRole ? { role: SIM_INSTANCE_ROLE } : {};
  const direct = await testImds({ clock, tokens: tokens[0], ...role });
  const behind = await testImds({ clock, tokens: tokens[1], ...role });
  const sts = await testSts({ clock });
  const flags = {
    upstream: `http://127.0.0.1:${behind.endpoint.port}`,
    "sts-endpoint": `http://127.0.0.1:${sts.endpoint.port}`,
    workload: ["web=127.0.0.1"],
    ...(hasRole ? { bind: ["name:web=web-role"] } : {}),
  };
  const daemon = await startTestDaemon(flags, { clock, operatorCredentials: async () => BASE });
  const statuses = new Set<number>();
  return {
    clock,
    direct,
    behind,
    services: [direct, behind],
    reset(tokenUse: "optional" | "required") {
      for (const one of tokens) one.renew();
      for (const imds of [direct, behind]) {
        imds.setState("ok");
        imds.setTokenUse(tokenUse);
        imds.forget();
      }
    },
    /** What comes back for `bytes`, directly and through the gateway. */
    async send(bytes: string) {
      const [fromService, fromGateway] = [await rawRequest(direct.endpoint, bytes), await rawRequest(daemon.endpoint, bytes)];
      statuses.add(Number(fromService.bytes.toString("latin1", 9, 12)));
      return { direct: textOf(fromService), through: textOf(fromGateway) };
    },
    statuses,
  };
}

async function runSequence(steps: readonly Step[], pair: Pair): Promise<void> {
  const tokens: string[] = [];
  for (const step of steps) {
    if (step.kind === "request") tokens.push(...(await compareAnswers(bytesOf(step.request, tokens), pair)));
    else changeBoth(step, pair);
  }
  const sent = arrivedAt(pair.direct).filter((request) => request !== SURPLUS);
  expect(arrivedAt(pair.behind)).toEqual(sent);
}

/** Compares what comes back for `bytes`, and gives the IMDS token in it, if there is one. */
async function compareAnswers(bytes: string, pair: Pair): Promise<readonly string[]> {
  const { direct, through } = await pair.send(bytes);
  expect(through.text).toBe(direct.text);
  if (direct.ending !== "reset") expect(through.ending).toBe("end");
  else expect(direct.text).toBe("");
  return direct.text.match(/AQAEA[\w-]+==$/) ?? [];
}

function changeBoth(step: Exclude<Step, { kind: "request" }>, { clock, services }: Pair): void {
  if (step.kind === "advance") clock.advance(step.seconds * 1_000);
  if (step.kind === "tokens") for (const imds of services) imds.setTokenUse(step.use);
  if (step.kind === "state") for (const imds of services) imds.setState(step.state);
}

function textOf({ bytes, ending }: RawAnswer): { readonly text: string; readonly ending: RawAnswer["ending"] } {
  return { text: bytes.toString("latin1"), ending };
}

/** The requests that reached a service, as bytes. */
function arrivedAt({ requests }: RunningImds): readonly string[] {
  return requests.map(({ head, body }) => `${head.toString("latin1")}${body.toString("latin1")}`);
}

function bytesOf({ method, target, version, lines, body, surplus }: RequestSketch, tokens: readonly string[]): string {
  const head = [`${method} ${target} HTTP/${version}`, ...lines]
    .join("\r\n")
    .replace(/\{(\d)\}/g, (_, k: string) => tokens[Number(k)] ?? "none");
  return `${head}\r\n\r\n${body}${surplus}`;
}

/** Random tokens that repeat from the first on after `renew`. */
function renewableTokens(): ImdsTokens & { renew(): void } {
  let tokens = randomTokens(createRandom());
  return {
    issue: (ttlSeconds, now) => tokens.issue(ttlSeconds, now),
    leftSeconds: (token, now) => tokens.leftSeconds(token, now),
    renew() {
      tokens = randomTokens(createRandom());
    },
  };
}

/** Numbers in [0, 1) that look spread out and are the same each time. */
function createRandom(): () => number {
  let state = 1;
  return () => {
    state = (state * 48_271) % 2_147_483_647;
    return state / 2_147_483_647;
  };
}
