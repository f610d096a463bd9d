import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** One answer that a container had, or the reason why it had none. Times in milliseconds since the epoch. */
export interface Answer {
  readonly kind: "list" | "doc";
  /** Before `sentAt` only where the connection was opened long before anything was asked over it. */
  readonly openedAt: number;
  readonly sentAt: number;
  readonly doneAt: number;
  /** The sender's own choice of its addresses; `-` for the kernel's. */
  readonly source: string;
  /** The status, or the name of an error. */
  readonly outcome: string;
  /** With 200 what was listed, or the access key id. */
  readonly value: string;
}

/** How long an address was surely a container's. */
export interface Tenure {
  readonly address: string;
  readonly from: number;
  to: number;
}

/** What one process in a container wrote down. */
export interface AnswerLog {
  /** The container's key in the chronicle. */
  readonly key: string;
  readonly isExec: boolean;
  readonly bornAt: number;
  readonly answers: readonly Answer[];
  readonly tenures: readonly Tenure[];
}

/** What all processes in `folder` wrote (`asker.py`). A last line without its end, or a file without any, is left out. */
export function* readAnswerLogs(folder: string): Generator<AnswerLog> {
  for (const name of readdirSync(folder)) {
    const lines = readFileSync(join(folder, name), "utf8").split("\n").slice(0, -1);
    const [key = "", second] = name.split(".");
    if (lines.length > 0) yield { key, isExec: second === "exec", ...readLines(lines.map((line) => line.split("\t"))) };
  }
}

function readLines(lines: readonly (readonly string[])[]): Pick<AnswerLog, "bornAt" | "answers" | "tenures"> {
  const answers: Answer[] = [];
  const tenures: Tenure[] = [];
  let held: Tenure[] = [];
  for (const [kind, first, second = "", done, source = "", outcome = "", value = ""] of lines) {
    if (kind === "list" || kind === "doc") {
      const sentAt = Number(second);
      answers.push({ kind, openedAt: Number(first), sentAt, doneAt: Number(done), source, outcome, value });
      for (const tenure of held) tenure.to = sentAt;
      continue;
    }
    const at = Number(first);
    const addresses = second.split(",").filter((address) => address !== "");
    const before = held;
    held = addresses.map((address) => before.find((tenure) => tenure.address === address) ?? { address, from: at, to: at });
    tenures.push(...held.filter((tenure) => !before.includes(tenure)));
  }
  return { bornAt: Number(lines[0]?.[1]), answers, tenures };
}
