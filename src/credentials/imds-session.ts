import type { Field } from "../answer-head.ts";
import { ImdsgateError } from "../errors.ts";
import type { ImdsAnswer, ImdsClient, ImdsQuestion } from "../imds-client.ts";

/** Reads one metadata item: the text of a 200, undefined for a 404. Rejects with UPSTREAM_UNAVAILABLE for anything else. */
export type ReadItem = (path: string) => Promise<string | undefined>;

const TTL_SECONDS = 21_600;
const OWN_FIELDS: ImdsQuestion["fields"] = [
  ["Host", "169.254.169.254"],
  ["User-Agent", "imdsgate"],
  ["Accept", "*/*"],
];

/** Takes an IMDSv2 token for our own questions, which end when `signal` aborts. There is no way back to IMDSv1: no token, no answer. */
export async function openImdsSession(imds: ImdsClient, signal: AbortSignal): Promise<ReadItem> {
  const ask = (method: "GET" | "PUT", target: string, field: Field) => imds.ask({ method, target, fields: [...OWN_FIELDS, field] }, signal);
  const granted = await ask("PUT", "/latest/api/token", ["X-aws-ec2-metadata-token-ttl-seconds", `${TTL_SECONDS}`]);
  const imdsToken = textOf(granted);
  if (granted.head.status !== 200 || !/^[\x21-\x7e]{1,1024}$/.test(imdsToken)) throw unusable("PUT /latest/api/token", granted);

  return async (path) => {
    const answer = await ask("GET", path, ["X-aws-ec2-metadata-token", imdsToken]);
    if (answer.head.status === 404) return undefined;
    if (answer.head.status !== 200) throw unusable(`GET ${path}`, answer);
    return textOf(answer);
  };
}

function textOf({ body }: ImdsAnswer): string {
  return body.toString("utf8").trim();
}

function unusable(question: string, { head }: ImdsAnswer): ImdsgateError {
  return new ImdsgateError(
    "UPSTREAM_UNAVAILABLE",
    `the upstream IMDS answered ${question} with status ${head.status}; check --upstream, and that IMDSv2 is on`,
  );
}
