import type { Argv } from "yargs";
import { canonicalAddress, type Endpoint, endpointText } from "../address.ts";
import { systemClock } from "../clock.ts";
import { parseListen } from "../config/places.ts";
import { type Parsed, parsedOrThrow } from "../parsed.ts";
import type { Attack } from "../selftest/attack.ts";
import { CORPUS } from "../selftest/corpus.ts";
import { runSelftest, type SelftestResult, SOME_ROLE } from "../selftest/selftest.ts";
import type { Verdict } from "../selftest/verdict.ts";
import type { Command, CommandIo } from "./command.ts";

/** What `selftest` is told on the command line. */
export interface SelftestArguments {
  readonly gateway: string;
  readonly from: string | undefined;
  readonly "host-role": string | undefined;
  readonly "own-role": string | undefined;
}

const FAILED = 1;

/** `imdsgate selftest`: hostile requests from a container's place, a verdict for each. */
export const selftestCommand: Command<SelftestArguments> = {
  builder: buildSelftest,
  run: selftest,
};

function buildSelftest(yargs: Argv): Argv<SelftestArguments> {
  return yargs
    .usage(
      `imdsgate selftest\n\nSends ${CORPUS.length} requests that got credentials out of programs of this kind, or could, and says of each whether it was held. It has to run where a container is: in its network namespace.`,
    )
    .option("gateway", { type: "string", requiresArg: true, default: "169.254.169.254:80", describe: "who is asked, ADDRESS:PORT" })
    .option("from", { type: "string", requiresArg: true, describe: "ADDRESS to ask from, where this machine has several" })
    .option("host-role", {
      type: "string",
      requiresArg: true,
      describe:
        "NAME of the host's own role: attacks ask for it, and its name in an answer is a leak. Without it only what has another shape is seen",
    })
    .option("own-role", {
      type: "string",
      requiresArg: true,
      describe:
        "NAME of the role that this container has to get, or none: any other one is a leak. Without it the role that it gets is taken for its own",
    })
    .example(
      "nsenter --net=/proc/PID/ns/net $0 selftest --host-role host-role --own-role web-role",
      "as the container whose process is PID",
    )
    .epilogue("Exit codes: 0 every attack was held, 1 something leaked or could not be judged, 2 bad usage.");
}

async function selftest(args: SelftestArguments, io: CommandIo): Promise<number> {
  const gateway = parsedOrThrow("--gateway", parseListen(args.gateway));
  const from = args.from === undefined ? undefined : parsedOrThrow("--from", parseFrom(args.from));
  const line = { gateway, from, clock: systemClock };
  const hostRole = args["host-role"];
  const result = await runSelftest({ line, attacks: CORPUS, hostRole, signal: io.signal });
  if (!result) {
    io.err(`imdsgate selftest: ${silence(gateway)}\n`);
    return FAILED;
  }
  io.out(`${result.verdicts.length} hostile requests to ${endpointText(gateway)}, ${tokenText(result)}\n`);
  const role = roleVerdict(result, args);
  io.out(`${lineOf("own-role", role, `the role that this container gets: ${result.own.name ?? "none"}`)}\n`);
  for (const { attack, verdict } of result.verdicts) io.out(`${lineOf(attack.name, verdict, requestText(attack, hostRole))}\n`);
  const all = [role, ...result.verdicts.map(({ verdict }) => verdict)];
  const count = (kind: Verdict["kind"]) => all.filter((verdict) => verdict.kind === kind).length;
  io.out(`${count("held")} held, ${count("leak")} leaked, ${count("unclear")} unclear\n`);
  const isWhole = result.verdicts.length === CORPUS.length;
  return isWhole && count("held") === all.length ? 0 : FAILED;
}

function parseFrom(text: string): Parsed<string> {
  const address = canonicalAddress(text);
  if (address !== undefined) return { value: address };
  return { problem: `${JSON.stringify(text)} is no address`, allowed: "an address of this machine", example: "172.17.0.2" };
}

/** The one question that the attacks cannot answer: whether the role that this container gets is its own. */
function roleVerdict({ own }: SelftestResult, args: SelftestArguments): Verdict {
  const name = own.name ?? "none";
  const wanted = args["own-role"];
  if (wanted !== undefined && name !== wanted) return { kind: "leak", status: 200, because: `it is not ${wanted}` };
  if (wanted === undefined && name === args["host-role"]) return { kind: "leak", status: 200, because: "it is the host's" };
  return { kind: "held", status: own.name === undefined ? 404 : 200, because: undefined };
}

function tokenText({ hasImdsToken }: SelftestResult): string {
  return hasImdsToken ? "with an IMDS token" : "without an IMDS token: none was given";
}

function silence(gateway: Endpoint): string {
  return `no metadata service answers at ${endpointText(gateway)}, so nothing can be judged; is the gateway running, and is this a container's network namespace?`;
}

function lineOf(name: string, { kind, status, because }: Verdict, what: string): string {
  const reason = because === undefined ? "" : `  <- ${because}`;
  return `${(kind === "leak" ? "LEAK" : kind).padEnd(8)}${String(status ?? "-").padEnd(5)}${name.padEnd(24)}${what}${reason}`;
}

function requestText({ request }: Attack, hostRole: string | undefined): string {
  const shown = request.replace("Host: 169.254.169.254\r\n", "").replace("{token}", "");
  const text = JSON.stringify(shown.replaceAll("{role}", hostRole ?? SOME_ROLE)).slice(1, -1);
  return text.length > 120 ? `${text.slice(0, 120)}…` : text;
}
