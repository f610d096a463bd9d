import { type Endpoint, endpointText } from "../address.ts";
import { SIM_ACCOUNT } from "../sim/instance-facts.ts";
import { demoFailed } from "./failure.ts";
import { startImdsgate } from "./imdsgate-program.ts";
import { jsonFields } from "./json-fields.ts";
import type { Stage } from "./stage.ts";

/** A line of the log, parsed. */
export type LogRecord = Readonly<Record<string, unknown>>;

/** `imdsgate run`, as the demonstration started it. */
export interface Gateway extends AsyncDisposable {
  /** Its ready line. */
  readonly ready: string;
  /** Where containers find the metadata service now. */
  readonly metadata: Endpoint;
  /** The first line of its log with all of `fields`, waited for at most 3 s; undefined when there is none. */
  logged(fields: LogRecord): Promise<string | undefined>;
  /** All that it printed so far. */
  output(): string;
  /** Ends it and gives its exit code. */
  stop(): Promise<number | undefined>;
}

const FACTS_MS = 10_000;
const LOG_MS = 3_000;

/** The command that a user would type on such a host, without the program's name. */
export function runWords({ containers, sts, flags }: Stage): readonly string[] {
  return [
    ...["run", "--bind", "name:fluentd=fluentd-role", "--bind", "name:php=php-role"],
    ...Object.values(containers).flatMap(({ name, address }) => ["--workload", `${name}=${address}`]),
    ...["--runtime", "none", "--sts-endpoint", `http://${endpointText(sts).replace(/:80$/, "")}`, "--log-format", "json"],
    ...flags,
  ];
}

/** Starts it and waits until it knows its account too, without which no role is given. Throws DEMO_FAILED, also when `signal` aborts. */
export async function startGateway(stage: Stage, signal: AbortSignal): Promise<Gateway> {
  const { program, ready, port } = await startImdsgate(runWords(stage));
  const gateway: Gateway = {
    ready,
    metadata: stage.hasRedirect ? stage.imds : { host: "127.0.0.1", port },
    logged: (fields) => program.line((line) => hasFields(line, fields), LOG_MS, signal),
    output: () => program.lines.join("\n"),
    stop: program.stop,
    [Symbol.asyncDispose]: async () => void (await program.stop()),
  };
  const facts = { "event.name": "imdsgate.host-facts", "imdsgate.account": SIM_ACCOUNT };
  if (await program.line((line) => hasFields(line, facts), FACTS_MS, signal)) return gateway;
  await program.stop();
  throw demoFailed(`imdsgate did not find out the account of this host: ${program.lines.slice(-5).join("\n")}`);
}

function hasFields(line: string, fields: LogRecord): boolean {
  const record = jsonFields(line);
  return Object.entries(fields).every(([key, value]) => record[key] === value);
}
