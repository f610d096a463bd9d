import { SIM_INSTANCE_ROLE } from "../../../src/sim/instance-facts.ts";
import { type Excuse, excuseFor } from "./allowed-refusals.ts";
import type { Answer, AnswerLog } from "./answer-log.ts";
import type { Chronicle, KnownContainer } from "./chronicle.ts";
import { ACCOUNT } from "./churn-stage.ts";
import { countMs, type Durations } from "./durations.ts";

/** What a run came to. */
export interface Verdict {
  answers: number;
  /** Those over a connection that was opened before. */
  early: number;
  /** How long those took that were served. */
  readonly took: Durations;
  /** Each with what is wrong about it. */
  readonly wrong: string[];
  readonly hostCredentials: string[];
  /** Refusals that no row of the table allows. */
  readonly unexcused: string[];
  /** `OUTCOME, EXCUSE` to how many. */
  readonly refusals: Map<string, number>;
  /** Requests of containers older than a second with nothing done to themselves, while there was a gateway; and those while all else was well too. */
  readonly old: { asked: number; served: number };
  readonly calm: { asked: number; served: number };
}

/** Whose keys these are, as STS says; undefined for keys that it never gave out. */
export type OwnerOf = (accessKeyId: string) => string | undefined;

const OLD_MS = 1_000;

/** Compares each answer with the truth. */
export function judge(logs: Iterable<AnswerLog>, chronicle: Chronicle, ownerOf: OwnerOf): Verdict {
  const verdict: Verdict = {
    answers: 0,
    early: 0,
    took: new Map(),
    wrong: [],
    hostCredentials: [],
    unexcused: [],
    refusals: new Map(),
    old: { asked: 0, served: 0 },
    calm: { asked: 0, served: 0 },
  };
  for (const log of logs) {
    const container = chronicle.containers.get(log.key);
    if (!container) throw new Error(`an answer of ${log.key}, which is no container`);
    for (const answer of log.answers) judgeAnswer(answer, { verdict, log, container, chronicle, ownerOf });
  }
  return verdict;
}

interface Circumstances {
  readonly verdict: Verdict;
  readonly log: AnswerLog;
  readonly container: KnownContainer;
  readonly chronicle: Chronicle;
  readonly ownerOf: OwnerOf;
}

function judgeAnswer(answer: Answer, at: Circumstances): void {
  const { verdict, container, log, chronicle } = at;
  verdict.answers += 1;
  if (answer.openedAt < answer.sentAt) verdict.early += 1;
  const isServed = answer.outcome === (container.role === undefined ? "404" : "200");
  if (isServed) countMs(verdict.took, answer.doneAt - answer.sentAt);
  const isOld = answer.sentAt - log.bornAt > OLD_MS;
  const own = ordealsOf(container.ordeals, answer);
  const everybodys = ordealsOf(chronicle.ordeals, answer);
  if (isOld && own.length === 0 && !everybodys.includes("gateway-down")) countServed(verdict, isServed, everybodys.length === 0);
  if (answer.outcome === "200") judgeGiven(answer, at);
  else if (!isServed) judgeRefusal(answer, [...own, ...everybodys, ...(isOld ? [] : (["young"] as const))], at);
}

function judgeGiven(answer: Answer, at: Circumstances): void {
  const { name, credentials } = SIM_INSTANCE_ROLE;
  if ([name, credentials.accessKeyId].some((hosts) => answer.value.includes(hosts))) at.verdict.hostCredentials.push(told(answer, at));
  const problem = problemWith(answer, at);
  if (problem !== undefined) at.verdict.wrong.push(`${told(answer, at)} ${problem}`);
}

function judgeRefusal(answer: Answer, excuses: readonly Excuse[], at: Circumstances): void {
  const { outcome } = answer;
  const { unexcused, refusals } = at.verdict;
  const excuse = excuseFor(outcome, excuses);
  if (excuse === undefined) unexcused.push(`${told(answer, at)} while ${excuses.join(", ") || "nothing was wrong"}`);
  const kind = `${outcome}, ${excuse ?? "NOT ALLOWED"}`;
  refusals.set(kind, (refusals.get(kind) ?? 0) + 1);
}

function told(answer: Answer, { container: { key, role } }: Circumstances): string {
  return `${key} (${role ?? "no role"}): ${JSON.stringify(answer)}`;
}

/** A document must be of this very container's own session: the role alone would not tell two with the same role apart. */
function problemWith({ kind, value }: Answer, { container: { role, names, id }, ownerOf }: Circumstances): string | undefined {
  if (role === undefined) return "which has no binding";
  if (kind === "list") return value === role ? undefined : `is the role of another, not ${role}`;
  const owner = ownerOf(value);
  const own = names.map((name) => `arn:aws:sts::${ACCOUNT}:assumed-role/${role}/${name}-${id.slice(0, 12)}`);
  return owner !== undefined && own.includes(owner) ? undefined : `is of ${owner ?? "nobody"}, not of ${own.join(" or ")}`;
}

/** What went on at any moment of the connection. */
function ordealsOf(spans: Chronicle["ordeals"], { openedAt, doneAt }: Answer): readonly Excuse[] {
  return spans.filter(({ from, to }) => openedAt <= to && doneAt >= from).map(({ ordeal }) => ordeal);
}

function countServed({ old, calm }: Verdict, isServed: boolean, isCalm: boolean): void {
  for (const count of isCalm ? [old, calm] : [old]) {
    count.asked += 1;
    if (isServed) count.served += 1;
  }
}
