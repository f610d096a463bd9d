import type { Argv } from "yargs";
import { sleep, systemClock } from "../clock.ts";
import { demoFailed } from "../demo/failure.ts";
import { imdsgateWords } from "../demo/imdsgate-program.ts";
import { setLoopbackStage } from "../demo/loopback-stage.ts";
import { networkNamespace, setNamespaceStage } from "../demo/namespace-stage.ts";
import { type Obstacle, rehearse, type Wrapper } from "../demo/obstacle.ts";
import { createPage, type Page } from "../demo/page.ts";
import type { Stage } from "../demo/stage.ts";
import { tellStory } from "../demo/story.ts";
import { runCommand, runOnTerminal } from "../run-command.ts";
import { readVersion } from "../version.ts";
import type { Command, CommandIo } from "./command.ts";

/** What `demo` is told on the command line. */
export interface DemoArguments {
  readonly mode: "auto" | "namespaces" | "loopback";
  /** How it was started, for the commands that it names. */
  readonly "called-as": string;
  /** Set by the demonstration itself when it starts anew in namespaces: the network namespace that it came from. */
  readonly "came-from": string | undefined;
}

const FAILED = 1;
const INTERRUPTED = 130;

/** `imdsgate demo`: the main job on embedded services, told to a newcomer. It is a test too: what is not as told makes it fail. */
export const demoCommand: Command<DemoArguments> = {
  builder: buildDemo,
  run: runDemo,
};

function buildDemo(yargs: Argv): Argv<DemoArguments> {
  return yargs
    .usage(
      "imdsgate demo\n\nThree containers, an embedded metadata service and an embedded STS: what each container asks, what it gets, and what the log says. It changes nothing on this machine and leaves nothing behind.",
    )
    .option("mode", {
      choices: ["auto", "namespaces", "loopback"] as const,
      default: "auto" as const,
      describe:
        "namespaces: with the kernel's rules, in namespaces of its own. loopback: the gateway alone. auto: namespaces where this machine gives them",
    })
    .option("called-as", { type: "string", default: "imdsgate demo", hidden: true })
    .option("came-from", { type: "string", hidden: true })
    .example("$0 demo", "takes some seconds")
    .epilogue("Exit codes: 0 all went as told, 1 something did not, 130 interrupted.");
}

/** Plays it and gives the exit code. Throws DEMO_FAILED. */
async function runDemo(args: DemoArguments, io: CommandIo): Promise<number> {
  const page = createPage(io.out);
  if (args["came-from"] !== undefined) return playInside(args["came-from"], page, io);
  if (args.mode === "loopback") return playOnLoopback({ reason: "--mode loopback was asked for", remedy: args["called-as"] }, page, io);
  const found = await rehearse(runCommand, process.getuid?.() === 0, args["called-as"]);
  if (isWrapper(found)) return startInside(found, args, io);
  if (args.mode === "auto") return playOnLoopback(found, page, io);
  throw demoFailed(`--mode namespaces: ${found.reason}. To see it there: ${found.remedy}`);
}

function isWrapper(found: Wrapper | Obstacle): found is Wrapper {
  return Array.isArray(found);
}

/** Starts this command anew in namespaces; they and all in them end with it. */
async function startInside(wrapper: Wrapper, args: DemoArguments, io: CommandIo): Promise<number> {
  const words = ["demo", "--mode", "namespaces", "--came-from", networkNamespace(), "--called-as", args["called-as"]];
  const [program = "", ...rest] = [...wrapper, ...imdsgateWords(words)];
  return (await runOnTerminal({ program, args: rest, signal: io.signal })) ?? FAILED;
}

/** The end of stdin is the wish to end: signals do not get through `unshare`. */
async function playInside(cameFrom: string, page: Page, io: CommandIo): Promise<number> {
  if (networkNamespace() === cameFrom || process.pid !== 1)
    throw demoFailed("--came-from is for the demonstration itself; type: imdsgate demo");
  const ending = new AbortController();
  process.stdin.once("close", () => ending.abort()).resume();
  page.title(`imdsgate ${readVersion()}: a demonstration`);
  page.say("Three containers, network namespaces made for this and gone with it. AWS is embedded: nothing leaves this machine.");
  const exitCode = await play(setNamespaceStage, page, { ...io, signal: AbortSignal.any([io.signal, ending.signal]) });
  process.stdin.destroy();
  return exitCode;
}

async function playOnLoopback({ reason, remedy }: Obstacle, page: Page, io: CommandIo): Promise<number> {
  page.title(`imdsgate ${readVersion()}: a demonstration`);
  page.say(`On loopback, since ${reason}: each container is an address of its own, and is pointed to the gateway.`);
  const exitCode = await play(setLoopbackStage, page, io);
  if (exitCode !== 0) return exitCode;
  page.say(
    `Not shown: the redirect of 169.254.169.254 in the kernel, and that nothing gets through when imdsgate stops. To see it: ${remedy}`,
  );
  return exitCode;
}

async function play(setStage: () => Promise<Stage>, page: Page, io: CommandIo): Promise<number> {
  const startedAt = systemClock.now();
  try {
    io.signal.throwIfAborted();
    await using stage = await setStage();
    await tellStory(stage, page, io.signal);
  } catch (error) {
    // A Ctrl-C reaches every program of the demonstration at once: what it breaks may be seen before the signal is.
    if (!io.signal.aborted) await sleep(systemClock, 300, io.signal);
    if (!io.signal.aborted) throw error;
    io.err("imdsgate demo: interrupted; nothing of it is left\n");
    return INTERRUPTED;
  }
  const seconds = ((systemClock.now() - startedAt) / 1_000).toFixed(1);
  page.title(`\nAll went as told, in ${seconds} s. Nothing of it is left on this machine.`);
  page.say("Next: the quick start in README.md, and imdsgate run --help");
  return 0;
}
