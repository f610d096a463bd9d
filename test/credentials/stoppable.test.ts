import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { expect, onTestFinished, test, vi } from "vitest";
import { stoppable } from "../../src/credentials/stoppable.ts";

/** A program that runs until the test ends, and has begun another; the pid of that. */
async function startForeign(): Promise<{ readonly program: ChildProcess; readonly childPid: number }> {
  const program = spawn("/bin/sh", ["-c", 'sleep 60 & echo $!; trap "kill $!; exit" TERM; wait'], { stdio: ["ignore", "pipe", "ignore"] });
  onTestFinished(async () => {
    const gone = once(program, "exit");
    program.kill("SIGTERM");
    await gone;
  });
  const [line] = await once(program.stdout, "data");
  return { program, childPid: Number(line) };
}

test("what has ended is not ended again: its pid may be another's by now, whose children are not ours", async () => {
  const { program, childPid } = await startForeign();
  const kill = vi.spyOn(process, "kill").mockReturnValue(true);
  onTestFinished(() => kill.mockRestore());
  const ending = new AbortController();
  await stoppable(ending.signal, async () => {
    const ended = spawn("true");
    await once(ended, "exit");
    Object.defineProperty(ended, "pid", { value: program.pid });
    ending.abort();
  });
  expect([childPid > 1, kill.mock.calls]).toEqual([true, []]);
});

test("what has ended and left its pipe with another program is waited for no longer", async () => {
  const ending = new AbortController();
  await stoppable(ending.signal, async () => {
    const left = spawn("/bin/sh", ["-c", "sleep 60 & echo $!"], { stdio: ["ignore", "pipe", "ignore"] });
    const closed = once(left, "close");
    const [line] = await once(left.stdout, "data");
    onTestFinished(() => void process.kill(Number(line), "SIGKILL"));
    if (left.exitCode === null) await once(left, "exit");
    ending.abort();
    await closed;
  });
});
