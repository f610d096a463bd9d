import { type Clock, sleep } from "../clock.ts";
import { ImdsgateError } from "../errors.ts";
import { findRedirectPort, releaseRules, removeAllRules } from "../rules/rules.ts";
import type { RunCommand } from "../run-command.ts";
import type { CommandIo } from "./command.ts";

/** Longer than a gateway that runs takes to put its rules back. */
const KEPT_WITHIN_MS = 1_200;
/** The question to a gateway may be overheard, in the middle of a change of its own. */
const MOST_TRIES = 3;

interface RemovalRooms {
  readonly io: CommandIo;
  readonly run: RunCommand;
  readonly clock: Clock;
}

/**
 * `imdsgate rules remove`; `stopsKeeper`: a gateway that keeps the rules is asked to let go of them first. Gives the exit code. Throws
 * RULES_FAILED where a gateway has put them back, and as `removeAllRules`.
 */
export async function removeRules(stopsKeeper: boolean, rooms: RemovalRooms): Promise<number> {
  const redirectPort = await findRedirectPort(rooms.run);
  if (!stopsKeeper && (await isServed(redirectPort, rooms.run))) throw keptByGateway();
  const removed = new Set<string>();
  let isReleased = false;
  for (let tries = 1; ; tries += 1) {
    const outcome = await takeOutOnce(stopsKeeper, rooms);
    isReleased ||= outcome.isReleased;
    for (const name of outcome.removed) removed.add(name);
    if (redirectPort === undefined || (await staysAway(rooms))) break;
    if (!stopsKeeper || tries === MOST_TRIES) throw putBack(stopsKeeper);
  }
  tellRemoval([...removed], isReleased, rooms.io);
  return 0;
}

async function takeOutOnce(stopsKeeper: boolean, { io, run, clock }: RemovalRooms) {
  const isReleased = stopsKeeper && (await releaseRules(run, clock, io.signal));
  return { isReleased, removed: await removeAllRules(run) };
}

/** Whether a gateway listens where the redirect leads. Where `ss` cannot tell, it turns out once the rules are gone. */
async function isServed(port: number | undefined, run: RunCommand): Promise<boolean> {
  if (port === undefined) return false;
  const { exitCode, stdout } = await run("ss", ["-Hltn", "sport", "=", `:${port}`]);
  return exitCode === 0 && stdout.trim() !== "";
}

async function staysAway({ io, run, clock }: RemovalRooms): Promise<boolean> {
  await sleep(clock, KEPT_WITHIN_MS, io.signal);
  return (await findRedirectPort(run)) === undefined;
}

function tellRemoval(removed: readonly string[], isReleased: boolean, io: CommandIo): void {
  if (isReleased) io.err("A gateway that runs let go of the rules and serves on. It keeps rules again once it is started anew.\n");
  const what = removed.length === 0 ? "There were no rules of imdsgate" : `The rules of imdsgate are gone (${removed.join(", ")})`;
  io.out(`${what}: containers reach the real metadata service, and with it the role of this host.\n`);
}

const HOW_TO_STOP = "To have it let go of them: imdsgate rules remove --stop-keeper";

function keptByGateway(): ImdsgateError {
  const found = "Nothing was changed: a gateway runs where the rules lead to, and would put them back.";
  return new ImdsgateError("RULES_FAILED", `${found} ${HOW_TO_STOP}`);
}

function putBack(wasAsked: boolean): ImdsgateError {
  const help = wasAsked ? "It does not let go of them: stop it first, then: imdsgate rules remove" : HOW_TO_STOP;
  return new ImdsgateError("RULES_FAILED", `The rules were taken out, and a gateway that runs has put them back. ${help}`);
}
