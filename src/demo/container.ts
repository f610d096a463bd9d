import { text } from "node:stream/consumers";
import { askInTurn, type Question } from "./question.ts";

/**
 * The program that runs in a network namespace of the demonstration in place of a container's own: it reads questions from stdin, a list
 * in JSON, and prints their answers. Apart from the command line, since it is started often and has to be there at once.
 */
export const CONTAINER_PROGRAM = import.meta.filename;

if (process.argv[1] === CONTAINER_PROGRAM) {
  const questions: readonly Question[] = JSON.parse(await text(process.stdin));
  process.stdout.write(JSON.stringify(await askInTurn(questions)));
}
