import { once } from "node:events";
import type { Program } from "./program.ts";

/** Gives the next line that the program prints, as JSON. Throws when it ends before. */
export async function nextLine<T>({ lines }: Pick<Program, "lines">): Promise<T> {
  const heard = new AbortController();
  const signal = { signal: heard.signal };
  const ended = once(lines, "close", signal).then(
    () => [],
    () => [],
  );
  const [line]: string[] = await Promise.race([once(lines, "line", signal), ended]).finally(() => heard.abort());
  if (line === undefined) throw new Error("the measuring program ended without a word; its reason stands above");
  return JSON.parse(line);
}

/** Asks the program for one more measurement and gives what it found. */
export function ask<T>(program: Program, question: unknown): Promise<T> {
  const answer = nextLine<T>(program);
  program.stdin.write(`${JSON.stringify(question)}\n`);
  return answer;
}
