import { describe, expect, test } from "vitest";
import { inheritedDescriptors, REPLACED, tellServiceManager, watchdogIntervalMs } from "../src/service-manager.ts";
import { scriptedRun } from "./rules/scripted-run.ts";
import { handMovedClock } from "./support/hand-moved-clock.ts";

const PID = 4711;
const NOTIFY = { NOTIFY_SOCKET: "/run/systemd/notify" };
const READY = "systemd-notify READY=1 STATUS=[::]:18169";
const SUCCEEDING = "systemd-notify MAINPID=4711 READY=1 STATUS=[::]:18169";
const ALIVE = "systemd-notify WATCHDOG=1";
const STOPPING = "systemd-notify STOPPING=1";

/** All that is waiting for nothing but other promises has gone on. */
const settled = () => new Promise((resolve) => setImmediate(resolve));

function startTelling(environment: Readonly<Record<string, string>>, { isThere = true, isSuccessor = false } = {}) {
  const clock = handMovedClock();
  const { run, calls } = scriptedRun(isThere ? { [READY]: {}, [SUCCEEDING]: {}, [ALIVE]: {}, [STOPPING]: {} } : {});
  const failures: string[] = [];
  const stop = new AbortController();
  const onFailure = (message: string) => void failures.push(message);
  const telling = tellServiceManager({ environment, pid: PID, runCommand: run, clock, onFailure, isSuccessor }, "[::]:18169", stop.signal);
  const ended = telling.then((told) => told.ended);
  const isKnown = telling.then((told) => told.isKnown);
  return { clock, calls, failures, stop, ended, isKnown };
}

describe("a service manager that asked for it", () => {
  test("is told that the gateway is ready, and that it stops", async () => {
    const { calls, failures, stop, ended } = startTelling(NOTIFY);
    await settled();
    expect(calls).toEqual([READY]);
    stop.abort();
    await ended;
    expect({ calls, failures }).toEqual({ calls: [READY, STOPPING], failures: [] });
  });

  test("is told that it lives, three times in the span of its watchdog, until it stops", async () => {
    const { clock, calls, stop, ended } = startTelling({ ...NOTIFY, WATCHDOG_USEC: "30000000", WATCHDOG_PID: String(PID) });
    await settled();
    for (let count = 0; count < 2; count += 1) {
      expect(clock.untilNext()).toBe(10_000);
      clock.advance(10_000);
      await settled();
    }
    stop.abort();
    await ended;
    expect(calls).toEqual([READY, ALIVE, ALIVE, ALIVE, STOPPING]);
    expect(clock.untilNext()).toBe(undefined);
  });

  test("and cannot be told is one warning, not one for each word", async () => {
    const { failures, stop, ended, isKnown } = startTelling({ ...NOTIFY, WATCHDOG_USEC: "30000000" }, { isThere: false });
    expect(await isKnown).toBe(false);
    stop.abort();
    await ended;
    expect(failures).toEqual(["systemd was not told READY=1: there is no systemd-notify on this host"]);
  });
});

test("a service manager is told with READY=1 that this is the main process now", async () => {
  const { calls, stop, ended, isKnown } = startTelling(NOTIFY, { isSuccessor: true });
  expect(await isKnown).toBe(true);
  stop.abort();
  await ended;
  expect(calls).toEqual([SUCCEEDING, STOPPING]);
});

test("a service manager is told nothing of the end of a process that another has replaced", async () => {
  const { calls, stop, ended, isKnown } = startTelling(NOTIFY);
  await isKnown;
  stop.abort(REPLACED);
  await ended;
  expect(calls).toEqual([READY]);
});

test("without NOTIFY_SOCKET nobody is told anything", async () => {
  const { calls, ended, isKnown } = startTelling({ WATCHDOG_USEC: "30000000" });
  await ended;
  expect({ calls, isKnown: await isKnown }).toEqual({ calls: [], isKnown: false });
});

test.for([
  { name: "in microseconds", environment: { WATCHDOG_USEC: "3000000", WATCHDOG_PID: "4711" }, interval: 1_000 },
  { name: "for whoever it is", environment: { WATCHDOG_USEC: "3000000" }, interval: 1_000 },
  { name: "of another process", environment: { WATCHDOG_USEC: "3000000", WATCHDOG_PID: "1" }, interval: undefined },
  { name: "that is none", environment: {}, interval: undefined },
  { name: "that is no number", environment: { WATCHDOG_USEC: "soon" }, interval: undefined },
])("a watchdog $name", ({ environment, interval }) => expect(watchdogIntervalMs(environment, PID)).toBe(interval));

test.for([
  { name: "this process's", environment: { LISTEN_FDS: "2", LISTEN_PID: "4711" }, descriptors: [3, 4] },
  { name: "another's", environment: { LISTEN_FDS: "2", LISTEN_PID: "1" }, descriptors: [] },
  { name: "nobody's", environment: { LISTEN_FDS: "2" }, descriptors: [] },
  { name: "no number of them", environment: { LISTEN_FDS: "-1", LISTEN_PID: "4711" }, descriptors: [] },
  { name: "none", environment: {}, descriptors: [] },
])("sockets that were left: $name", ({ environment, descriptors }) => expect(inheritedDescriptors(environment, PID)).toEqual(descriptors));
