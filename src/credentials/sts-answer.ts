import { parseRoleArn } from "../policy/role-arn.ts";
import type { AssumedRole, AssumeRoleRequest } from "./assume-role.ts";

/** STS gives 12 hours at most; the rest is for a host whose clock is behind. */
const LONGEST_MS = 12 * 3_600_000 + 15 * 60_000;

/**
 * What is wrong with an answer of STS, in a phrase without any secret; undefined when it may be served. It must be for the very
 * role and session that were asked for, not over yet, and hold nothing that a client would stumble over (docs/contract.md, F4).
 */
export function answerProblem(answer: AssumedRole, request: AssumeRoleRequest, now: number): string | undefined {
  if (!isForRequest(answer.assumedRoleArn, request)) return "it is for another role or session";
  return credentialsProblem(answer, now);
}

/** The same of the credentials alone, whoever they are for. */
export function credentialsProblem(answer: Omit<AssumedRole, "assumedRoleArn">, now: number): string | undefined {
  // LSIA is LocalStack's prefix.
  if (!/^(ASIA|LSIA|AKIA)[A-Z0-9]{12,124}$/.test(answer.accessKeyId)) return "its access key id is malformed";
  if (!/^[\x21-\x7e]{16,256}$/.test(answer.secretAccessKey)) return "its secret access key is malformed";
  if (!/^[\x21-\x7e]{16,16384}$/.test(answer.sessionToken)) return "its session token is malformed";
  if (!(answer.expiresAt > now)) return "it has expired already";
  if (answer.expiresAt > now + LONGEST_MS) return "it lasts longer than any session can";
  return undefined;
}

/** The partition is left to STS: stand-ins for it (LocalStack, moto) answer with their own, and no session crosses partitions. */
function isForRequest(assumedRoleArn: string, request: AssumeRoleRequest): boolean {
  const role = parseRoleArn(request.roleArn);
  if ("problem" in role) return false;
  const [, resource] = /^arn:aws[a-z-]*:(sts::.*)$/.exec(assumedRoleArn) ?? [];
  return resource === `sts::${role.value.account}:assumed-role/${role.value.name}/${request.sessionName}`;
}
