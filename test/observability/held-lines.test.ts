import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, constants, mkdtempSync, openSync, readFileSync, readSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { expect, onTestFinished, test } from "vitest";
import { HeldLines } from "../../src/observability/held-lines.ts";
import { runCommand } from "../../src/run-command.ts";
import { handMovedClock } from "../support/hand-moved-clock.ts";

const HELD_LINES = join(import.meta.dirname, "../../src/observability/held-lines.ts");
const CLOCK = join(import.meta.dirname, "../../src/clock.ts");

/** The path of a pipe that is removed with the test. */
async function newPipe(): Promise<string> {
  const directory = mkdtempSync(join(tmpdir(), "imdsgate-log-"));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  await runCommand("mkfifo", [join(directory, "pipe")]);
  return join(directory, "pipe");
}

/** A pipe of the kernel's that never blocks, and a destination on it whose time is moved by hand. */
async function onPipe() {
  const path = await newPipe();
  const open = () => openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
  const reading = open();
  onTestFinished(() => closeSync(reading));
  const clock = handMovedClock();
  const writing = open();
  onTestFinished(() => closeSync(writing));
  const destination = new HeldLines(writing, clock);
  onTestFinished(async () => {
    const ended = destination.end();
    clock.advance(60_000);
    await ended;
  });
  return { clock, destination, read: () => readNow(reading) };
}

/** What stands in the pipe now. */
function readNow(fd: number): string {
  const bytes = Buffer.alloc(65_536);
  try {
    return bytes.toString("latin1", 0, readSync(fd, bytes));
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "EAGAIN") return "";
    throw error;
  }
}

/** Reads on until `isWhole` is content with all that came, and gives that. */
async function readUntil(read: () => string, isWhole: (text: string) => boolean): Promise<string> {
  let text = "";
  while (!isWhole(text)) {
    text += read();
    await setImmediate();
  }
  return text;
}

test("lines are held for 20 ms and written together", async () => {
  const { clock, destination, read } = await onPipe();
  destination.write("one\n");
  clock.advance(19);
  destination.write("two\n");
  expect(clock.untilNext()).toBe(1);
  for (let turn = 0; turn < 20; turn += 1) await setImmediate();
  expect(read()).toBe("");
  clock.advance(1);
  expect(await readUntil(read, (text) => text.length >= 8)).toBe("one\ntwo\n");
  expect(clock.untilNext()).toBeUndefined();
});

test("many lines are not held any longer, and none is written twice", async () => {
  const { clock, destination, read } = await onPipe();
  const line = `${"x".repeat(4_095)}\n`;
  destination.write(line);
  expect(clock.untilNext()).toBe(20);
  destination.write(line);
  expect(clock.untilNext()).toBeUndefined();
  expect(await readUntil(read, (text) => text.length >= 8_192)).toBe(line.repeat(2));
  destination.write("more\n");
  clock.advance(20);
  expect(await readUntil(read, (text) => text.length >= 5)).toBe("more\n");
});

test("the end writes what is held, and is over when it is written", async () => {
  const { clock, destination, read } = await onPipe();
  destination.write("last\n");
  await destination.end();
  expect(read()).toBe("last\n");
  destination.write("too late\n");
  clock.advance(1_000);
  await destination.end();
  expect(read()).toBe("");
});

test("what nobody reads takes 1 MiB at most; the lines that are lost for it are counted, each of them", async () => {
  const { clock, destination, read } = await onPipe();
  const line = `${"x".repeat(127)}\n`;
  const written = 10 * 8_192;
  destination.tellLosses((count) => `lost ${count}\n`);
  for (let index = 0; index < written; index += 1) destination.write(line);
  clock.advance(20);
  const text = await readUntil(read, (sofar) => {
    clock.advance(20);
    return sofar.includes("lost");
  });
  const kept = text.split("\n").filter((one) => one === line.slice(0, -1)).length;
  expect(kept).toBeGreaterThan(8_000);
  expect(kept * line.length).toBeLessThan(1.1 * 1_048_576);
  expect(text.trimEnd().split("\n").at(-1)).toBe(`lost ${written - kept}`);
});

test("a full pipe is tried again after 100 ms, and loses nothing", async () => {
  const { clock, destination, read } = await onPipe();
  const line = `${"x".repeat(8_191)}\n`;
  for (let index = 0; index < 12; index += 1) destination.write(line);
  while (clock.untilNext() === undefined) await setImmediate();
  expect(clock.untilNext()).toBe(100);
  const before = read();
  clock.advance(100);
  const after = await readUntil(read, (text) => before.length + text.length >= 12 * line.length);
  expect(before + after).toBe(line.repeat(12));
});

test("what a full pipe did not take is written at the exit, before what is held", async () => {
  const script = `
    import { constants, openSync, readSync } from "node:fs";
    import { HeldLines } from ${JSON.stringify(HELD_LINES)};
    const fd = openSync(process.argv[1], constants.O_RDWR | constants.O_NONBLOCK);
    const atFull = () => {
      destination.write("held\\n");
      process.stdout.write(String(readSync(fd, Buffer.alloc(65_536))));
      process.on("exit", () => {
        const bytes = Buffer.alloc(65_536);
        process.stdout.write(" " + bytes.toString("latin1", 0, readSync(fd, bytes)).replaceAll("x", ""));
      });
      process.exit(0);
    };
    const clock = { now: () => 0, after: (ms, act) => (ms === 100 && setImmediate(atFull), () => {}) };
    const destination = new HeldLines(fd, clock);
    for (let index = 0; index < 12; index += 1) destination.write("x".repeat(8_190) + String.fromCharCode(97 + index) + "\\n");`;
  const child = spawn(process.execPath, ["--input-type=module", "--eval", script, await newPipe()], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  let said = "";
  child.stdout.setEncoding("utf8").on("data", (piece: string) => (said += piece));
  await once(child, "close");
  expect(said).toBe("65536 i\nj\nk\nl\nheld\n");
});

test("the end does not wait for ever for somebody to read", async () => {
  const { clock, destination } = await onPipe();
  for (let index = 0; index < 100; index += 1) destination.write(`${"x".repeat(8_191)}\n`);
  let isOver = false;
  const ended = destination.end().then(() => {
    isOver = true;
  });
  clock.advance(999);
  await setImmediate();
  expect(isOver).toBe(false);
  clock.advance(1);
  await ended;
});

/** A program that writes lines to stderr, the last of them held, and then does `ending`. */
function writerScript(ending: string, lines = 300): string {
  return [
    `import { HeldLines } from ${JSON.stringify(HELD_LINES)};`,
    `import { systemClock } from ${JSON.stringify(CLOCK)};`,
    "const destination = new HeldLines(2, systemClock);",
    `for (let index = 0; index < ${lines}; index += 1) destination.write(index + " " + "x".repeat(100) + "\\n");`,
    ending,
  ].join("\n");
}

function startWriter(ending: string) {
  const child = spawn(process.execPath, ["--input-type=module", "--eval", writerScript(ending)], { stdio: ["ignore", "ignore", "pipe"] });
  onTestFinished(() => void child.kill("SIGKILL"));
  return child;
}

/** The numbers of the lines that came through, and the exit code. */
async function saidUntil(ending: string): Promise<{ lines: readonly number[]; exitCode: number | null }> {
  const child = startWriter(ending);
  let text = "";
  child.stderr.setEncoding("utf8").on("data", (piece: string) => (text += piece));
  await once(child, "close");
  const lines = text.split("\n").filter((line) => / x{100}$/.test(line));
  return { lines: lines.map((line) => Number.parseInt(line, 10)), exitCode: child.exitCode };
}

test.for([
  { how: "an exit", ending: "process.exit(3);", exitCode: 3 },
  { how: "an error that nobody caught", ending: 'setImmediate(() => { throw new Error("a bug"); });', exitCode: 1 },
  { how: "a promise that nobody caught", ending: 'Promise.reject(new Error("a bug"));', exitCode: 1 },
  { how: "a clean end", ending: "await destination.end(); process.exit(0);", exitCode: 0 },
])("no line is lost by $how", async ({ ending, exitCode }) => {
  const said = await saidUntil(ending);
  expect(said.exitCode).toBe(exitCode);
  // The thread that writes may come after what is written at the exit.
  expect(said.lines.toSorted((one, other) => one - other)).toEqual(Array.from({ length: 300 }, (_, index) => index));
});

test.for([{ ending: "process.exit(3);" }, { ending: "await destination.end(); process.exit(3);" }])(
  "a reader that is gone holds up no end: $ending",
  async ({ ending }) => {
    const child = startWriter(ending);
    child.stderr.destroy();
    expect(await once(child, "exit")).toEqual([3, null]);
  },
);

/** Runs what its words name with stderr on a new terminal, and says the exit code. It reads the terminal for "read" alone. */
const ON_TERMINAL = `
import os, pty, subprocess, sys, threading
master, slave = pty.openpty()
said = bytearray()
def read():
    try:
        while piece := os.read(master, 65536): said.extend(piece)
    except OSError: pass
reader = threading.Thread(target=read)
if sys.argv[1] == "read": reader.start()
child = subprocess.Popen(sys.argv[2:], stderr=slave)
os.close(slave)
code = child.wait()
if sys.argv[1] == "read": reader.join()
print(code, said.count(b"\\n"))
`;

/** The exit code of a writer on a terminal, and how many lines were read of it. */
async function onTerminal(reading: "read" | "stopped", script: string): Promise<string> {
  const words = ["-c", ON_TERMINAL, reading, process.execPath, "--input-type=module", "--eval", script];
  const host = spawn("/usr/bin/python3", words, { stdio: ["ignore", "pipe", "inherit"] });
  onTestFinished(() => void host.kill("SIGKILL"));
  let said = "";
  host.stdout.setEncoding("utf8").on("data", (piece: string) => (said += piece));
  await once(host, "close");
  return said.trim();
}

const ENDINGS = [{ ending: "process.exit(3);" }, { ending: "await destination.end(); process.exit(3);" }];

test.for(ENDINGS)("a terminal that is stopped holds up no end: $ending", async ({ ending }) => {
  expect(await onTerminal("stopped", writerScript(ending))).toBe("3 0");
});

test("a terminal that is read gets every line", async () => {
  expect(await onTerminal("read", writerScript("await destination.end(); process.exit(3);"))).toBe("3 300");
});

test("the end in a hurry gives a terminal that is read every line that was held", async () => {
  expect(await onTerminal("read", writerScript("process.exit(3);", 70))).toBe("3 70");
});

test.for(ENDINGS)("a pipe that nobody reads holds up no end: $ending", async ({ ending }) => {
  const path = await newPipe();
  const reading = openSync(path, constants.O_RDWR);
  onTestFinished(() => closeSync(reading));
  const blocking = openSync(path, constants.O_WRONLY);
  onTestFinished(() => closeSync(blocking));
  const words = ["--input-type=module", "--eval", writerScript(ending, 3_000)];
  const child = spawn(process.execPath, words, { stdio: ["ignore", "ignore", blocking] });
  onTestFinished(() => void child.kill("SIGKILL"));
  expect(await once(child, "exit")).toEqual([3, null]);
});

test.for(ENDINGS)("a socket that nobody reads holds up no end where it does not block: $ending", async ({ ending }) => {
  const script = writerScript(ending, 6_000);
  const words = ["--input-type=module", "--eval", `process.stderr.on("error", () => {}); ${script}`];
  const child = spawn(process.execPath, words, { stdio: ["ignore", "ignore", "pipe"] });
  onTestFinished(() => void child.kill("SIGKILL"));
  expect(await once(child, "exit")).toEqual([3, null]);
});

test("a file is written on from where it stands", async () => {
  const directory = mkdtempSync(join(tmpdir(), "imdsgate-log-"));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const file = openSync(join(directory, "log"), "w");
  onTestFinished(() => closeSync(file));
  writeSync(file, "before\n");
  const destination = new HeldLines(file, handMovedClock());
  destination.write("one\n");
  await destination.end();
  writeSync(file, "after\n");
  expect(readFileSync(join(directory, "log"), "utf8")).toBe("before\none\nafter\n");
});

test("a full disk holds up no end", async () => {
  const clock = handMovedClock();
  const full = openSync("/dev/full", "w");
  onTestFinished(() => closeSync(full));
  const destination = new HeldLines(full, clock);
  destination.write("one\n");
  clock.advance(20);
  destination.write("two\n");
  await destination.end();
  expect(clock.untilNext()).toBeUndefined();
});
