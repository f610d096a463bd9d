import dns from "node:dns";
import { isIP } from "node:net";
import { setImmediate } from "node:timers/promises";
import tls from "node:tls";
import { expect, onTestFinished, vi } from "vitest";
import type { BaseCredentials } from "../../../src/credentials/assume-role.ts";
import { Leases } from "../../../src/credentials/leases.ts";
import { noBaseCredentials } from "../../../src/credentials/load-base-credentials.ts";
import { awsSts } from "../../../src/credentials/sts.ts";
import { type CertifiedKey, createAuthority, type TestAuthority } from "../../support/certificates.ts";
import { handMovedClock } from "../../support/hand-moved-clock.ts";
import { parseAnswer, rawRequest } from "../../support/raw-request.ts";
import { type StsQuestion, startScriptedSts } from "../../support/scripted-sts-server.ts";
import { testImds } from "../../support/sims.ts";
import { startTestDaemon } from "../../support/test-daemon.ts";
import { BASE, eventsOf, MINUTE } from "../scripted.ts";
import { configFile } from "./config-file.ts";
import type { Fault, Outcome, Trouble } from "./fault.ts";
import { callerTurn, keysTurn } from "./sts-texts.ts";

/** The name that STS has here. Only `lookUp` resolves it: no packet asks for it. */
const STS_HOST = "sts.imdsgate.test";
const WEB = { address: "127.0.0.1", role: "web-role" };
/** Its role has no fault. */
const OTHER = { address: "127.0.0.2", role: "other-role" };
/** The session of the other role is longer than every test, so that it is never renewed. */
const OTHER_BINDING = `{ match: "name:other", role: ${OTHER.role}, duration: 43200 }`;
/** All waits of imdsgate are this share of their longest. */
const JITTER = 0.5;
/** What is worth another try within a flight, after half of 100 and 200 ms (docs/contract.md, S9). */
const TRIED_AGAIN: readonly Outcome[] = ["throttled", "unavailable", "answer-bad"];

/** What a container got. */
export interface Got {
  readonly status: number;
  readonly body: string;
}

/**
 * The daemon before an embedded IMDS, with the real door to a scripted STS, over HTTP or, where the fault is one of TLS, over TLS. The
 * container `web` has the role with the fault, `other` one without. Both leases are being fetched, as soon as it runs.
 */
export async function startFaultScene(fault: Fault, { begins }: { readonly begins: "at once" | "later" }) {
  const clock = handMovedClock();
  const isTls = fault.trouble.kind === "certificate";
  const certificates = isTls ? makeCertificates() : undefined;
  let trouble: Trouble | undefined;
  let serial = 0;
  let nth = 0;
  const asked: StsQuestion[] = [];
  const answer = (question: StsQuestion) => {
    if (question.action === "GetCallerIdentity") return callerTurn();
    serial += 1;
    if (question.roleArn.endsWith(`/${OTHER.role}`)) return keysTurn(callOf(question));
    asked.push(question);
    nth += 1;
    return trouble?.kind === "answer" ? trouble.answer(callOf(question)) : keysTurn(callOf(question));
  };
  const callOf = (question: StsQuestion) => ({ question, nth, serial, now: clock.now() });
  const server = await startScriptedSts({ clock, answer, ...(certificates && { certificate: certificates.good }) });
  refuseAllNames(() => (trouble?.kind === "name" ? trouble.leadsTo : "127.0.0.1"));

  const setTrouble = (next: Trouble | undefined) => {
    trouble = next;
    nth = 0;
    if (certificates) server.show(next?.kind === "certificate" ? certificates[next.shown] : certificates.good);
  };
  if (begins === "at once") setTrouble(fault.trouble);

  const imds = await testImds({ clock });
  const begun: { readonly roleArn: string; readonly at: number }[] = [];
  const endpoint = `${isTls ? "https" : "http"}://${STS_HOST}:${server.port}`;
  const door = awsSts(endpoint);
  const world = {
    clock,
    random: () => JITTER,
    sts: {
      ...door,
      assumeRole: (...call: Parameters<typeof door.assumeRole>) => {
        begun.push({ roleArn: call[0].roleArn, at: clock.now() });
        return door.assumeRole(...call);
      },
    },
    operatorCredentials: async (): Promise<BaseCredentials> => {
      if (trouble?.kind === "base") throw noBaseCredentials("the test has taken them away");
      return { ...BASE, expiresAt: fault.trouble.kind === "base" ? clock.now() + 20 * MINUTE : undefined };
    },
  };
  const leaseFor = vi.spyOn(Leases.prototype, "leaseFor");
  onTestFinished(() => leaseFor.mockRestore());
  const { endpoint: gateway, events } = await startTestDaemon(
    {
      upstream: `http://127.0.0.1:${imds.endpoint.port}`,
      workload: [`web=${WEB.address}`, `other=${OTHER.address}`],
      config: configFile(["bind:", `  - name:web=${WEB.role}`, `  - ${OTHER_BINDING}`]),
      ...(fault.durationSeconds === undefined ? {} : { duration: `${fault.durationSeconds}` }),
    },
    world,
  );

  // Whoever still waits when a test fails gets an answer: without it the daemon would not end.
  onTestFinished(async () => {
    clock.advance(10_000);
    await setImmediate();
  });

  const toldOf = (role: string) => eventsOf(events, "sts-call").filter(({ roleArn }) => roleArn.endsWith(`/${role}`));
  const begunOf = (role: string) => begun.filter(({ roleArn }) => roleArn.endsWith(`/${role}`));
  const ask = async ({ address, role }: typeof WEB): Promise<Got> => {
    const request = `GET /latest/meta-data/iam/security-credentials/${role} HTTP/1.1\r\nHost: a\r\n\r\n`;
    const { status, body } = parseAnswer((await rawRequest(gateway, request, address)).bytes);
    return { status, body: body.toString("latin1") };
  };
  /** Waits for `outcomes`, call by call, and lets time pass where imdsgate waits for it. */
  const flight = async (outcomes: readonly Outcome[], takesMs: readonly number[] = [], from = toldOf(WEB.role).length) => {
    for (const [index, outcome] of outcomes.entries()) {
      const takes = takesMs[index] ?? 0;
      if (takes > 0) {
        await soon(() => expect(asked.length).toBeGreaterThan(from + index));
        await setImmediate();
        clock.advance(takes);
      }
      await soon(() => expect(toldOf(WEB.role).length).toBeGreaterThan(from + index));
      await setImmediate();
      if (index < outcomes.length - 1 && TRIED_AGAIN.includes(outcome)) clock.advance(JITTER * 100 * 2 ** index);
    }
    await setImmediate();
  };

  return {
    clock,
    flight,
    begin: () => setTrouble(fault.trouble),
    end: () => setTrouble(undefined),
    /** What `web` gets. */
    ask: () => ask(WEB),
    askOther: () => ask(OTHER),
    /** `web` asks, and by then imdsgate has looked at its lease. */
    async askAndWait() {
      const before = leaseFor.mock.calls.length;
      const got = ask(WEB);
      await soon(() => expect(leaseFor.mock.calls.length).toBeGreaterThan(before));
      return { got };
    },
    /** The outcomes of the calls for `web` so far. */
    outcomes: () => toldOf(WEB.role).map(({ outcome }) => outcome),
    otherOutcomes: () => toldOf(OTHER.role).map(({ outcome }) => outcome),
    /** When the calls for `web` began. */
    begun: () => begunOf(WEB.role).map(({ at }) => at),
    otherIsKnown: () => soon(() => expect(toldOf(OTHER.role)).toHaveLength(1)),
  };
}

export type FaultScene = Awaited<ReturnType<typeof startFaultScene>>;

/** Polls, for a few seconds of real time at most, until what the other side of a socket does has happened. */
function soon(expectation: () => void): Promise<void> {
  return vi.waitFor(expectation, { timeout: 10_000, interval: 1 });
}

/** From now on no name is resolved but that of STS, to what `leadsTo` says. */
function refuseAllNames(leadsTo: () => string): void {
  const lookUp = (host: string, ...rest: readonly unknown[]): void => {
    const options = rest.find((value) => typeof value === "object" && value !== null) ?? {};
    const callback = rest.find((value) => typeof value === "function");
    // To listen on an address is to look it up, too.
    const found = host === STS_HOST ? leadsTo() : isIP(host) === 0 ? "ENOTFOUND" : host;
    const error = isIP(found) !== 0 ? null : Object.assign(new Error(`getaddrinfo ${found} ${host}`), { code: found });
    const result = Reflect.get(options, "all") === true ? [[{ address: found, family: 4 }]] : [found, 4];
    process.nextTick(() => callback && Reflect.apply(callback, undefined, error ? [error] : [null, ...result]));
  };
  const spy = vi.spyOn(dns, "lookup").mockImplementation(lookUp as typeof dns.lookup);
  onTestFinished(() => spy.mockRestore());
}

/** Certificates of STS, of which the machine trusts the authority of all but one. */
function makeCertificates(): Readonly<Record<"good" | "expired" | "of another name" | "of an unknown authority", CertifiedKey>> {
  const trusted: TestAuthority = createAuthority("imdsgate test authority");
  const before = tls.getCACertificates("default");
  tls.setDefaultCACertificates([...before, trusted.cert]);
  onTestFinished(() => tls.setDefaultCACertificates(before));
  return {
    good: trusted.certify(STS_HOST),
    expired: trusted.certify(STS_HOST, new Date(Date.UTC(2021, 0, 1))),
    "of another name": trusted.certify("elsewhere.imdsgate.test"),
    "of an unknown authority": createAuthority("another authority").certify(STS_HOST),
  };
}
