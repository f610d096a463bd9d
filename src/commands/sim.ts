import { randomInt } from "node:crypto";
import { aborted } from "../aborted.ts";
import { type Endpoint, endpointText } from "../address.ts";
import { systemClock } from "../clock.ts";
import { parseListen } from "../config/places.ts";
import { parsedOrThrow } from "../parsed.ts";
import { startImds } from "../sim/imds.ts";
import { randomTokens } from "../sim/imds-tokens.ts";
import { SIM_FACTS, SIM_INSTANCE_ARN, SIM_INSTANCE_ROLE } from "../sim/instance-facts.ts";
import { startSts } from "../sim/sts.ts";
import type { Command, CommandIo } from "./command.ts";

/** What `sim` is told on the command line. */
export interface SimArguments {
  readonly service: "imds" | "sts";
  readonly listen: string;
  readonly tokens: "optional" | "required";
  /** Role ARNs that nobody may assume. */
  readonly refuse: readonly string[];
  /** A text that every secret of the embedded STS carries. */
  readonly canary: string;
  /** How many seconds the sessions of the embedded STS last; undefined for as long as they are asked for. */
  readonly life?: number | undefined;
}

/** `imdsgate sim imds|sts --listen HOST:PORT`: one embedded service until SIGTERM. The demonstration starts it; not in the main help. */
export const simCommand: Command<SimArguments> = {
  builder: (yargs) =>
    yargs
      .positional("service", { choices: ["imds", "sts"] as const, demandOption: true, describe: "which embedded service to start" })
      .option("listen", { type: "string", default: "127.0.0.1:0", describe: "where it listens, HOST:PORT; port 0 picks a free one" })
      .option("tokens", {
        choices: ["optional", "required"] as const,
        default: "optional" as const,
        describe: "imds: whether IMDSv1 is refused",
      })
      .option("refuse", {
        type: "string",
        array: true,
        default: [] as string[],
        describe: "sts: a role ARN that nobody may assume (repeatable)",
      })
      .option("canary", { type: "string", default: "", describe: "sts: a text that every secret carries" })
      .option("life", { type: "number", describe: "sts: how many seconds a session lasts, whatever is asked for" }),
  run: runSim,
};

/** Starts the service, prints one `ready` line of JSON and ends with 0 when `io.signal` aborts. Throws LISTEN_FAILED and CONFIG_INVALID. */
export async function runSim(args: SimArguments, io: CommandIo): Promise<number> {
  const listen = parsedOrThrow("--listen", parseListen(args.listen));
  await using service = args.service === "imds" ? await startEmbeddedImds(listen, args) : await startEmbeddedSts(listen, args);
  io.out(`${JSON.stringify({ event: "ready", listen: endpointText(service.endpoint) })}\n`);
  await aborted(io.signal);
  return 0;
}

function startEmbeddedImds(listen: Endpoint, args: SimArguments) {
  return startImds({
    listen,
    clock: systemClock,
    behaviour: "authentic",
    facts: SIM_FACTS,
    role: SIM_INSTANCE_ROLE,
    tokens: randomTokens(random),
    tokenUse: args.tokens,
  });
}

function startEmbeddedSts(listen: Endpoint, args: SimArguments) {
  return startSts({
    listen,
    clock: systemClock,
    random,
    baseCallerArn: SIM_INSTANCE_ARN,
    assumable: (_callerArn, roleArn) => !args.refuse.includes(roleArn),
    canary: args.canary,
    ...(args.life === undefined ? {} : { lifeSeconds: args.life }),
  });
}

function random(): number {
  return randomInt(2 ** 32) / 2 ** 32;
}
