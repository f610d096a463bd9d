/** What the benchmark asks for, and what the metadata service behind it answers: the bytes are fixed, so that nobody is faster by saying less. */

export const ROLE_NAME = "web-role";

const TOKEN = "AQAEABenchmarkBenchmarkBenchmarkBenchmarkBenchmarkBenchma==";

/** The two questions that count: one that the gateway answers itself, one that it carries. */
const TARGETS = {
  "cached credentials": `/latest/meta-data/iam/security-credentials/${ROLE_NAME}`,
  "pass-through": "/latest/meta-data/placement/region",
} as const;

/** As long as the embedded STS makes them, so that the document is as long as the one that imdsgate answers. */
const TOKEN_LENGTH = 325;

export type RequestName = keyof typeof TARGETS;

/** The request as an AWS SDK with an IMDSv2 token sends it. */
export function requestText(name: RequestName): string {
  const fields = [
    "Host: 169.254.169.254",
    "Accept-Encoding: identity",
    "User-Agent: Boto3/1.40.0 md/Botocore#1.40.0 ua/2.1 os/linux lang/python",
    `X-aws-ec2-metadata-token: ${TOKEN}`,
  ];
  return `GET ${TARGETS[name]} HTTP/1.1\r\n${fields.join("\r\n")}\r\n\r\n`;
}

/** The answer of the metadata service to the request whose first bytes are `head`. */
export function answerTo(head: string): Buffer {
  if (head.startsWith("PUT ")) return TOKEN_ANSWER;
  return head.startsWith(`GET ${TARGETS["cached credentials"]} `) ? CREDENTIALS_ANSWER : PLAIN_ANSWER;
}

const CREDENTIALS_ANSWER = rendered(
  JSON.stringify(
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
  ),
);
const PLAIN_ANSWER = rendered("eu-central-1");
const TOKEN_ANSWER = rendered(TOKEN);

function rendered(body: string): Buffer {
  const fields = [
    "X-Aws-Ec2-Metadata-Token-Ttl-Seconds: 21518",
    "Content-Type: text/plain",
    "Accept-Ranges: none",
    "Last-Modified: Tue, 24 Nov 2026 02:00:00 GMT",
    `Content-Length: ${body.length}`,
    "Date: Tue, 24 Nov 2026 02:00:01 GMT",
    "Server: EC2ws",
    "Connection: close",
  ];
  return Buffer.from(`HTTP/1.1 200 OK\r\n${fields.join("\r\n")}\r\n\r\n${body}`, "latin1");
}
