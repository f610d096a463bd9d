import { ImdsgateError } from "../../src/errors.ts";
import type { ImdsAnswer, ImdsClient } from "../../src/imds-client.ts";

/** How the one legal token question is written in `questions`. */
export const TOKEN_QUESTION = "PUT /latest/api/token ttl 21600";

export interface ScriptedImds extends ImdsClient {
  /** Each question as `METHOD TARGET with TOKEN`; one without a token ends with `without a token`. */
  readonly questions: string[];
  /** Path to text; what is not here is 404. */
  readonly items: Map<string, string>;
  tokenStatus: number;
  isDown: boolean;
}

/** An upstream IMDS in memory, which requires a token. */
export function scriptedImds(): ScriptedImds {
  const imds: ScriptedImds = {
    questions: [],
    items: new Map(),
    tokenStatus: 200,
    isDown: false,
    async ask({ method, target, fields }) {
      const known = new Map(fields.map(([name, value]) => [name.toLowerCase(), value]));
      const imdsToken = known.get("x-aws-ec2-metadata-token");
      if (method === "PUT") {
        imds.questions.push(`${method} ${target} ttl ${known.get("x-aws-ec2-metadata-token-ttl-seconds")}`);
        if (imds.isDown) throw new ImdsgateError("UPSTREAM_UNAVAILABLE", "down");
        return answerOf(imds.tokenStatus, imds.tokenStatus === 200 ? "TOKEN" : "");
      }
      imds.questions.push(`${method} ${target} ${imdsToken === undefined ? "without a token" : `with ${imdsToken}`}`);
      return imdsToken === "TOKEN" ? itemOf(imds.items.get(target)) : answerOf(401, "");
    },
  };
  return imds;
}

/** The credentials document of the instance's role, as IMDS writes it. */
export function documentOf(serial: number, expiresAt: number): string {
  return JSON.stringify({
    Code: "Success",
    LastUpdated: "2026-11-24T02:00:00Z",
    Type: "AWS-HMAC",
    AccessKeyId: `ASIAHOST${serial}`,
    SecretAccessKey: `hostSecret${serial}`,
    Token: `hostToken${serial}`,
    Expiration: new Date(expiresAt).toISOString(),
  });
}

function itemOf(text: string | undefined): ImdsAnswer {
  return text === undefined ? answerOf(404, "not found") : answerOf(200, text);
}

function answerOf(status: number, text: string): ImdsAnswer {
  const body = Buffer.from(text);
  return {
    head: { status, fields: [], framing: { kind: "length", bytes: body.length } },
    headBytes: Buffer.alloc(0),
    bodyBytes: body,
    body,
  };
}
