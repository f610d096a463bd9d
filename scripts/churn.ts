// npm run churn -- [--containers N] [--seed S] [--control] [--tree CHECKOUT]: containers come and go on a real Docker host while each asks for its own role, and the daemons
// around them fail. Exit code 1 when a container had what is another's, or was refused without a reason; with --control, when a gateway that never asks
// the kernel is not caught.
import { randomInt } from "node:crypto";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { blindCopy } from "../test/docker/churn/blind-copy.ts";
import { LONG_FAULTS, NO_EVENTS, SHORT_FAULTS } from "../test/docker/churn/faults.ts";
import { isGood, reportText } from "../test/docker/churn/report-text.ts";
import { runChurn } from "../test/docker/churn/run-churn.ts";

const LONG = 400;
const MS_PER_CONTAINER = 600;
const SET_UP_MS = 60_000;

const { values } = parseArgs({
  options: {
    containers: { type: "string", default: "1000" },
    seed: { type: "string" },
    control: { type: "boolean", default: false },
    tree: { type: "string", default: join(import.meta.dirname, "..") },
  },
});
const containers = Number(values.containers);
const seed = Number(values.seed ?? randomInt(2 ** 31));
if (!(Number.isInteger(containers) && containers > 0 && containers <= 100_000 && Number.isInteger(seed))) {
  process.stderr.write("usage: npm run churn -- [--containers N] [--seed S] [--control] [--tree CHECKOUT]\n");
  process.exit(2);
}
process.stdout.write(`seed ${seed}, ${containers} containers${values.control ? ", the kernel is not asked" : ""}\n`);
using copy = values.control ? blindCopy(values.tree) : undefined;
const report = await runChurn({
  containers,
  seed,
  tree: copy?.folder ?? values.tree,
  faults: values.control ? NO_EVENTS : containers >= LONG ? LONG_FAULTS : SHORT_FAULTS,
  limitMs: SET_UP_MS + containers * MS_PER_CONTAINER,
});
process.stdout.write(reportText(report));
const isAsWanted = values.control ? report.verdict.wrong.length > 0 : isGood(report);
process.exitCode = isAsWanted ? 0 : 1;
