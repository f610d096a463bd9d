/** Plays fleets of 10 to 10,000 hosts against the quota of STS: `node bench/fleet.ts`. */
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { renderFleet } from "./fleet-report.ts";
import { type FleetFindings, type FleetPlan, simulateFleet } from "./fleet-simulation.ts";
import { writeMarkedSection } from "./marked-section.ts";

const HELP = `node bench/fleet.ts [--write]

Plays fleets of hosts that share one account's quota of AssumeRole: their leases, budgets, jitter and backoff are the real ones, time and STS
are not. Each fleet has its steady state, half an hour without STS, and a start of all hosts at one moment. Prints tables in Markdown;
progress goes to stderr. The same fleet gives the same figures each time. It takes about a minute.

  --write     put the tables into docs/fleet.md as well
  --help      this text
`;

const HOSTS = [10, 100, 1_000, 3_000, 10_000];
/** A hundred containers on each host with a session each; or a session for each of ten roles (--session-scope role). */
const LEASES = [100, 10];

/** The fleets of the tables in docs/fleet.md. */
export const FLEETS: readonly FleetPlan[] = LEASES.flatMap((leases) => HOSTS.map((hosts) => ({ hosts, leases })));

async function main(): Promise<number> {
  const values = parseFlags(process.argv.slice(2));
  if (values === undefined || values.help) {
    process.stdout.write(HELP);
    return values === undefined ? 2 : 0;
  }
  const all: FleetFindings[] = [];
  for (const plan of FLEETS) {
    process.stderr.write(`${plan.hosts} hosts with ${plan.leases} leases each\n`);
    all.push(await simulateFleet(plan));
  }
  const markdown = renderFleet(all);
  process.stdout.write(`${markdown}\n`);
  if (values.write) writeMarkedSection(fileURLToPath(new URL("../docs/fleet.md", import.meta.url)), "fleet", markdown);
  return 0;
}

/** Undefined when a flag is none of ours. */
function parseFlags(args: readonly string[]): { readonly write?: boolean; readonly help?: boolean } | undefined {
  const flag = { type: "boolean" } as const;
  try {
    return parseArgs({ args: [...args], options: { write: flag, help: flag } }).values;
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    return undefined;
  }
}

if (import.meta.main) process.exitCode = await main();
