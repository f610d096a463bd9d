import { setImmediate } from "node:timers/promises";
import { type AssumedRole, type AssumeRoleRequest, type BaseCredentials, requestFor, type Sts } from "../../src/credentials/assume-role.ts";
import { ImdsgateError } from "../../src/errors.ts";
import type { ImdsgateEvent } from "../../src/events.ts";
import type { Grant } from "../../src/policy/decide.ts";
import type { HandMovedClock } from "../support/hand-moved-clock.ts";

export const MINUTE = 60_000;

export const BASE: BaseCredentials = {
  accessKeyId: "AKIAHOSTHOSTHOSTHOST",
  secretAccessKey: "hostSecretAccessKeyOfTheTests",
  sessionToken: "hostSessionTokenOfTheTests",
  expiresAt: undefined,
  source: "environment",
};

/** A grant for the role `app`, or one that differs in what is given. */
export function grantOf(over: Partial<Grant> & { readonly roleName?: string } = {}): Grant {
  const { roleName = "app", ...rest } = over;
  const role = { arn: `arn:aws:iam::111122223333:role/${roleName}`, partition: "aws", account: "111122223333", name: roleName };
  const plain = { externalId: undefined, sourceIdentity: undefined, tags: [], policy: undefined, policyArns: [], durationSeconds: 3600 };
  return { ...plain, role, sessionName: "web-9f2c4e5a6b7c", binding: `name:web=${roleName}`, ...rest };
}

/** What STS is asked for such a grant, or what differs from that. */
export function requestOf(over: Partial<AssumeRoleRequest> = {}): AssumeRoleRequest {
  return { ...requestFor(grantOf(), 3600), ...over };
}

/** Moves `clock` on by `ms` timer by timer, and lets everything that was waiting go on in between. */
export async function pass(clock: HandMovedClock, ms: number): Promise<void> {
  let leftMs = ms;
  for (;;) {
    await setImmediate();
    const stepMs = Math.min(leftMs, clock.untilNext() ?? leftMs);
    if (stepMs === leftMs && (clock.untilNext() ?? Number.POSITIVE_INFINITY) > leftMs) break;
    clock.advance(stepMs);
    leftMs -= stepMs;
  }
  clock.advance(leftMs);
  await setImmediate();
}

/** How the scripted STS meets one call: an error's code, what differs in a good answer, or `hang`. */
type StsTurn = "ok" | "hang" | ImdsgateError | Partial<AssumedRole>;

export interface ScriptedSts extends Sts {
  readonly calls: { readonly request: AssumeRoleRequest; readonly base: BaseCredentials; readonly region: string; readonly at: number }[];
  /** The turns of the next calls, in order; after them `always`. */
  readonly turns: StsTurn[];
  always: StsTurn;
}

/** An STS in memory that answers each call at once, by the script. Every key it makes is another. */
export function scriptedSts(clock: HandMovedClock): ScriptedSts {
  const calls: ScriptedSts["calls"] = [];
  const scripted: ScriptedSts = {
    calls,
    turns: [],
    always: "ok",
    async assumeRole(request, base, region, signal) {
      calls.push({ request, base, region, at: clock.now() });
      const turn = scripted.turns.shift() ?? scripted.always;
      if (turn instanceof ImdsgateError) throw turn;
      if (turn === "hang")
        return await new Promise<never>((_, reject) => signal.addEventListener("abort", () => reject(new Error("aborted"))));
      return { ...goodAnswer(request, calls.length, clock.now()), ...(turn === "ok" ? {} : turn) };
    },
    async callerArn() {
      return "arn:aws:sts::111122223333:assumed-role/host/i-0abc";
    },
  };
  return scripted;
}

function goodAnswer(request: AssumeRoleRequest, serial: number, now: number): AssumedRole {
  const [, , , , account = "", resource = ""] = request.roleArn.split(":");
  return {
    accessKeyId: `ASIA${`${serial}`.padStart(16, "0")}`,
    secretAccessKey: `secretAccessKeyOfTheTests${serial}`,
    sessionToken: `sessionTokenOfTheTests${serial}`,
    expiresAt: now + request.durationSeconds * 1_000,
    assumedRoleArn: `arn:aws:sts::${account}:assumed-role/${resource.slice(resource.lastIndexOf("/") + 1)}/${request.sessionName}`,
  };
}

export const THROTTLED = new ImdsgateError("STS_THROTTLED", "throttled");
export const DENIED = new ImdsgateError("STS_DENIED", "denied");
export const DOWN = new ImdsgateError("STS_UNAVAILABLE", "down");
export const BASE_REFUSED = new ImdsgateError("STS_BASE_REFUSED", "base refused");

/** The events of one kind, without the kind. */
export function eventsOf<K extends ImdsgateEvent["kind"]>(
  events: readonly ImdsgateEvent[],
  kind: K,
): Extract<ImdsgateEvent, { kind: K }>[] {
  return events.filter((event): event is Extract<ImdsgateEvent, { kind: K }> => event.kind === kind);
}
