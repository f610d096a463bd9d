import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";

const ROOT = join(import.meta.dirname, "../..");

/** How a demonstration went, and what of it is still there. */
export interface DemoRun {
  readonly exitCode: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
  /** Processes of its session, temporary files, and links, named namespaces and mounts of this machine that were not there before. */
  readonly left: readonly string[];
}

export interface DemoWish {
  readonly args: readonly string[];
  /** What stands before `node` on the command line. */
  readonly wrapper?: readonly string[];
  /** Where `wrapper` makes the checkout appear; else it is where it is. */
  readonly checkout?: string;
  /** Once stdout holds this text, SIGINT goes to the demonstration, or to its whole group as a terminal sends it. */
  readonly interrupt?: { readonly at: string; readonly whom: "itself" | "group" };
}

/** Runs `imdsgate demo` in a session of its own, as an ordinary shell would, with AWS settings around that it must not heed. */
export async function runDemo({ args, wrapper = [], checkout = ROOT, interrupt }: DemoWish): Promise<DemoRun> {
  const temporary = mkdtempSync(join(tmpdir(), "imdsgate-demo-"));
  onTestFinished(() => rmSync(temporary, { recursive: true, force: true }));
  const before = machineParts();
  const [program = "", ...rest] = [...wrapper, process.execPath.replace(ROOT, checkout), join(checkout, "src/cli.ts"), "demo", ...args];
  const aws = {
    AWS_ACCESS_KEY_ID: "AKIAOFTHECALLER00000",
    AWS_SECRET_ACCESS_KEY: "no",
    AWS_REGION: "mars-1",
    AWS_ENDPOINT_URL: "http://127.0.0.1:1",
  };
  const child = spawn(program, rest, {
    detached: true,
    env: { ...process.env, ...aws, TMPDIR: temporary },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const session = child.pid ?? 0;
  onTestFinished(() => {
    for (const { pid } of processesOf(session)) process.kill(pid, "SIGKILL");
  });

  const seen = { stdout: "", stderr: "", isInterrupted: false };
  for (const name of ["stdout", "stderr"] as const) {
    child[name].setEncoding("utf8").on("data", (text: string) => {
      seen[name] += text;
      if (!interrupt || seen.isInterrupted || !seen.stdout.includes(interrupt.at)) return;
      seen.isInterrupted = true;
      process.kill(interrupt.whom === "group" ? -session : session, "SIGINT");
    });
  }
  const exitCode = await new Promise<number | undefined>((resolve) => child.on("close", (code) => resolve(code ?? undefined)));
  const left = [
    ...processesOf(session).map(({ words }) => words),
    ...readdirSync(temporary),
    ...machineParts().filter((part) => !before.includes(part)),
  ];
  return { exitCode, stdout: seen.stdout, stderr: seen.stderr, left };
}

/** What differs from run to run, replaced by words. */
export function withoutChance(text: string): string {
  return text
    .replaceAll(/ASIA(?!HOST)[A-Z2-7]{16}/g, "ASIA…")
    .replaceAll(/\d\d:\d\d:\d\d\.\d{3} /g, "TIME ")
    .replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, "TIME")
    .replaceAll(/127\.0\.0\.1:\d+/g, "127.0.0.1:PORT")
    .replaceAll(/in \d+\.\d s/g, "in SECONDS s")
    .replaceAll(/\d+ (answers|bytes|lines)/g, "N $1")
    .replaceAll(/"version":"[^"]+"|imdsgate \d\S+:/g, "VERSION")
    .replaceAll(/"rules":"(nftables|iptables-nft|iptables-legacy)"/g, '"rules":"BACKEND"');
}

function processesOf(session: number): readonly { readonly pid: number; readonly words: string }[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      // The fields behind the program's name, which may hold blanks: state, parent, group, session.
      const [state, , , id] = readQuietly(`/proc/${name}/stat`)
        .replace(/^.*\) /s, "")
        .split(" ");
      const isOurs = Number(id) === session && state !== "Z";
      return isOurs ? [{ pid: Number(name), words: readQuietly(`/proc/${name}/cmdline`).replaceAll("\0", " ") }] : [];
    });
}

function machineParts(): readonly string[] {
  const namesIn = (folder: string) => (existsSync(folder) ? readdirSync(folder).map((name) => `${folder}/${name}`) : []);
  const mounts = readFileSync("/proc/self/mounts", "utf8").split("\n");
  return [...namesIn("/run/netns"), ...namesIn("/sys/class/net"), ...mounts.map((line) => `mount ${line}`)];
}

function readQuietly(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}
