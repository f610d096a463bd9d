// npm run fuzz -- --minutes N [--seed S]: hostile input for the whole gateway, in this process on loopback. Exit code 1 when a promise was broken.
import { randomInt } from "node:crypto";
import { parseArgs } from "node:util";
import { type Find, type FuzzReport, runFuzz } from "../test/fuzz/fuzz-run.ts";
import { startFuzzStage } from "../test/fuzz/fuzz-stage.ts";

const PROGRESS_MS = 30_000;

const { values } = parseArgs({ options: { minutes: { type: "string", default: "1" }, seed: { type: "string" } } });
const minutes = Number(values.minutes);
const seed = Number(values.seed ?? randomInt(2 ** 31));
if (!(minutes > 0 && minutes <= 1_440 && Number.isInteger(seed))) {
  process.stderr.write("usage: npm run fuzz -- --minutes N [--seed S]\n");
  process.exit(2);
}
const stop = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => stop.abort());

const startedAt = performance.now();
let toldAt = startedAt;
process.stdout.write(`seed ${seed}, ${minutes} min\n`);
const report = await fuzz();
process.stdout.write(`done: ${textOf(report)}\n`);
process.exit(report.finds.length === 0 ? 0 : 1);

async function fuzz(): Promise<FuzzReport> {
  await using stage = await startFuzzStage();
  return await runFuzz(stage, { seed, goOn, onFind: (find) => process.stdout.write(`${findText(find)}\n`) });
}

function goOn(report: FuzzReport): boolean {
  const now = performance.now();
  if (now - toldAt >= PROGRESS_MS) {
    toldAt = now;
    process.stdout.write(`${textOf(report)}\n`);
  }
  return !stop.signal.aborted && now - startedAt < minutes * 60_000;
}

function textOf({ inputs, forwarded, finds }: FuzzReport): string {
  const seconds = Math.round((performance.now() - startedAt) / 1_000);
  return `${seconds} s, seed ${seed}: ${inputs} inputs, ${Math.round((100 * forwarded) / Math.max(1, inputs))} % forwarded, ${finds.length} finds`;
}

function findText({ seed: of, index, faults, input }: Find): string {
  return `FIND seed ${of} input ${index} from ${input.speaker.name}: ${faults.join("; ")}\n  ${JSON.stringify(input.bytes.toString("latin1"))} cuts ${JSON.stringify(input.cuts)} staysOpen ${input.staysOpen}`;
}
