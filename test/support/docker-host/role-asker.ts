import { readFileSync } from "node:fs";
import { join } from "node:path";

const SCRIPT = readFileSync(join(import.meta.dirname, "role-asker.sh"), "utf8");

/** The command of a container that asks for its role twice a second as long as it lives, and logs what it is told. */
export const ROLE_ASKER: readonly string[] = ["bash", "-c", SCRIPT];

/** One answer that a container with `ROLE_ASKER` logged. */
export interface LoggedAnswer {
  /** The IPv4 addresses that were the container's own then. */
  readonly addresses: readonly string[];
  /** The status line, `closed`, or `no connection`. */
  readonly status: string;
  readonly role: string;
}

/** The answers in the log of a container with `ROLE_ASKER`; a last line that is still being written is left out. */
export function loggedAnswers(log: string): readonly LoggedAnswer[] {
  const lines = log.split("\n").slice(0, log.endsWith("\n") ? -1 : undefined);
  return lines
    .map((line) => line.split("\t"))
    .filter((fields) => fields.length === 3)
    .map(([addresses = "", status = "", role = ""]) => ({ addresses: addresses.split(" "), status, role }));
}

/** What a container was told that it should not have been; empty when all is well. `role` is empty for one without a binding. */
export function wrongAnswers(role: string, answers: readonly LoggedAnswer[]): readonly LoggedAnswer[] {
  return answers.filter((answer) => answer.role !== role && answer.role !== "");
}
