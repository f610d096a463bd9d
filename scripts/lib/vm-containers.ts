import { setTimeout as delay } from "node:timers/promises";
import { SIM_INSTANCE_ROLE } from "../../src/sim/instance-facts.ts";
import type { Machine } from "./vm-machine.ts";
import { answersOf, faultsOf, isServed, type TimedAnswer, type Told, toldOf } from "./vm-verdict.ts";

/** The containers of the story, each with its role; empty for the one that has none. */
const ROLES: Readonly<Record<string, string>> = { fluentd: "fluentd-role", php: "php-role", cron: "", agent: "agent-role" };
/** Which of them has the host's network. */
const ON_HOST = "agent";
const NAMES = Object.keys(ROLES);
const LIMIT_MS = 300_000;
const PAUSE_MS = 1_000;
/** bash and what it needs, of the machine's own: no registry is asked for an image. */
const IMAGE_FILES = "bin/bash bin/cat lib/x86_64-linux-gnu/libc.so.6 lib/x86_64-linux-gnu/libtinfo.so.6 lib64/ld-linux-x86-64.so.2";

type Answers = Readonly<Record<string, readonly TimedAnswer[]>>;

/** Containers that ask for their role as long as they live, from their first moment, and start anew with Docker. Their logs are on the machine's disk. */
export interface Containers {
  /** Waits until each was told what it should be `least` times, or the host's role where `imdsgate` is not there, since a moment of the machine's clock (now), and gives a line on that. */
  readonly served: (least: number, by: "imdsgate" | "the real service", from?: number) => Promise<string>;
  /** Leaves out what was logged until now. */
  readonly skip: () => Promise<void>;
  /** What all were told since the last skip, in one line; throws when somebody was told the host's role, or another's. */
  readonly summary: () => string;
}

/** Starts them on a machine that has no image yet. */
export async function startContainers(machine: Machine): Promise<Containers> {
  await machine.sh(`tar -C / -chf - ${IMAGE_FILES} | docker import --change 'ENV PATH=/bin' - story`);
  const run = `docker run --detach --restart always --stop-signal KILL --env PAUSE_SECONDS=0.5`;
  for (const name of NAMES) {
    const network = name === ON_HOST ? "host" : "bridge";
    await machine.sh(`${run} --name ${name} --network ${network} story bash -c "$(cat /opt/story/role-asker.sh)"`);
  }
  const paths = (await machine.sh(`docker inspect --format '{{.LogPath}}' ${NAMES.join(" ")}`)).split("\n");
  const read = new Map<string, number>();
  const all = new Map<string, readonly TimedAnswer[]>();

  const readOn = async (): Promise<void> => {
    for (const [index, name] of NAMES.entries()) {
      const from = read.get(name) ?? 0;
      const log = await machine.sh(`tail -c +${from + 1} ${paths[index]}; echo end`);
      const whole = log.slice(0, log.lastIndexOf("\n", log.length - "end".length - 1) + 1);
      // all of it is ASCII
      read.set(name, from + whole.length);
      all.set(name, [...(all.get(name) ?? []), ...answersOf(whole)]);
    }
  };
  const since = (moment: number): Answers =>
    Object.fromEntries(NAMES.map((name) => [name, (all.get(name) ?? []).filter(({ at }) => at >= moment)]));

  return {
    async skip() {
      await readOn();
      all.clear();
    },
    async served(least, by, from) {
      const moment = from ?? Number(await machine.sh("date +%s%3N"));
      const until = performance.now() + LIMIT_MS;
      for (;;) {
        await readOn();
        const told = toldAll(since(moment));
        const isDone = (name: string, one: Told): boolean =>
          by === "imdsgate" ? isServed(ROLES[name] ?? "", one, least) : one.host >= least;
        if (Object.entries(told).every(([name, one]) => isDone(name, one))) return lineOf(told);
        if (performance.now() > until) throw new Error(`not served by ${by}: ${lineOf(told)}`);
        await delay(PAUSE_MS);
      }
    },
    summary() {
      const told = toldAll(since(0));
      const faults = Object.entries(told).flatMap(([name, one]) => faultsOf(name, one));
      if (faults.length > 0) throw new Error(faults.join("; "));
      return lineOf(told);
    },
  };
}

function toldAll(answers: Answers): Readonly<Record<string, Told>> {
  return Object.fromEntries(NAMES.map((name) => [name, toldOf(ROLES[name] ?? "", SIM_INSTANCE_ROLE.name, answers[name] ?? [])]));
}

function lineOf(told: Readonly<Record<string, Told>>): string {
  return Object.entries(told)
    .map(([name, one]) => {
      const counts = Object.entries(one).filter(([, count]) => count > 0);
      return `${name} ${counts.map(([what, count]) => `${what} ${count}`).join(" ")}`;
    })
    .join(", ");
}
