import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";

/** What a run may leave things with: whatever is given to `owner` ends with the run, and `directory` is removed. */
export interface Run {
  readonly owner: AsyncDisposableStack;
  readonly directory: string;
}

const INTERRUPTED = 130;

/** Does `work` and ends all that it started, also when it fails; after SIGINT or SIGTERM the process then exits with 130. */
export async function ownedRun<T>(work: (run: Run) => Promise<T>): Promise<T> {
  const interruption = Promise.withResolvers<"interrupted">();
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => interruption.resolve("interrupted"));
  const outcome = await disposedAfter(async (run) => Promise.race([work(run).then((value) => ({ value })), interruption.promise]));
  if (outcome !== "interrupted") return outcome.value;
  process.stderr.write("interrupted: all that was started is ended\n");
  return process.exit(INTERRUPTED);
}

async function disposedAfter<T>(work: (run: Run) => Promise<T>): Promise<T> {
  await using owner = new AsyncDisposableStack();
  const directory = mkdtempSync(`${tmpdir()}/imdsgate-bench-`);
  owner.defer(() => rmSync(directory, { recursive: true, force: true }));
  return await work({ owner, directory });
}
