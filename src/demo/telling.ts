import { demoFailed } from "./failure.ts";
import type { Received, Secret } from "./leaks.ts";
import type { Page } from "./page.ts";
import { type Answer, bodyOf, type Question, statusOf } from "./question.ts";
import type { Speaker, Stage } from "./stage.ts";

/** A question, and what should come of it. */
interface Line {
  readonly speaker: Speaker;
  readonly question: Question;
  /** What stands behind the method and the target, where that is not all. */
  readonly remark?: string;
  /** The answer in a few words; undefined when it is not what it should be. */
  readonly outcome: (answer: Answer) => string | undefined;
}

/** The demonstration while it goes on: what is asked is written down, shown and compared with what should be. */
export interface Telling {
  readonly stage: Stage;
  readonly page: Page;
  /** Everything that containers received since the last `forget`. */
  readonly received: readonly Received[];
  readonly secrets: Secret[];
  /** What was not as told, a sentence each. */
  readonly faults: readonly string[];
  forget(): void;
  /** Asks all lines (speakers side by side, each in its order), shows a row for each and gives the answers. Throws when the demonstration is to end. */
  tell(lines: readonly Line[]): Promise<readonly Answer[]>;
  /** Asks without showing anything. */
  hear(speaker: Speaker, questions: readonly Question[]): Promise<readonly Answer[]>;
  /** Shows a row for something that is true or not. */
  claim(isTrue: boolean, subject: string, text: string): void;
}

/** Begins. `signal` ends it before the next question. */
export function createTelling(stage: Stage, page: Page, signal: AbortSignal): Telling {
  const received: Received[] = [];
  const faults: string[] = [];

  const hear: Telling["hear"] = async (speaker, questions) => {
    signal.throwIfAborted();
    const answers = await speaker.ask(questions);
    if (answers.length !== questions.length)
      throw demoFailed(`${speaker.name} asked ${questions.length} questions and told ${answers.length} answers`);
    if (speaker !== stage.host) received.push(...answers.map(({ text }) => ({ by: speaker.name, text })));
    return answers;
  };
  const fault = (text: string) => void faults.push(text);
  return {
    stage,
    page,
    received,
    secrets: [],
    faults,
    forget: () => void received.splice(0),
    hear,
    async tell(lines) {
      const answers = new Map<Line, Answer>();
      const ask = async ([speaker, own]: readonly [Speaker, readonly Line[]]) => {
        const heard = await hear(
          speaker,
          own.map(({ question }) => question),
        );
        for (const [k, answer] of heard.entries()) if (own[k]) answers.set(own[k], answer);
      };
      await Promise.all([...Map.groupBy(lines, ({ speaker }) => speaker)].map(ask));
      const inOrder = lines.flatMap((line) => answers.get(line) ?? []);
      const rows = lines.flatMap((line, k) => (inOrder[k] ? [rowOf(line, inOrder[k])] : []));
      for (const row of rows) if (!row.isAsTold) fault(`${row.speaker}, ${row.request}: ${row.outcome}`);
      page.rows(rows);
      return inOrder;
    },
    claim(isAsTold, subject, text) {
      if (!isAsTold) fault(`${subject}: not so: ${text}`);
      page.rows([{ isAsTold, speaker: subject, request: text, outcome: "" }]);
    },
  };
}

function rowOf({ speaker, question, remark, outcome }: Line, answer: Answer) {
  const said = outcome(answer);
  const request = [question.method, question.target, ...(remark === undefined ? [] : [`(${remark})`])].join(" ");
  return { isAsTold: said !== undefined, speaker: speaker.name, request, outcome: said ?? `got instead: ${inWords(answer)}` };
}

/** An answer in a few words. */
function inWords(answer: Answer): string {
  const text = bodyOf(answer).replace(/\s+/g, " ").trim().slice(0, 80);
  return answer.silence ?? `${statusOf(answer) ?? "no HTTP"}${text === "" ? "" : ` ${text}`}`;
}
