import { onTestFinished } from "vitest";
import { createBaseCredentials } from "../../src/credentials/base-credentials.ts";
import type { OperatorCredentials } from "../../src/credentials/load-base-credentials.ts";
import type { ImdsgateEvent } from "../../src/events.ts";
import { handMovedClock } from "../support/hand-moved-clock.ts";
import { eventsOf, MINUTE } from "./scripted.ts";
import { documentOf, scriptedImds } from "./scripted-imds.ts";

export const ROOT = "/latest/meta-data/iam/security-credentials/";

interface BaseSetting {
  readonly operator?: OperatorCredentials;
  /** A timer that is set for longer is called then. */
  readonly longestTimerMs?: number;
}

/** Our own credentials on a scripted IMDS, whose role has keys for an hour until `serve` gives others. */
export function startBase({ operator = async () => undefined, longestTimerMs = Number.POSITIVE_INFINITY }: BaseSetting = {}) {
  const moved = handMovedClock();
  const clock = { ...moved, after: (ms: number, act: () => void) => moved.after(Math.min(ms, longestTimerMs), act) };
  const imds = scriptedImds();
  const serve = (lifeMinutes: number, serial: number) => {
    imds.items.set(ROOT, "host");
    imds.items.set(`${ROOT}host`, documentOf(serial, clock.now() + lifeMinutes * MINUTE));
  };
  serve(60, 1);
  const events: ImdsgateEvent[] = [];
  let asked = 0;
  const operatorCredentials: OperatorCredentials = (signal) => {
    asked += 1;
    return operator(signal);
  };
  const base = createBaseCredentials({ operatorCredentials, imds, clock, emit: (event) => events.push(event) });
  const running = (): (() => Promise<void>) => {
    const ending = new AbortController();
    const ended = base.run(ending.signal);
    const stop = () => {
      ending.abort();
      return ended;
    };
    onTestFinished(stop);
    return stop;
  };
  const troubles = () => eventsOf(events, "base-credentials-failing").map(({ message, leftMs }) => ({ message, leftMs }));
  return { clock, imds, events, base, serve, running, troubles, timesAsked: () => asked };
}
