import { fileURLToPath } from "node:url";
import { compileCacheIn, NODE_FLAGS } from "./imdsgate.ts";
import { PATH } from "./own-network.ts";
import { memoryOf } from "./process-usage.ts";
import { startProgram } from "./program.ts";

/** Resident memory of a Node that has loaded this and all that stands above it, and does nothing. */
export interface LoadedMemory {
  readonly loaded: string;
  readonly mib: number;
}

/** In the order in which `imdsgate run` loads them; the last two only with its first call to STS, so at once. */
const STEPS = [
  ["Node alone", []],
  ["yargs, yaml, execa, pino", ["yargs", "yaml", "execa", "pino"]],
  ["@aws-sdk/client-sts", ["@aws-sdk/client-sts"]],
  ["@aws-sdk/credential-provider-node", ["@aws-sdk/credential-provider-node"]],
] as const;

const READY = 'process.stdout.write(\'{"event":"ready","listen":"none:0"}\\n\'); process.stdin.resume();';
const ROOT = fileURLToPath(new URL("..", import.meta.url));

/** Measures step by step, each in a process of its own and its second start, so that it is compiled before. */
export async function measureLoadedMemory(directory: string): Promise<readonly LoadedMemory[]> {
  const steps: LoadedMemory[] = [];
  const modules: string[] = [];
  for (const [loaded, added] of STEPS) {
    modules.push(...added);
    await residentMib(modules, directory);
    steps.push({ loaded, mib: await residentMib(modules, directory) });
  }
  return steps;
}

async function residentMib(modules: readonly string[], directory: string): Promise<number> {
  await using owner = new AsyncDisposableStack();
  const code = `${modules.map((name) => `await import(${JSON.stringify(name)});`).join("")}${READY}`;
  const command = [process.execPath, ...NODE_FLAGS, "--input-type=module", "--eval", code];
  const { pid } = await startProgram({ command, environment: { PATH, ...compileCacheIn(directory) }, cwd: ROOT }, owner);
  return memoryOf(pid).nowMib;
}
