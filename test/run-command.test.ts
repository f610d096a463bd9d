import { expect, onTestFinished, test } from "vitest";
import { followCommand, type RunningProgram, runCommand, runOnTerminal, startProgram } from "../src/run-command.ts";

const LIMIT_MS = 10_000;

/** A shell that is ended with the test. */
async function shell(script: string, environment: Readonly<Record<string, string>> = {}): Promise<RunningProgram> {
  const program = await startProgram("sh", ["-c", script], environment);
  onTestFinished(async () => void (await program.stop()));
  return program;
}

test.for([
  {
    what: "prints, and fails",
    words: ["sh", "-c", 'echo "é $LC_ALL"; echo aside >&2; exit 3'],
    input: undefined,
    result: { exitCode: 3, stdout: "é C\n", stderr: "aside\n", isMissing: false },
  },
  { what: "is fed", words: ["cat"], input: "fed", result: { exitCode: 0, stdout: "fed", stderr: "", isMissing: false } },
  {
    what: "reads nothing of what it is fed",
    words: ["true"],
    input: "x".repeat(1_000_000),
    result: { exitCode: 0, stdout: "", stderr: "", isMissing: false },
  },
  { what: "is killed", words: ["sh", "-c", "kill -9 $$"], result: { exitCode: undefined, stdout: "", stderr: "", isMissing: false } },
  { what: "is not there", words: ["no-such-program-here"], result: { exitCode: undefined, stdout: "", stderr: "", isMissing: true } },
  { what: "may not be run", words: ["/etc/passwd"], result: { exitCode: undefined, stdout: "", stderr: "", isMissing: false } },
  { what: "cannot be named", words: ["a\0b"], input: "x", result: { exitCode: undefined, stdout: "", stderr: "", isMissing: false } },
])("of a program that $what all is told, and nothing rejects", async ({ words: [program = "", ...args], input, result }) => {
  expect(await runCommand(program, args, input)).toEqual(result);
});

test("a program that goes on is read line by line, both streams, and stopped", async () => {
  const program = await shell("echo one; echo two >&2; exec sleep 60");
  expect(await program.line((line) => line === "two", LIMIT_MS)).toBe("two");
  expect(await program.line((line) => line === "one", LIMIT_MS)).toBe("one");
  expect(program.lines.toSorted()).toEqual(["one", "two"]);
  expect(await program.stop()).toBeUndefined();
});

test("a program that ends without the line is not waited for", async () => {
  const program = await shell("echo one; exit 3");
  expect(await program.line((line) => line === "two", LIMIT_MS)).toBeUndefined();
  expect(await program.stop()).toBe(3);
});

test("waiting for a line has a limit", async () => {
  expect(await (await shell("exec sleep 60")).line(() => true, 20)).toBeUndefined();
});

test("a program that is not there has no lines and no exit code", async () => {
  const program = await startProgram("no-such-program-here", []);
  expect(await program.line(() => true, LIMIT_MS)).toBeUndefined();
  expect(await program.stop()).toBeUndefined();
});

test("a program gets the environment that is named and nothing else of the caller's", async () => {
  process.env["IMDSGATE_TEST_OF_ENVIRONMENT"] = "seen";
  onTestFinished(() => void delete process.env["IMDSGATE_TEST_OF_ENVIRONMENT"]);
  const program = await shell('echo "[$IMDSGATE_TEST_OF_ENVIRONMENT] [$NAMED]"', { NAMED: "yes" });
  expect(await program.line(() => true, LIMIT_MS)).toBe("[] [yes]");
});

test("a program on the terminal learns by its stdin that it is to end", async () => {
  const stop = new AbortController();
  const ended = runOnTerminal({ program: "sh", args: ["-c", "cat; exit 7"], signal: stop.signal });
  stop.abort();
  expect(await ended).toBe(7);
});

test("a program that is followed hands over each line of its stdout, and ends with the signal or by itself", async () => {
  const stop = new AbortController();
  onTestFinished(() => stop.abort());
  const lines: string[] = [];
  const onLine = (line: string) => {
    lines.push(line);
    if (line === "two") stop.abort();
  };
  await followCommand("sh", ["-c", "echo one; echo aside >&2; echo two; exec sleep 60"], onLine, stop.signal);
  await followCommand("sh", ["-c", "echo late"], onLine, stop.signal);
  await followCommand("sh", ["-c", "echo three; exit 3"], onLine, new AbortController().signal);
  await followCommand("no-such-program-here", [], onLine, new AbortController().signal);
  expect(lines).toEqual(["one", "two", "three"]);
});
