import { spawn } from "node:child_process";
import { cpSync } from "node:fs";
import { join, relative } from "node:path";
import type { RunPlace } from "./test-groups.ts";

/** The checkout. */
export const ROOT = join(import.meta.dirname, "../..");

/** Copies the checkout as a clone would bring it, without packages, tools and what was built. */
export function copyCheckout(folder: string): void {
  const isLeftOut = (path: string) => ["node_modules", ".tools", ".git", "dist"].includes(relative(ROOT, path));
  cpSync(ROOT, folder, { recursive: true, filter: (path) => !isLeftOut(path) });
}

export function isRoot(): boolean {
  return process.getuid?.() === 0;
}

/** Runs a program of this checkout whose output the reader sees as it comes; gives its exit code, or 1 when it could not be started. */
export function runShown(program: string, args: readonly string[], place: RunPlace): Promise<number> {
  const { signal } = place;
  const child = spawn(program, args, { cwd: ROOT, env: markedEnvironment(place), stdio: ["ignore", "inherit", "inherit"], signal });
  return exitCodeOf(child);
}

/** Runs a program and gives all that it printed. */
export async function runQuietly(
  program: string,
  args: readonly string[],
  options: { readonly cwd: string; readonly env: NodeJS.ProcessEnv; readonly signal?: AbortSignal },
): Promise<{ readonly code: number; readonly output: string }> {
  const child = spawn(program, args, { ...options, stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      output += text;
    });
  }
  const code = await exitCodeOf(child);
  return { code, output };
}

/** Whether a program ends with 0 here. */
export async function canRun(program: string, args: readonly string[]): Promise<boolean> {
  return (await runQuietly(program, args, { cwd: ROOT, env: process.env })).code === 0;
}

/** This process's environment, with temporary files where they are looked for afterwards and every process below marked. */
export function markedEnvironment({ folder, temporary, marker }: RunPlace): NodeJS.ProcessEnv {
  return { ...process.env, NODE_COMPILE_CACHE: join(folder, "compile-cache"), TMPDIR: temporary, [MARKER_NAME]: marker };
}

/** The variable by which the processes of a run are found. */
export const MARKER_NAME = "RUN_OF_IMDSGATE_TESTS";

function exitCodeOf(child: ReturnType<typeof spawn>): Promise<number> {
  const { promise, resolve } = Promise.withResolvers<number>();
  child.on("error", (error) => {
    process.stderr.write(`${error.message}\n`);
    resolve(1);
  });
  child.on("close", (code) => resolve(code ?? 1));
  return promise;
}
