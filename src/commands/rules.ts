import type { Argv } from "yargs";
import { type Clock, systemClock } from "../clock.ts";
import { type Config, parseConfig } from "../config/config.ts";
import { hasCode, ImdsgateError } from "../errors.ts";
import { CGROUP_GUARD_CHAIN, canGuardCgroups, cgroupGuard, GUARDED_SECONDS } from "../rules/cgroup-guard.ts";
import { type CgroupTree, cgroupTree } from "../rules/cgroup-tree.ts";
import { isContainerDir } from "../rules/host-network.ts";
import { guardCgroups, hostNetworkPlan } from "../rules/host-network-look.ts";
import { differenceLine, type RuleDifference } from "../rules/rule-differences.ts";
import type { HostNetworkCapture } from "../rules/rule-set.ts";
import { chainInWords } from "../rules/rule-words.ts";
import { createRules, type Rules } from "../rules/rules.ts";
import { type RunCommand, runCommand } from "../run-command.ts";
import type { Command, CommandIo } from "./command.ts";
import { removeRules } from "./rules-removal.ts";

/** What `rules` is told on the command line; the settings among it go the way of `run`'s. */
export interface RulesArguments {
  readonly action: "show" | "check" | "diff" | "apply" | "remove";
  readonly all: boolean;
  readonly "dry-run"?: boolean;
  readonly "stop-keeper"?: boolean;
  readonly [flag: string]: unknown;
}

/** `imdsgate rules show|check|diff|apply|remove`: the kernel's rules without the gateway. */
export const rulesCommand: Command<RulesArguments> = {
  builder: buildRules,
  run: runRules,
};

function buildRules(yargs: Argv): Argv<RulesArguments> {
  return yargs
    .usage(
      "imdsgate rules show|check|diff|apply|remove\n\nThe kernel's rules without the gateway. Each action may be repeated: twice is the same as once.",
    )
    .positional("action", {
      choices: ["show", "check", "diff", "apply", "remove"] as const,
      demandOption: true,
      describe:
        "show: print the rules that stand, or what would be loaded where none do (as any user). check: exit 1, and say what differs, unless the kernel holds exactly what is wanted. diff: say what differs. apply: close the metadata service to containers; a redirect that stands is kept. remove: open it again",
    })
    .option("all", { type: "boolean", default: false, describe: "The redirect to the gateway too, not the closed part alone" })
    .option("dry-run", { type: "boolean", default: false, describe: "apply: print what would be loaded, and change nothing" })
    .option("stop-keeper", {
      type: "boolean",
      default: false,
      describe:
        "remove: a gateway that runs lets go of the rules first, and serves on. It keeps rules again once it is started anew, not after an apply by hand",
    })
    .option("rules", { type: "string", requiresArg: true, describe: "BACKEND: auto, nftables or iptables [default: auto]" })
    .option("interface", {
      type: "string",
      array: true,
      requiresArg: true,
      describe: "GLOB: redirect what arrives on these interfaces alone. Repeatable",
    })
    .option("listen", {
      type: "string",
      array: true,
      requiresArg: true,
      describe: "HOST:PORT: where the gateway listens [default: port 18169]",
    })
    .option("config", { type: "string", requiresArg: true, describe: "The file that imdsgate run is given" })
    .example("$0 rules show --all", "what imdsgate run would load here")
    .example("sudo $0 rules apply", "no metadata for any container until imdsgate runs; good before Docker starts")
    .example("sudo $0 rules check --all", "is everything in the kernel as imdsgate run put it there?")
    .example("sudo $0 rules remove", "containers see the real metadata service again, and this host's role with it")
    .example("sudo $0 rules remove --stop-keeper", "the same while a gateway runs, which would put them back");
}

/** What of the host an action touches. */
interface RulesRooms {
  readonly run: RunCommand;
  readonly clock: Clock;
  readonly tree: CgroupTree;
}

/** Does one action and gives the exit code. Throws CONFIG_INVALID and the RULES_* codes. */
export async function runRules(args: RulesArguments, io: CommandIo, rooms: RulesRooms = roomsHere()): Promise<number> {
  const { run, clock, tree } = rooms;
  if (args["stop-keeper"] === true && args.action !== "remove") throw stopKeeperMisplaced(args.action);
  if (args.action === "remove") return removeRules(args["stop-keeper"] === true, { io, run, clock });
  // No listener is opened here, so none can be unprotected; and no container is asked about.
  const config = parseConfig({ flags: { ...args, "listen-unprotected": true, runtime: "none" }, environment: io.environment });
  const rules = await createRules(run, wishFrom(config), config.interfaces);
  io.err(`${rules.backend}: ${rules.reason}\n`);
  const wanted = { parts: args.all ? "all" : "closed", gatewayPort: portFrom(config) } as const;
  if (args.action === "show") return showRules(rules, wanted, io);
  if (args.action === "apply") {
    const kept = await withStandingRedirect(rules, wanted, io);
    if (args["dry-run"] === true) return dryRun(rules, kept, io);
    const exitCode = await applyRules(rules, kept, io, tree);
    // Beside a redirect a gateway is there, and the guard its affair.
    if (kept.parts === "closed" && willBeFollowed(args, io)) await putCgroupGuard(rooms, io);
    return exitCode;
  }
  return compareRules(rules, wanted, io, { action: args.action, tree });
}

function roomsHere(): RulesRooms {
  return { run: runCommand, clock: systemClock, tree: cgroupTree() };
}

interface Wanted {
  readonly parts: "all" | "closed";
  readonly gatewayPort: number;
}

async function showRules(rules: Rules, { parts, gatewayPort }: Wanted, io: CommandIo): Promise<number> {
  const standing = await standingOrUndefined(rules);
  if (standing === undefined) io.err("What stands is for root's eyes: this is what would be loaded.\n");
  for (const { backend, chains, text } of standing ?? []) {
    io.out(`# ${backend} holds rules of imdsgate:\n${chains.map((chain) => `# - ${chainInWords(chain)}\n`).join("")}${text}`);
  }
  if (standing === undefined || standing.length === 0) io.out(await rules.render(parts, gatewayPort));
  return 0;
}

async function standingOrUndefined(rules: Rules): Promise<Awaited<ReturnType<Rules["standing"]>> | undefined> {
  try {
    return await rules.standing();
  } catch (error) {
    if (hasCode(error, "RULES_NOT_PERMITTED")) return undefined;
    throw error;
  }
}

/** A redirect that stands is held against all that belongs to it. */
async function compareRules(
  rules: Rules,
  { parts, gatewayPort }: Wanted,
  io: CommandIo,
  { action, tree }: { readonly action: "check" | "diff"; readonly tree: CgroupTree },
): Promise<number> {
  const compared = parts === "all" || (await rules.redirectPort()) !== undefined ? "all" : "closed";
  const differences = await leastDifferences(rules, compared, gatewayPort, tree);
  const what = compared === "all" ? `all rules, for a gateway at port ${gatewayPort}` : "the closed part alone (--all: the redirect too)";
  if (differences.length === 0) {
    io.out(`The kernel holds exactly what is wanted: ${what}.\n`);
    return 0;
  }
  io.out(differences.map((difference) => `${differenceLine(difference)}\n`).join(""));
  const repair = compared === "all" ? "imdsgate rules apply --all" : "imdsgate rules apply";
  io.err(`The kernel differs in ${differences.length} from what is wanted: ${what}. Repair: ${repair}\n`);
  return action === "check" ? 1 : 0;
}

/** A gateway leads containers with the host's network to itself where it can; `rules apply`, and a gateway without a runtime, does not. */
async function leastDifferences(
  rules: Rules,
  parts: Wanted["parts"],
  gatewayPort: number,
  tree: CgroupTree,
): Promise<readonly RuleDifference[]> {
  await rules.capture(await hostNetworkStanding(rules, tree));
  const withHostNetwork = await rules.differences(parts, gatewayPort);
  await rules.capture(undefined);
  const without = await rules.differences(parts, gatewayPort);
  return without.length <= withHostNetwork.length ? without : withHostNetwork;
}

/** The chains that catch sockets of this host, in the words of each backend. */
const CATCHES_HOST_NETWORK = / (?:output|output-closed|IMDSGATE-OUT|IMDSGATE-POST)$/;

function hostNetworkIn(tree: CgroupTree): HostNetworkCapture | undefined {
  return hostNetworkPlan({ ...NOBODY, tree, guard: undefined }).capture;
}

/**
 * What a gateway may have caught here: all places, and of the containers those that have a rule. Under its guard only those have one that are known to
 * have the host's network, and which these are it alone can say.
 */
async function hostNetworkStanding(rules: Rules, tree: CgroupTree): Promise<HostNetworkCapture | undefined> {
  const capture = hostNetworkIn(tree);
  const standing = await rules.standing();
  const isGuarded = standing.some(({ chains }) => chains.some(({ name }) => name === CGROUP_GUARD_CHAIN));
  if (capture === undefined || !isGuarded) return capture;
  const text = standing.map((one) => one.text).join("\n");
  const isAsWanted = (path: string) => text.includes(path) || !isContainerDir(path.slice(path.lastIndexOf("/") + 1));
  return { ...capture, caught: capture.caught.filter(isAsWanted) };
}

/** What is known of containers without a runtime. */
const NOBODY = { own: undefined, containers: () => [], isElsewhere: () => false };

/** A gateway that runs does not put its redirect back: one that stands is kept, to its port, where `--all` does not say another. */
async function withStandingRedirect(rules: Rules, wanted: Wanted, io: CommandIo): Promise<Wanted> {
  const standing = wanted.parts === "closed" ? await rules.redirectPort() : undefined;
  if (standing === undefined) return wanted;
  const instead = standing === wanted.gatewayPort ? "" : ` (--listen says ${wanted.gatewayPort}: with --all it would lead there)`;
  io.err(
    `The redirect to port ${standing} stands and is kept, for a gateway may run there${instead}. imdsgate rules remove takes it out.\n`,
  );
  return { parts: "all", gatewayPort: standing };
}

async function dryRun(rules: Rules, { parts, gatewayPort }: Wanted, io: CommandIo): Promise<number> {
  io.out(await rules.render(parts, gatewayPort));
  io.err("Nothing was changed (--dry-run).\n");
  return 0;
}

async function applyRules(rules: Rules, { parts, gatewayPort }: Wanted, io: CommandIo, tree: CgroupTree): Promise<number> {
  // What a gateway left to catch containers with the host's network must not open when the rest goes in anew.
  if ((await rules.standing()).some(({ chains }) => chains.some(({ name }) => CATCHES_HOST_NETWORK.test(name)))) {
    await rules.capture(hostNetworkIn(tree));
  }
  const oldFlows = await rules.apply(parts, gatewayPort);
  if (oldFlows === "no-conntrack-tool") {
    io.err('Connections that were open before end in silence: to end them at once, install the package "conntrack".\n');
  }
  io.out(
    parts === "all"
      ? `All rules are in: what containers ask of the metadata service goes to port ${gatewayPort}, and nowhere while no gateway listens there.\n`
      : "The closed part is in: containers reach no metadata until imdsgate runs, or until imdsgate rules remove.\n",
  );
  return 0;
}

/** Whether the gateway of these settings tells the guard of what comes and goes: not where its rules are another's, or no container is followed. */
function willBeFollowed(args: RulesArguments, { environment }: CommandIo): boolean {
  try {
    const { rules, runtime } = parseConfig({ flags: { ...args, "listen-unprotected": true }, environment });
    return rules !== "external" && runtime !== "none";
  } catch {
    // It would not start by these.
    return false;
  }
}

/** What starts between the rules and imdsgate is held back too; it is no failure where that cannot be. */
async function putCgroupGuard({ run, tree }: RulesRooms, io: CommandIo): Promise<void> {
  if (!(await canGuardCgroups(run, tree))) return;
  try {
    const isIn = await guardCgroups({ ...NOBODY, tree, guard: cgroupGuard(run) });
    if (isIn) io.err(`What starts on this host from now on waits for its metadata until imdsgate runs, ${GUARDED_SECONDS} s at most.\n`);
  } catch (error) {
    io.err(`There is no cgroup guard until imdsgate runs: ${error instanceof Error ? error.message : String(error)}\n`);
  }
}

function stopKeeperMisplaced(action: RulesArguments["action"]): ImdsgateError {
  return new ImdsgateError(
    "CONFIG_INVALID",
    `--stop-keeper belongs to remove, not to ${action}\n  example  imdsgate rules remove --stop-keeper`,
  );
}

/** `external` is for the gateway, whose rules another unit owns: that unit may well be this command. */
function wishFrom({ rules }: Config): "auto" | "nftables" | "iptables" {
  if (rules === "none")
    throw new ImdsgateError(
      "CONFIG_INVALID",
      "--rules none leaves nothing to show or apply\n  allowed  auto, nftables, iptables\n  example  --rules auto",
    );
  return rules === "external" ? "auto" : rules;
}

function portFrom({ listen }: Config): number {
  const port = listen[0]?.port ?? 0;
  if (port !== 0) return port;
  throw new ImdsgateError(
    "CONFIG_INVALID",
    "--listen: rules need the gateway's port, and port 0 is known only to the gateway that took it\n  example  --listen 0.0.0.0:18169",
  );
}
