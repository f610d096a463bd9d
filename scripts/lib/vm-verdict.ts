import { type LoggedAnswer, loggedAnswers } from "../../test/support/docker-host/role-asker.ts";

/** An answer that a container logged, and when, in milliseconds since the epoch. */
export interface TimedAnswer extends LoggedAnswer {
  readonly at: number;
}

/** How often a container was told its own role, that there is none, the host's role, another's role; and how often it had no answer. */
export interface Told {
  readonly own: number;
  readonly none: number;
  readonly host: number;
  readonly other: number;
  readonly unanswered: number;
}

/** The answers in lines of Docker's json-file log; a last line that is still being written is left out. */
export function answersOf(log: string): readonly TimedAnswer[] {
  const lines = log.split("\n").slice(0, -1);
  return lines.flatMap((line) => {
    const { log: printed, time }: { readonly log: string; readonly time: string } = JSON.parse(line);
    return loggedAnswers(printed).map((answer) => ({ ...answer, at: Date.parse(time) }));
  });
}

/** Counts what a container whose role is `own` was told; `own` is empty for one without a binding. */
export function toldOf(own: string, hostRole: string, answers: readonly LoggedAnswer[]): Told {
  const told = { own: 0, none: 0, host: 0, other: 0, unanswered: 0 };
  for (const { status, role } of answers) {
    if (role === hostRole) told.host += 1;
    else if (role !== "") told[role === own ? "own" : "other"] += 1;
    else told[status.startsWith("HTTP/1.1 404 ") ? "none" : "unanswered"] += 1;
  }
  return told;
}

/** Whether a container was told what it should be, `least` times or more. */
export function isServed(own: string, told: Told, least: number): boolean {
  return (own === "" ? told.none : told.own) >= least;
}

/** Why what a container was told under the rules is not as it should be; empty when all is well. To have no answer, or none yet, is no fault. */
export function faultsOf(name: string, told: Told): readonly string[] {
  const faults = [
    [told.host, "the host's role"],
    [told.other, "the role of another"],
  ] as const;
  return faults.filter(([count]) => count > 0).map(([count, what]) => `${name} was told ${what} ${count} times`);
}
