import { onTestFinished } from "vitest";
import type { ImdsgateEvent } from "../../src/events.ts";
import { createIdentity, type IdentityParts } from "../../src/identity/attestor.ts";
import { NO_CGROUPS } from "../../src/identity/container-cgroups.ts";
import type { Source } from "../../src/identity/source.ts";
import { UNGUARDED } from "../../src/identity/source-guard.ts";
import type { Attestation, AttestManner, StaticWorkload } from "../../src/identity/workload.ts";
import type { FakeRuntime } from "./fake-runtime.ts";
import { handMovedClock } from "./hand-moved-clock.ts";

const LOOKUP_GAP_MS = 100;
const MOST_PAUSES = 4;

/** Lets everything happen that waits for no timer. */
export const flush = () => new Promise<void>((resolve) => setImmediate(resolve));

export const UNLISTED: Attestation = { kind: "unknown", reason: "unlisted" };
export const DOUBLED: Attestation = { kind: "unknown", reason: "doubled" };
export const SILENT: Attestation = { kind: "unknown", reason: "runtime-silent" };
export const STARTING: Attestation = { kind: "starting" };

/** A connection from `address`, as a redirect brings it to the gateway. */
export function from(address: string, port = 40_000): Source {
  return { address, port, local: { host: address.includes(":") ? "fd88::1" : "172.17.0.1", port: 18_169 }, acceptedAt: 0 };
}

/** What the identity room is given besides: no guard, no cgroups, and every workload has something of its own. */
export const PLAIN_IDENTITY: Pick<IdentityParts, "guard" | "socketCgroup" | "cgroups" | "isAlike"> = {
  guard: UNGUARDED,
  socketCgroup: async () => undefined,
  cgroups: NO_CGROUPS,
  isAlike: () => false,
};

/** The identity room on a fake runtime, with a clock that the test moves; it ends with the test. */
export function identityOn(fake: FakeRuntime, staticWorkloads: readonly StaticWorkload[] = [], given: Partial<typeof PLAIN_IDENTITY> = {}) {
  const clock = handMovedClock();
  const events: ImdsgateEvent[] = [];
  const { runtime, processTable } = fake;
  const identity = createIdentity({
    ...PLAIN_IDENTITY,
    ...given,
    runtime,
    processTable,
    clock,
    staticWorkloads,
    emit: (event) => void events.push(event),
  });
  const end = new AbortController();
  onTestFinished(() => end.abort());
  /** Moves the clock, and lets everything happen that falls due on the way. */
  async function pass(ms: number): Promise<void> {
    await flush();
    let left = ms;
    for (let next = clock.untilNext(); next !== undefined && next <= left; next = clock.untilNext()) {
      clock.advance(next);
      left -= next;
      await flush();
    }
    clock.advance(left);
    await flush();
  }
  /** What `work` gives; time passes only if it waits for the pauses that are kept between two questions to the runtime. */
  async function paced<T>(work: Promise<T>): Promise<T> {
    let isSettled = false;
    void work.finally(() => {
      isSettled = true;
    });
    await flush();
    for (let pauses = 0; !isSettled && pauses < MOST_PAUSES; pauses += 1) await pass(LOOKUP_GAP_MS);
    return work;
  }
  return {
    identity,
    clock,
    end,
    events,
    async run() {
      void identity.run(end.signal);
      await flush();
    },
    pass,
    paced,
    /** The name of who speaks from `address`, or why there is none. */
    async who(address: string, manner: AttestManner = "now") {
      return nameOf(await paced(identity.attest(from(address), manner)));
    },
    /** What is attested at once, without any time passing; undefined when it waits. */
    async settled(attesting: Promise<Attestation>) {
      let attestation: Attestation | undefined;
      void attesting.then((value) => {
        attestation = value;
      });
      await flush();
      return attestation && nameOf(attestation);
    },
    kinds: () => events.map(({ kind }) => kind),
  };
}

/** The workload's name, `starting`, or why there is none. */
export function nameOf(attestation: Attestation): string {
  if (attestation.kind === "known") return attestation.workload.name;
  return attestation.kind === "starting" ? "starting" : attestation.reason;
}
