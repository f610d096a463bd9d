import { spawnSync } from "node:child_process";
import { PATH } from "./own-network.ts";

const LIMIT_MS = 30_000;

/** Runs a program to its end and gives its stdout. Throws what it said when it fails. */
export function runTool([file = "", ...args]: readonly string[], input = ""): string {
  const { status, stdout, stderr, error } = spawnSync(file, args, {
    env: { ...process.env, PATH },
    encoding: "utf8",
    timeout: LIMIT_MS,
    input,
  });
  if (status !== 0) throw new Error(`${[file, ...args].join(" ")}: ${error?.message ?? stderr}`);
  return stdout;
}

/** Runs the lines by one `ip`; `enter` goes in front of it. */
export function runIp(lines: readonly string[], enter: readonly string[] = []): void {
  runTool([...enter, "ip", "-batch", "-"], `${lines.join("\n")}\n`);
}

/** What goes in front of a program that is to run in the network of the process `pid`. */
export function enteringNetwork(pid: number): readonly string[] {
  return ["nsenter", "--target", `${pid}`, "--net"];
}
