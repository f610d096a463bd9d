import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { writeMarkedSection } from "./marked-section.ts";
import { PATH } from "./own-network.ts";
import { ownedRun, type Run } from "./owned-run.ts";
import { type Launch, startProgram } from "./program.ts";
import { table } from "./table.ts";
import { startWireRecorder, type WireRecorder } from "./wire-recorder.ts";

const HELP = `node bench/fidelity.ts [--write]

Sends the requests and answers of test/contract/wire.json through http-proxy (as documented, and in its exact form) and
through imdsgate, and counts whose bytes arrive unchanged on the other side. Prints a table in Markdown. It asserts nothing.

  --write   put the table into docs/decisions/0001-the-wire-is-ours.md as well
  --help    this text
`;

interface WireCases {
  /** Latin-1; each is to reach upstream as it is, but for what `Connection` says. */
  readonly requests: readonly { readonly name: string; readonly raw: string }[];
  /** Latin-1; each is to reach the client as it is. */
  readonly answers: readonly { readonly name: string; readonly raw: string; readonly method: string }[];
}

type Fate = "kept" | "refused" | "changed";

interface Tally {
  readonly way: string;
  readonly requests: ReadonlyMap<string, Fate>;
  readonly answers: ReadonlyMap<string, Fate>;
  /** Targets that reached upstream as another one. */
  readonly rewritten: readonly { readonly from: string; readonly to: string }[];
}

const CLI = fileURLToPath(new URL("../src/cli.ts", import.meta.url));
const FORWARDER = fileURLToPath(new URL("http-proxy-forwarder.ts", import.meta.url));
const PAGE = fileURLToPath(new URL("../docs/decisions/0001-the-wire-is-ours.md", import.meta.url));
const PLAIN_ANSWER = Buffer.from("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi");

async function main(flags: readonly string[]): Promise<number> {
  const unknown = flags.filter((flag) => flag !== "--write" && flag !== "--help");
  if (flags.includes("--help") || unknown.length > 0) {
    process.stdout.write(HELP);
    return unknown.length > 0 ? 2 : 0;
  }
  const report = renderTallies(await ownedRun(tallyAll));
  process.stdout.write(`${report}\n`);
  if (flags.includes("--write")) writeMarkedSection(PAGE, "measured", report);
  return 0;
}

async function tallyAll({ owner, directory }: Run): Promise<readonly Tally[]> {
  const cases: WireCases = JSON.parse(readFileSync(new URL("../test/contract/wire.json", import.meta.url), "utf8"));
  const recorder = await startWireRecorder(owner);
  const tallies: Tally[] = [];
  for (const [way, launch] of Object.entries(waysTo(recorder.port, directory))) {
    process.stderr.write(`${way}\n`);
    const { port } = await startProgram(launch, owner);
    tallies.push({ way, ...(await tallyOf(cases, recorder, port)) });
  }
  return tallies;
}

/** Each way of forwarding to the recorder on `port`; `directory` takes the log. */
function waysTo(port: number, directory: string): Readonly<Record<string, Launch>> {
  const target = `http://127.0.0.1:${port}`;
  const flags = ["--rules", "none", "--runtime", "none", "--listen", "127.0.0.1:0", "--upstream", target, "--region", "eu-central-1"];
  return {
    "http-proxy as documented": { command: node(FORWARDER, "documented", "127.0.0.1", target) },
    "http-proxy in its exact form": { command: node(FORWARDER, "exact", "127.0.0.1", target) },
    imdsgate: {
      command: node(CLI, "run", ...flags, "--account", "111111111111", "--log-format", "json"),
      environment: { PATH, AWS_ACCESS_KEY_ID: "AKIABENCHMARK0000000", AWS_SECRET_ACCESS_KEY: "base", AWS_EC2_METADATA_DISABLED: "true" },
      logPath: `${directory}/imdsgate.log`,
    },
  };
}

function node(script: string, ...args: readonly string[]): readonly string[] {
  return [process.execPath, script, ...args];
}

async function tallyOf(cases: WireCases, recorder: WireRecorder, port: number): Promise<Omit<Tally, "way">> {
  const requests = new Map<string, Fate>();
  const rewritten: { from: string; to: string }[] = [];
  for (const { name, raw } of cases.requests) {
    const { seen } = await recorder.carry(port, Buffer.from(raw, "latin1"), PLAIN_ANSWER);
    const arrived = seen.toString("latin1");
    requests.set(name, fateOf(withoutConnection(arrived), withoutConnection(raw)));
    const [from, to] = [targetOf(raw), targetOf(arrived)];
    if (arrived !== "" && from !== to) rewritten.push({ from, to });
  }
  const answers = new Map<string, Fate>();
  for (const { name, raw, method } of cases.answers) {
    const request = Buffer.from(`${method} /x HTTP/1.1\r\nHost: 169.254.169.254\r\nConnection: close\r\n\r\n`);
    const { answer } = await recorder.carry(port, request, Buffer.from(raw, "latin1"));
    answers.set(name, fateOf(answer.toString("latin1"), raw));
  }
  return { requests, answers, rewritten };
}

function fateOf(arrived: string, sent: string): Fate {
  if (arrived === sent) return "kept";
  return arrived === "" ? "refused" : "changed";
}

function withoutConnection(request: string): string {
  return request.replace(/^connection:[^\r]*\r\n/gim, "");
}

function targetOf(request: string): string {
  return request.split(" ", 2)[1] ?? "";
}

function renderTallies(tallies: readonly Tally[]): string {
  const rows = tallies.map(({ way, requests, answers, rewritten }) => {
    const fates = [...requests.values(), ...answers.values()];
    const kept = (of: ReadonlyMap<string, Fate>) => `${[...of.values()].filter((fate) => fate === "kept").length} of ${of.size}`;
    const count = (wanted: Fate) => String(fates.filter((fate) => fate === wanted).length);
    return [way, kept(requests), kept(answers), count("kept"), count("refused"), count("changed"), String(rewritten.length)];
  });
  const header = ["way", "requests kept", "answers kept", "kept in all", "refused", "changed", "targets rewritten"];
  return [table(header, rows), ...tallies.map(renderLosses)].join("\n\n");
}

function renderLosses({ way, requests, answers, rewritten }: Tally): string {
  const lists = (["refused", "changed"] as const).flatMap((fate) => [
    `requests ${fate}: ${namesWith(fate, requests)}`,
    `answers ${fate}: ${namesWith(fate, answers)}`,
  ]);
  const targets = rewritten.map(({ from, to }) => `${code(from)} as ${code(to)}`);
  const lines = [
    ...lists.filter((text) => !text.endsWith(" none")),
    ...(targets.length > 0 ? [`another target: ${targets.join(", ")}`] : []),
  ];
  return [`**${way}**`, "", ...lines.map((text) => `- ${text}`)].join("\n");
}

function namesWith(wanted: Fate, of: ReadonlyMap<string, Fate>): string {
  const names = [...of].filter(([, fate]) => fate === wanted).map(([name]) => code(name));
  if (names.length === of.size) return "all";
  return names.length === 0 ? "none" : names.join(", ");
}

function code(text: string): string {
  return text.includes("`") ? `\`\` ${text} \`\`` : `\`${text}\``;
}

process.exitCode = await main(process.argv.slice(2));
