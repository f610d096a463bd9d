import type { StsQuestion, StsTurn } from "../../support/scripted-sts-server.ts";

/** One AssumeRole for the role that has the fault. */
export interface Call {
  readonly question: StsQuestion;
  /** Of this role's calls since the fault began, from 1. */
  readonly nth: number;
  /** Of all calls, so that all keys are different. */
  readonly serial: number;
  /** Milliseconds since the epoch, by imdsgate's clock. */
  readonly now: number;
}

/** What may differ from a good answer. */
interface Over {
  readonly arn?: string;
  readonly expiration?: string;
}

const NAMESPACE = 'xmlns="https://sts.amazonaws.com/doc/2011-06-15/"';

/** The answer of STS to AssumeRole, whole and right but for what is given. */
export function keysXml({ question, serial, now }: Call, over: Over = {}): string {
  const [, , , , account = "", resource = ""] = question.roleArn.split(":");
  const role = resource.slice(resource.lastIndexOf("/") + 1);
  const arn = over.arn ?? `arn:aws:sts::${account}:assumed-role/${role}/${question.sessionName}`;
  const expiration = over.expiration ?? secondsOf(now + question.durationSeconds * 1_000);
  const keys = [
    `<AccessKeyId>ASIA${`${serial}`.padStart(16, "0")}</AccessKeyId>`,
    `<SecretAccessKey>secretAccessKeyOfTheTests${serial}</SecretAccessKey>`,
    `<SessionToken>sessionTokenOfTheTests${serial}</SessionToken>`,
    `<Expiration>${expiration}</Expiration>`,
  ];
  const result = `<AssumedRoleUser><Arn>${arn}</Arn><AssumedRoleId>AROA:x</AssumedRoleId></AssumedRoleUser><Credentials>${keys.join("")}</Credentials>`;
  return `<AssumeRoleResponse ${NAMESPACE}><AssumeRoleResult>${result}</AssumeRoleResult></AssumeRoleResponse>`;
}

/** A whole HTTP answer, after which the server closes. */
export function httpTurn(status: number, body: string, type = "text/xml", lines: readonly string[] = []): StsTurn {
  const head = [`HTTP/1.1 ${status} X`, `Content-Type: ${type}`, `Content-Length: ${body.length}`, "Connection: close", ...lines];
  return { bytes: `${head.join("\r\n")}\r\n\r\n${body}`, ending: "end" };
}

/** Good keys, but for what is given. */
export function keysTurn(call: Call, over?: Over): StsTurn {
  return httpTurn(200, keysXml(call, over));
}

/** The answer to GetCallerIdentity. */
export function callerTurn(): StsTurn {
  const arn = "arn:aws:sts::111122223333:assumed-role/host/i-0abc";
  const result = `<GetCallerIdentityResult><Arn>${arn}</Arn></GetCallerIdentityResult>`;
  return httpTurn(200, `<GetCallerIdentityResponse ${NAMESPACE}>${result}</GetCallerIdentityResponse>`);
}

/** An error in the words of STS. */
export function errorTurn(status: number, code: string, message = "no", lines: readonly string[] = []): StsTurn {
  const error = `<Error><Type>Sender</Type><Code>${code}</Code><Message>${message}</Message></Error>`;
  return httpTurn(status, `<ErrorResponse ${NAMESPACE}>${error}<RequestId>1</RequestId></ErrorResponse>`, "text/xml", lines);
}

/** A time as STS writes it. */
export function secondsOf(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`;
}
