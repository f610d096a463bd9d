import { fileURLToPath } from "node:url";
import { compileCacheIn, NODE_FLAGS } from "./imdsgate.ts";
import { PATH } from "./own-network.ts";
import { cpuMicrosOf, memoryOf } from "./process-usage.ts";
import { startProgram } from "./program.ts";

/** A Node that has loaded this and all that stands above it, and does nothing: its resident memory, and what CPU time it took until then. */
export interface LoadedMemory {
  readonly what: string;
  readonly mib: number;
  /** Pages of files, Node's own program above all; processes share them. */
  readonly fileMib: number;
  readonly cpuMs: number;
}

/** In the order in which `imdsgate run` loads them: the SDK with its first call to STS, so at once, yaml with a file. */
const STEPS = [
  ["Node alone", []],
  ["yargs", ["yargs"]],
  ["pino", ["pino"]],
  ["imdsgate itself", ["./src/daemon.ts"]],
  ["@aws-sdk/client-sts, credential-provider-node", ["@aws-sdk/client-sts", "@aws-sdk/credential-provider-node"]],
  ["yaml (a file)", ["yaml"]],
] as const;

const READY = 'process.stdout.write(\'{"event":"ready","listen":"none:0"}\\n\'); process.stdin.resume();';
const ROOT = fileURLToPath(new URL("..", import.meta.url));

/** Measures step by step, each in a process of its own and its second start, so that it is compiled before. */
export async function measureLoadedMemory(directory: string): Promise<readonly LoadedMemory[]> {
  const steps: LoadedMemory[] = [];
  const modules: string[] = [];
  for (const [what, added] of STEPS) {
    modules.push(...added);
    await measureLoaded(modules, directory);
    steps.push({ what, ...(await measureLoaded(modules, directory)) });
  }
  return steps;
}

async function measureLoaded(modules: readonly string[], directory: string): Promise<Omit<LoadedMemory, "what">> {
  await using owner = new AsyncDisposableStack();
  const code = `${modules.map((name) => `await import(${JSON.stringify(name)});`).join("")}${READY}`;
  const command = [process.execPath, ...NODE_FLAGS, "--input-type=module", "--eval", code];
  const { pid } = await startProgram({ command, environment: { PATH, ...compileCacheIn(directory) }, cwd: ROOT }, owner);
  const { nowMib, fileMib } = memoryOf(pid);
  return { mib: nowMib, fileMib, cpuMs: cpuMicrosOf(pid) / 1_000 };
}
