import { SIM_ACCOUNT } from "../sim/instance-facts.ts";
import { jsonFields } from "./json-fields.ts";
import { type Answer, bodyOf, statusOf } from "./question.ts";

/** The outcome of an answer in a few words; undefined where it is not what it should be. */
export type Outcome = (answer: Answer) => string | undefined;

/** The parts of credentials that somebody received. */
export interface ReceivedKeys {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken: string;
}

/** 200 with exactly this text. */
export function isText(text: string): Outcome {
  return (answer) => (statusOf(answer) === 200 && bodyOf(answer).trim() === text ? text : undefined);
}

/** 404, and nothing that could be of use. */
export const isNotFound: Outcome = (answer) => (statusOf(answer) === 404 ? "404 Not Found" : undefined);

/** 404 or 400. Silence is no refusal: it could be a broken network. */
export const isRefused: Outcome = (answer) =>
  [400, 404].includes(statusOf(answer) ?? 0) ? answer.text.slice("HTTP/1.1 ".length, answer.text.indexOf("\r")) : undefined;

/** No answer at all. */
export const isSilence: Outcome = (answer) => answer.silence;

/** An IMDSv2 token. */
export const isToken: Outcome = (answer) => (/^[\w+/=-]{20,}$/.test(bodyOf(answer)) ? "an IMDSv2 token, from the real service" : undefined);

/** A credentials document with keys of whatever role. */
export const isKeys: Outcome = (answer) => {
  const keys = keysOf(answer);
  return keys === undefined ? undefined : `keys: ${keys.accessKeyId}`;
};

/** STS names a session of this role and this workload; shown without the account. */
export function isSessionOf(role: string, sessionName: string): Outcome {
  const session = `assumed-role/${role}/${sessionName}`;
  return (answer) => (bodyOf(answer).includes(`<Arn>arn:aws:sts::${SIM_ACCOUNT}:${session}</Arn>`) ? session : undefined);
}

/** What a credentials document gives; undefined where an answer is none. */
export function keysOf(answer: Answer): ReceivedKeys | undefined {
  const { Code, AccessKeyId, SecretAccessKey, Token } = jsonFields(bodyOf(answer));
  if (statusOf(answer) !== 200 || Code !== "Success") return undefined;
  if (typeof AccessKeyId !== "string" || typeof SecretAccessKey !== "string" || typeof Token !== "string") return undefined;
  return { accessKeyId: AccessKeyId, secretAccessKey: SecretAccessKey, sessionToken: Token };
}
