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
  /** How it was started, for commands that it names. */
  readonly calledAs: string;
  /** Set by the demonstration itself, which starts itself anew in namespaces: the network namespace that it came from. */
  readonly cameFrom: string | undefined;
}
