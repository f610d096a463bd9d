import type { Heard } from "./ask.ts";
import type { Attack } from "./attack.ts";
import { type HeardAnswer, readHeard } from "./heard-answer.ts";
import { accessKeyIdsIn, type OwnRole, profileArnsIn } from "./own-role.ts";

/** What became of one attack. */
export interface Verdict {
  /** `leak`: something came back that is not the container's own. `unclear`: neither that nor what a gateway has to answer. */
  readonly kind: "held" | "leak" | "unclear";
  readonly status: number | undefined;
  /** Undefined for what held. */
  readonly because: string | undefined;
}

/** What the answers are held against. */
export interface Yardstick {
  /** By the ordinary way, before and after the attacks. */
  readonly own: OwnRole;
  /** The name of the host's role, where the operator told it. */
  readonly hostRole: string | undefined;
}

const IAM_ROOT = "info\nsecurity-credentials/";

/** Judges what came back for `attack`, without knowing any secret of the host. */
export function verdictOn(attack: Attack, heard: Heard, yardstick: Yardstick): Verdict {
  const answer = readHeard(heard.bytes, attack.request.split(" ", 1)[0] ?? "");
  const found = giveAway(heard.bytes.toString("latin1"), yardstick);
  const status = answer?.status;
  if (found !== undefined) return { kind: "leak", status, because: found };
  if (!answer) return { kind: "unclear", status, because: heard.isClosed ? "closed without an answer" : "no answer within 10 s" };
  if (answer.surplus !== "") return { kind: "leak", status, because: "a second answer: the hidden request was run" };
  const problem = problemOf(attack, answer, yardstick.own);
  return problem ? { ...problem, status } : { kind: "held", status, because: undefined };
}

/** What in `text` cannot be the container's own; undefined where nothing is. */
function giveAway(text: string, { own, hostRole }: Yardstick): string | undefined {
  const keys = accessKeyIdsIn(text).filter((id) => !own.accessKeyIds.includes(id));
  if (keys.length > 0) return `the access key id ${keys[0]}, which is not the container's own`;
  const [profile] = profileArnsIn(text).filter((arn) => arn !== own.profileArn);
  if (profile !== undefined) return `the instance profile ${profile}, which is not the container's own`;
  return hostRole !== undefined && namesIn(text).includes(hostRole) ? `the name of the host's role, ${hostRole}` : undefined;
}

function problemOf(attack: Attack, { status, body }: HeardAnswer, own: OwnRole): Pick<Verdict, "kind" | "because"> | undefined {
  const { must } = attack;
  if (must === "relayed") return undefined;
  if (must === "own") {
    if (status >= 400) return undefined;
    if (status === 200) return isOwnText(body, own) ? undefined : { kind: "leak", because: "a text that is not the container's own" };
  } else if (status === must) return undefined;
  const wanted = must === "own" ? "an answer for this container" : `a refusal (${must})`;
  if (status < 400) return { kind: "leak", because: `the real service's own answer in place of ${wanted}` };
  return { kind: "unclear", because: `not ${wanted}` };
}

/** The listings and documents that a container gets of its own role; what they say of keys and profiles is judged before. */
function isOwnText(body: string, own: OwnRole): boolean {
  return body === "" || body === IAM_ROOT || body === own.name || /^\{\s*"Code" : "/.test(body);
}

/** The words of `text` that could be a role's name. */
function namesIn(text: string): readonly string[] {
  return text.match(/[\w+=,.@-]+/g) ?? [];
}
