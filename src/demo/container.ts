/**
 * The program that runs in a network namespace of the demonstration in place of a container's own: it reads questions from stdin, a list
 * in JSON, and prints their answers. Apart from the command line, since it is started often and has to be there at once.
 */
import { text } from "node:stream/consumers";
import { type Answer, ask, type Question } from "./question.ts";

const questions: readonly Question[] = JSON.parse(await text(process.stdin));
const answers: Answer[] = [];
for (const question of questions) answers.push(await ask(question));
process.stdout.write(JSON.stringify(answers));
