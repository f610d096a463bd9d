/** What the benchmark asks for, and what the metadata service behind it answers: the bytes are fixed, so that nobody is faster by saying less. */

export const ROLE_NAME = "web-role";

const TOKEN = "AQAEABenchmarkBenchmarkBenchmarkBenchmarkBenchmarkBenchma==";
const CREDENTIALS = `/latest/meta-data/iam/security-credentials/${ROLE_NAME}`;

/** The questions that count: one that the gateway answers itself, one that it carries, and two that it refuses (by the path alone; by who asks). */
const TARGETS = {
  "cached credentials": CREDENTIALS,
  "pass-through": "/latest/meta-data/placement/region",
  "refused path": `/latest/meta-data/x/../iam/security-credentials/${ROLE_NAME}`,
  "refused, no role": CREDENTIALS,
  "long answer": "/latest/user-data",
} as const;

export const REQUEST_NAMES = ["cached credentials", "pass-through", "refused path", "refused, no role"] as const;

export type RequestName = keyof typeof TARGETS;

/** More than the kernel keeps for a client that does not read. */
const LONG_BYTES = 16_000_000;

/** As long as the embedded STS makes them, so that the document is as long as the one that imdsgate answers. */
const TOKEN_LENGTH = 325;

/** The request as an AWS SDK with an IMDSv2 token sends it, and the status that is right. */
export function stated(name: RequestName): { readonly request: string; readonly status: number } {
  const fields = [
    "Host: 169.254.169.254",
    "Accept-Encoding: identity",
    "User-Agent: Boto3/1.40.0 md/Botocore#1.40.0 ua/2.1 os/linux lang/python",
    `X-aws-ec2-metadata-token: ${TOKEN}`,
  ];
  return {
    request: `GET ${TARGETS[name]} HTTP/1.1\r\n${fields.join("\r\n")}\r\n\r\n`,
    status: name.startsWith("refused") ? 404 : 200,
  };
}

/** The answer of the metadata service to the request whose first bytes are `head`. */
export function answerTo(head: string): Buffer {
  if (head.startsWith("PUT ")) return TOKEN_ANSWER;
  if (head.startsWith(`GET ${TARGETS["long answer"]} `)) return LONG_ANSWER;
  return head.startsWith(`GET ${CREDENTIALS} `) ? CREDENTIALS_ANSWER : PLAIN_ANSWER;
}

export const CREDENTIALS_DOCUMENT = JSON.stringify(
  {
    Code: "Success",
    LastUpdated: "2026-11-24T02:00:00Z",
    Type: "AWS-HMAC",
    AccessKeyId: "ASIABENCHMARK0000000",
    SecretAccessKey: "s".repeat(40),
    Token: "t".repeat(TOKEN_LENGTH),
    Expiration: "2026-11-24T08:00:00Z",
  },
  undefined,
  2,
);

/** The fields of an answer as IMDS writes them, with the length of `body`: name, value, name, value. */
export function answerFields(body: string): readonly string[] {
  return [
    ["X-Aws-Ec2-Metadata-Token-Ttl-Seconds", "21518"],
    ["Content-Type", "text/plain"],
    ["Accept-Ranges", "none"],
    ["Last-Modified", "Tue, 24 Nov 2026 02:00:00 GMT"],
    ["Content-Length", `${body.length}`],
    ["Date", "Tue, 24 Nov 2026 02:00:01 GMT"],
    ["Server", "EC2ws"],
    ["Connection", "close"],
  ].flat();
}

const CREDENTIALS_ANSWER = rendered(CREDENTIALS_DOCUMENT);
const PLAIN_ANSWER = rendered("eu-central-1");
const TOKEN_ANSWER = rendered(TOKEN);
const LONG_ANSWER = rendered("u".repeat(LONG_BYTES));

function rendered(body: string): Buffer {
  const fields = answerFields(body);
  const lines = fields.flatMap((name, index) => (index % 2 === 0 ? [`${name}: ${fields[index + 1]}`] : []));
  return Buffer.from(`HTTP/1.1 200 OK\r\n${lines.join("\r\n")}\r\n\r\n${body}`, "latin1");
}
