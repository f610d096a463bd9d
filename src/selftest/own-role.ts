import { fieldValues, parseAnswerHead } from "../answer-head.ts";
import { ask, type Line } from "./ask.ts";
import { getOf } from "./attack.ts";
import { readHeard } from "./heard-answer.ts";

/** What the gateway gives the one who asks here, by the ordinary way. */
export interface OwnRole {
  /** Undefined for a container without a role. */
  readonly name: string | undefined;
  readonly accessKeyIds: readonly string[];
  readonly profileArn: string | undefined;
}

/** The IMDS token that is given to whoever asks; undefined where none is given. */
export async function imdsTokenOf(line: Line): Promise<string | undefined> {
  const request =
    "PUT /latest/api/token HTTP/1.1\r\nHost: 169.254.169.254\r\nX-aws-ec2-metadata-token-ttl-seconds: 300\r\nContent-Length: 0\r\n\r\n";
  const answer = readHeard((await ask(line, Buffer.from(request))).bytes, "PUT");
  return answer?.status === 200 && /^[\x21-\x7e]{1,256}$/.test(answer.body) ? answer.body : undefined;
}

/** Whether a metadata service answers here at all: without one every attack would seem to have been held. */
export async function isAnswered(line: Line, imdsToken: string | undefined): Promise<boolean> {
  const { bytes } = await ask(line, requestOf("/latest/meta-data/instance-id", imdsToken));
  const text = bytes.toString("latin1");
  const head = parseAnswerHead(text.slice(0, Math.max(0, text.indexOf("\r\n\r\n"))), "GET");
  return head?.status === 200 && fieldValues(head.fields, "server").length > 0;
}

/** Asks by the ordinary way for role, credentials and profile. */
export async function ownRoleOf(line: Line, imdsToken: string | undefined): Promise<OwnRole> {
  const bodyOf = async (target: string): Promise<string> => {
    const answer = readHeard((await ask(line, requestOf(target, imdsToken))).bytes, "GET");
    return answer?.status === 200 ? answer.body : "";
  };
  const [name] = (await bodyOf("/latest/meta-data/iam/security-credentials/")).split("\n").filter((one) => one !== "");
  const document = name === undefined ? "" : await bodyOf(`/latest/meta-data/iam/security-credentials/${name}`);
  const info = await bodyOf("/latest/meta-data/iam/info");
  return { name, accessKeyIds: accessKeyIdsIn(document), profileArn: profileArnsIn(info)[0] };
}

/** Everything in `text` that has the shape of an access key id. */
export function accessKeyIdsIn(text: string): readonly string[] {
  return text.match(/\b(?:ASIA|AKIA|LSIA)[A-Z0-9]{12,124}\b/g) ?? [];
}

/** Every instance profile that `text` names. */
export function profileArnsIn(text: string): readonly string[] {
  return text.match(/\barn:aws[a-z-]*:iam::\d{12}:instance-profile\/[\x21\x23-\x7e]+/g) ?? [];
}

function requestOf(target: string, imdsToken: string | undefined): Buffer {
  return Buffer.from(
    getOf(target).replace("{token}", imdsToken === undefined ? "" : `X-aws-ec2-metadata-token: ${imdsToken}\r\n`),
    "latin1",
  );
}
