// What ./scripts/clients runs once the set-up is done: tries the clients and prints the page of docs/clients.md, which it writes with --all.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { isDeepStrictEqual, parseArgs } from "node:util";
import { CLIENTS, obstacleOf } from "../test/clients/clients.ts";
import { startStage } from "../test/clients/stage.ts";
import { expectedOf, tryClients, verdictsOf } from "../test/clients/trial.ts";
import { clientsPage } from "./lib/clients-page.ts";

const HELP = `Usage: npm run clients -- [--all] [CLIENT ...]

Tries unmodified AWS clients in a container's network namespace, behind the kernel's redirect. Needs root.

  --all     also the clients whose set-up is heavy; writes docs/clients.md
  CLIENT    only these: ${CLIENTS.map(({ name }) => name).join(", ")}
`;

process.exitCode = await main();

async function main(): Promise<number> {
  const options = { all: { type: "boolean", default: false }, help: { type: "boolean", default: false } } as const;
  const { values, positionals } = parseArgs({ options, allowPositionals: true });
  if (values.help) {
    process.stdout.write(HELP);
    return 0;
  }
  const named = CLIENTS.filter(({ name, weight }) =>
    positionals.length > 0 ? positionals.includes(name) : values.all || weight === "light",
  );
  const here = named.filter((client) => obstacleOf(client) === undefined);
  const stage = await startStage();
  try {
    const trials = await tryClients(stage, here, (text) => process.stderr.write(`${text}\n`));
    const page = clientsPage(named, trials);
    process.stdout.write(page);
    if (values.all && positionals.length === 0) writeFileSync(join(import.meta.dirname, "../docs/clients.md"), page);
    return here.every((client) => isDeepStrictEqual(verdictsOf(trials.get(client.name)), expectedOf(client))) ? 0 : 1;
  } finally {
    await stage.stop();
  }
}
