import type { Clock } from "../clock.ts";
import type { Emit } from "../events.ts";
import { isFields } from "../fields.ts";
import { type HandedOver, handoverDocument } from "./handed-over.ts";
import type { Heard } from "./message-pipe.ts";
import type { Successor } from "./successor.ts";
import { type Word, wordIn } from "./words.ts";

/** What a hand-over needs of this gateway and of the outside. */
export interface HandoverParts {
  /** Starts the next gateway. */
  readonly start: () => Promise<Successor>;
  /** Puts down what only one may do, rules and renewals, and gives what the next one needs. */
  readonly giveUp: () => Promise<HandedOver>;
  /** Takes that up again. */
  readonly goOn: () => void;
  readonly clock: Clock;
  readonly emit: Emit;
}

/** How long the next gateway has, from its start until it serves. */
const SUCCESSION_MS = 30_000;

/**
 * Starts the next gateway and hands listeners and leases to it. True when that one serves, and this one has only to end; else all is as it
 * was, which is told. Where `signal` aborts meanwhile, the next one is ended. It never rejects.
 */
export async function handOver(parts: HandoverParts, signal: AbortSignal): Promise<boolean> {
  const { clock, emit } = parts;
  const until = clock.now() + SUCCESSION_MS;
  const fail = (problem: string) => {
    const help = "This one goes on as before. Mend that, and then: systemctl restart imdsgate";
    if (!signal.aborted) emit({ kind: "handover-failed", message: `${problem}. ${help}` });
    return false;
  };
  let successor: Successor;
  try {
    successor = await parts.start();
  } catch (error) {
    return fail(`the next gateway could not be started: ${error instanceof Error ? error.message : String(error)}`);
  }
  const hear = () => successor.pipe.hear(Math.max(0, until - clock.now()), signal);
  const early = problemOf(await hear(), "loaded");
  if (early !== undefined) {
    await successor.end();
    return fail(early);
  }
  const handed = await parts.giveUp();
  await successor.pipe.say(handoverDocument(handed));
  emit({ kind: "handover", step: "given", leases: handed.leases.length });
  const late = problemOf(await hear(), "serving");
  if (late === undefined) return true;
  // First the end of the other: two that keep the rules would fight.
  await successor.end();
  parts.goOn();
  return fail(late);
}

function problemOf(heard: Heard, wanted: Word): string | undefined {
  switch (heard.kind) {
    case "message":
      return isFields(heard.message) && wordIn(heard.message) === wanted ? undefined : "the next gateway said something else than expected";
    case "ended":
      return "the next gateway ended before it served; what it said stands above in this log";
    case "late":
      return `the next gateway did not serve within ${SUCCESSION_MS / 1_000} s, and was ended`;
    case "unreadable":
      return "what the next gateway said cannot be read";
  }
}
