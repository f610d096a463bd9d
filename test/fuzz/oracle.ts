import { isInCredentialTree } from "../../src/sim/imds-path.ts";
import type { ReceivedAnswer } from "./client.ts";
import type { FuzzInput } from "./fuzz-input.ts";
import { DENIED_PATH, type UpstreamRecord } from "./fuzz-stage.ts";
import { readAsSent } from "./sent-request.ts";
import { SPEAKERS } from "./speakers.ts";

/** Everything that one input, or several at a time, led to. */
export interface Outcome {
  readonly played: readonly { readonly input: FuzzInput; readonly answer: ReceivedAnswer }[];
  readonly record: UpstreamRecord & { readonly bugs: readonly string[] };
}

/** What must never be, a sentence each; and how many of the inputs were passed on. */
export interface Judgement {
  readonly faults: readonly string[];
  readonly forwarded: number;
}

/** For a request that must not have any: not even the container's own. */
const ALL_SECRETS = [...new Set(SPEAKERS.flatMap(({ forbidden }) => forbidden))];

const PROBE = /^GET \/[A-Za-z0-9._-]{1,32}\/meta-data\/instance-id HTTP\/1\.[01]\r\n/;

/** Judges an outcome by what was sent alone: it knows nothing of the gateway's classes. */
export function judge({ played, record }: Outcome): Judgement {
  const upstream = writtenFaults(played, record);
  const faults = [
    ...record.seen.flatMap(({ target, lenientSegments }) => askedFault(target, lenientSegments) ?? []),
    ...upstream.faults,
    ...played.flatMap(({ input, answer }) => answerFaults(input, answer)),
    ...record.bugs.map((message) => `the gateway told of a bug: ${message}`),
  ];
  return { faults, forwarded: upstream.forwarded };
}

/** What nobody may be told, as the most lenient reader understands the target. */
function askedFault(target: string, segments: readonly string[]): string | undefined {
  if (isInCredentialTree(segments)) return `the upstream was asked for credentials: ${shown(target)}`;
  return segments[1] === DENIED_PATH ? `the upstream was asked for what the operator denies: ${shown(target)}` : undefined;
}

/** Whether a fault can come of a machine that is too busy, and not of the input. */
export function isOfTime(fault: string): boolean {
  return /^status 5|^the connection was neither/.test(fault);
}

/** Each connection to the upstream carries one request exactly as one input has it, or asks about the token of one. */
function writtenFaults(played: Outcome["played"], { written, seen }: UpstreamRecord): Judgement {
  const sent = played.map(({ input }) => readAsSent(input.bytes));
  const left = sent.map(({ forwardable }) => new Set(forwardable));
  const probes = new Set(sent.filter(({ isInOrder }) => isInOrder).map(({ probeFields }) => probeFields));
  const faults: string[] = [];
  let forwarded = 0;
  for (const text of written) {
    if (text === "" || isProbe(text, probes)) continue;
    const from = left.findIndex((forms) => forms.has(text));
    if (from < 0) faults.push(`the upstream got what nobody sent, or a second time: ${shown(text)}`);
    else forwarded++;
    left[from]?.clear();
  }
  if (seen.length > written.length) faults.push(`the upstream took ${written.length} requests for ${seen.length}`);
  return { faults, forwarded };
}

function isProbe(text: string, probes: ReadonlySet<string>): boolean {
  const [line] = PROBE.exec(text) ?? [];
  return line !== undefined && text.endsWith("\r\n\r\n") && probes.has(text.slice(line.length, -2));
}

function answerFaults({ bytes, speaker }: FuzzInput, answer: ReceivedAnswer): readonly string[] {
  const text = answer.bytes.toString("latin1");
  const sent = readAsSent(bytes);
  const forbidden = sent.mayHaveCredentials ? speaker.forbidden : ALL_SECRETS;
  const seen = forbidden.filter((mark) => text.includes(mark)).map((mark) => `${speaker.name} saw ${mark}`);
  return [...seen, ...shapeFaults(text, sent.method), ...(answer.isClosed ? [] : ["the connection was neither answered nor closed"])];
}

/** Nothing, or one whole answer and not a byte more. */
function shapeFaults(text: string, method: string): readonly string[] {
  if (text === "") return [];
  const [head, status] = /^HTTP\/1\.1 (\d{3}) [^\r\n]*\r\n(?:[^\r\n]+\r\n)*\r\n/.exec(text) ?? [];
  if (head === undefined) return [`the answer has no head: ${shown(text)}`];
  if (status?.startsWith("5")) return [`status ${status}, while everything behind the gateway is well`];
  const [, length] = /\r\nContent-Length: (\d+)\r\n/i.exec(head) ?? [];
  const isBodiless = method === "HEAD" || status === "304" || status === "204";
  const expected = isBodiless ? 0 : Number(length ?? Number.NaN);
  const size = text.length - head.length;
  return size === expected ? [] : [`the answer has ${size} bytes of body for ${expected}: ${shown(text)}`];
}

function shown(text: string): string {
  return JSON.stringify(text.length > 400 ? `${text.slice(0, 400)}…` : text);
}
