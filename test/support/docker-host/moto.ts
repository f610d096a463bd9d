import { join } from "node:path";
import type { DockerHost } from "./docker-host.ts";

const PYTHON = join(import.meta.dirname, "../../../.tools/venv/bin/python");

/** AWS as the tests have it: one endpoint for STS, S3, SQS and CloudWatch, with IAM enforced. */
export interface Moto {
  readonly endpoint: string;
  readonly account: string;
  readonly region: string;
  /** The host's own keys as environment variables: they may assume the two roles and nothing else. */
  readonly hostKeys: Readonly<Record<string, string>>;
}

/** Starts moto outside of the host, with the roles `fluentd-role` (s3:PutObject) and `php-role` (cloudwatch:PutMetricData, sqs:ListQueues). */
export async function startMoto(host: DockerHost): Promise<Moto> {
  const program = host.outside.start(PYTHON, [join(import.meta.dirname, "moto.py"), "10.77.0.254", "5000"]);
  const [line] = await program.printed(/^\{"moto".*\}$/m);
  return { endpoint: "http://10.77.0.254:5000", account: "123456789012", region: "eu-west-1", hostKeys: JSON.parse(line).moto };
}
