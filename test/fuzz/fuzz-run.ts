import { sendInput } from "./client.ts";
import { type FuzzInput, fuzzInput } from "./fuzz-input.ts";
import type { FuzzStage } from "./fuzz-stage.ts";
import { isOfTime, type Judgement, judge } from "./oracle.ts";

/** An input that broke a promise, as small as it could be made. */
export interface Find {
  readonly seed: number;
  readonly index: number;
  readonly faults: readonly string[];
  readonly input: FuzzInput;
}

/** How far a run has come. */
export interface FuzzReport {
  readonly inputs: number;
  readonly forwarded: number;
  readonly finds: readonly Find[];
}

export interface FuzzRun {
  readonly seed: number;
  /** Asked before each batch whether to go on. */
  readonly goOn: (report: FuzzReport) => boolean;
  readonly onFind?: (find: Find) => void;
}

const BATCH = 256;
const LANES = 32;
const MAX_SHRINKS = 400;

/** Sends inputs, a batch at a time over many connections, until `goOn` says no; a batch with a fault is taken apart. */
export async function runFuzz(stage: FuzzStage, { seed, goOn, onFind }: FuzzRun): Promise<FuzzReport> {
  const finds: Find[] = [];
  let report: FuzzReport = { inputs: 0, forwarded: 0, finds };
  while (goOn(report)) {
    const first = report.inputs;
    stage.setTokenUse((first / BATCH) % 2 === 0 ? "optional" : "required");
    const inputs = Array.from({ length: BATCH }, (_, n) => fuzzInput(seed, first + n));
    const { faults, forwarded } = await play(stage, inputs);
    for (const find of faults.length > 0 ? await takenApart(stage, { seed, first, inputs, faults }) : []) {
      finds.push(find);
      onFind?.(find);
    }
    report = { inputs: first + BATCH, forwarded: report.forwarded + forwarded, finds };
  }
  return report;
}

/** Plays all inputs, some at a time, and judges what came of them together. */
export async function play(stage: FuzzStage, inputs: readonly FuzzInput[]): Promise<Judgement> {
  const waiting = inputs.map((input, n) => ({
    input,
    address: input.speaker.addresses[n % input.speaker.addresses.length] ?? "127.0.0.1",
  }));
  const played: { input: FuzzInput; answer: Awaited<ReturnType<typeof sendInput>> }[] = [];
  const lane = async () => {
    for (let next = waiting.shift(); next; next = waiting.shift()) {
      played.push({ input: next.input, answer: await sendInput(stage.gateway, next.input, next.address) });
    }
  };
  await Promise.all(Array.from({ length: LANES }, lane));
  return judge({ played, record: stage.takeRecord() });
}

interface FaultyBatch {
  readonly seed: number;
  readonly first: number;
  readonly inputs: readonly FuzzInput[];
  readonly faults: readonly string[];
}

/** Which inputs of a batch are at fault, each played by itself. */
async function takenApart(stage: FuzzStage, { seed, first, inputs, faults }: FaultyBatch): Promise<readonly Find[]> {
  const finds: Find[] = [];
  for (const [n, input] of inputs.entries()) {
    const alone = await play(stage, [input]);
    if (alone.faults.length > 0) finds.push({ seed, index: first + n, ...(await shrunk(stage, input, alone.faults)) });
  }
  const [input] = inputs;
  const lasting = finds.length > 0 ? [] : await lastingFaults(stage, inputs, faults);
  return input && lasting.length > 0 ? [{ seed, index: first, faults: ["only together", ...lasting], input }] : finds;
}

/** A machine that stands still for seconds makes the gateway give up on an upstream that is well: that counts only when it comes again. */
async function lastingFaults(stage: FuzzStage, inputs: readonly FuzzInput[], faults: readonly string[]): Promise<readonly string[]> {
  if (!faults.some(isOfTime)) return faults;
  const again = await play(stage, inputs);
  return again.faults.some(isOfTime) ? faults : faults.filter((fault) => !isOfTime(fault));
}

/** The input without what its fault does not need. */
async function shrunk(stage: FuzzStage, input: FuzzInput, faults: readonly string[]): Promise<Pick<Find, "input" | "faults">> {
  let best = { input, faults };
  let tries = 0;
  const attempt = async (candidate: FuzzInput): Promise<boolean> => {
    tries++;
    const judged = await play(stage, [candidate]);
    const isSame = kindOf(judged.faults) === kindOf(faults);
    if (isSame) best = { input: candidate, faults: judged.faults };
    return isSame;
  };
  await attempt({ ...input, cuts: [] });
  for (let size = Math.ceil(input.bytes.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let at = 0; at < best.input.bytes.length && tries < MAX_SHRINKS; ) {
      const { bytes } = best.input;
      const shorter = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + size)]);
      if (!(await attempt({ ...best.input, bytes: shorter, cuts: [], staysOpen: false }))) at += size;
    }
  }
  return best;
}

/** Faults of one kind begin alike. */
function kindOf([first = ""]: readonly string[]): string {
  return first.slice(0, 32);
}
