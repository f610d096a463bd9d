// npm run churn -- [--containers N] [--minutes N] [--seed S] [--pause MS] [--log FILE] [--control] [--tree CHECKOUT]: containers come and go on a real
// Docker host while each asks for its own role, MS between two rounds, and the daemons around them fail. It lasts until there were N containers and N minutes.
// FILE gets the gateway's log, but for vends and what containers without a binding are refused. Exit code 1 when a container had what is another's,
// was refused without a reason, or too many were; with --control, when a gateway that never asks the kernel is not caught.
import { randomInt } from "node:crypto";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { blindCopy } from "../test/docker/churn/blind-copy.ts";
import { longFaults, NO_EVENTS, SHORT_FAULTS } from "../test/docker/churn/faults.ts";
import { isGood, reportText } from "../test/docker/churn/report-text.ts";
import { runChurn } from "../test/docker/churn/run-churn.ts";

const LONG = 400;
const MINUTES_PER_ROUND_OF_FAULTS = 10;
const MS_PER_CONTAINER = 600;
const SET_UP_MS = 60_000;

const { values } = parseArgs({
  options: {
    containers: { type: "string", default: "1000" },
    minutes: { type: "string", default: "0" },
    seed: { type: "string" },
    pause: { type: "string", default: "50" },
    log: { type: "string" },
    control: { type: "boolean", default: false },
    tree: { type: "string", default: join(import.meta.dirname, "..") },
  },
});
const containers = numberIn(values.containers, 1, 100_000);
const minutes = numberIn(values.minutes, 0, 1_440);
const seed = numberIn(values.seed ?? String(randomInt(2 ** 31)), 0, 2 ** 32 - 1);
const askerPauseMs = numberIn(values.pause, 0, 10_000);
process.stdout.write(`seed ${seed}, ${containers} containers, ${minutes} minutes${values.control ? ", the kernel is not asked" : ""}\n`);
using copy = values.control ? blindCopy(values.tree) : undefined;
const longRounds = Math.max(1, Math.floor(minutes / MINUTES_PER_ROUND_OF_FAULTS));
const faults = containers >= LONG || minutes > 0 ? longFaults(longRounds) : SHORT_FAULTS;
const report = await runChurn({
  containers,
  leastMs: minutes * 60_000,
  seed,
  askerPauseMs,
  gateway: { tree: copy?.folder ?? values.tree, log: values.log === undefined ? undefined : resolve(values.log) },
  faults: values.control ? NO_EVENTS : faults,
  limitMs: SET_UP_MS + Math.max(containers * MS_PER_CONTAINER, minutes * 90_000),
});
process.stdout.write(reportText(report));
const isAsWanted = values.control ? report.verdict.wrong.length > 0 : isGood(report);
process.exitCode = isAsWanted ? 0 : 1;

function numberIn(text: string, least: number, most: number): number {
  const number = Number(text);
  if (Number.isInteger(number) && number >= least && number <= most) return number;
  process.stderr.write(`churn: "${text}" is not a whole number from ${least} to ${most}\n`);
  process.exit(2);
}
