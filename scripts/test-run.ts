// What ./scripts/test runs once the set-up is done: the groups, one after the other, then the summary. Its last line is `N passed, N failed`.
import { chmodSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { GROUPS, type Group, type Outcome, type RunPlace } from "./lib/test-groups.ts";
import { leftovers, machineState } from "./lib/test-leftovers.ts";
import { count, summaryText } from "./lib/test-summary.ts";

const HELP = `Usage: ./scripts/test [--strict] [GROUP ...]

Sets up what the tests need, runs them and ends with a summary. Exit code 0 when nothing failed, else 1.
As root everything runs; as an ordinary user the Docker tests do not, and the summary says so.

${GROUPS.map(({ name, about }) => `  ${name.padEnd(10)}${about}`).join("\n")}

  --strict  what this machine cannot run counts as failed
  --help    this text

  ./scripts/test                 everything
  ./scripts/test unit contract   two groups
`;

process.exitCode = await runTests();

async function runTests(): Promise<number> {
  const chosen = chooseGroups();
  if (typeof chosen === "string") {
    process.stderr.write(chosen);
    return chosen === HELP ? 0 : 2;
  }
  const stop = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => stop.abort());
  const folder = mkdtempSync(join(tmpdir(), "imdsgate-test-"));
  const place: RunPlace = { folder, temporary: join(folder, "tmp"), marker: folder, signal: stop.signal };
  chmodSync(folder, 0o755);
  mkdirSync(place.temporary);
  chmodSync(place.temporary, 0o1777);
  process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
  const before = machineState();
  const outcomes: Outcome[] = [];
  for (const group of chosen.groups) {
    if (stop.signal.aborted) return 1;
    process.stdout.write(`\n── ${group.name}: ${group.about}\n`);
    const startedAt = performance.now();
    const result = await group.run(place);
    outcomes.push({ name: group.name, seconds: (performance.now() - startedAt) / 1000, ...result });
  }
  outcomes.push({ name: "leftovers", seconds: 0, ...leftovers(place, before) });
  const total = count(outcomes, chosen.isStrict);
  process.stdout.write(summaryText(outcomes, chosen.isStrict));
  process.stdout.write(`${total.passed} passed, ${total.failed} failed\n`);
  return total.failed === 0 && total.passed > 0 ? 0 : 1;
}

function chooseGroups(): { readonly groups: readonly Group[]; readonly isStrict: boolean } | string {
  try {
    const { values, positionals } = parseArgs({
      options: { strict: { type: "boolean", default: false }, help: { type: "boolean", short: "h", default: false } },
      allowPositionals: true,
    });
    if (values.help) return HELP;
    const unknown = positionals.filter((name) => GROUPS.every((group) => group.name !== name));
    if (unknown.length > 0) return `./scripts/test: there is no group "${unknown.join(" ")}"\n\n${HELP}`;
    return { groups: GROUPS.filter(({ name }) => positionals.length === 0 || positionals.includes(name)), isStrict: values.strict };
  } catch (error) {
    return `./scripts/test: ${error instanceof Error ? error.message : String(error)}\n\n${HELP}`;
  }
}
