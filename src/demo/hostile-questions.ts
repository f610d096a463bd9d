import type { Endpoint } from "../address.ts";
import { type Question, questionFor } from "./question.ts";

/** Ways to write the path of the host's credentials that one reader takes for it and another does not (docs/contract.md, C1 to C8). */
const SPELLINGS = [
  "/latest/meta-data/iam/security-credentials/host-role",
  "/latest/meta-data/x/../iam/security-credentials/host-role",
  "//latest//meta-data//iam//security-credentials//host-role",
  "/latest/meta-data/%69am/security-credentials/host-role",
  "/latest/meta-data/iam%2fsecurity-credentials%2fhost-role",
  "/latest/meta-data/%2569am/security-credentials/host-role",
  "/latest/META-DATA/IAM/security-credentials/host-role",
  "/latest/meta-data/iam/security-credentials;x=y/host-role",
  "/latest/meta-data\\iam\\security-credentials\\host-role",
  "http://169.254.169.254/latest/meta-data/iam/security-credentials/host-role",
  "/2021-03-23/meta-data/iam/security-credentials/host-role",
];

/** All those spellings as questions. */
export function hostileQuestions(to: Endpoint): readonly Question[] {
  return SPELLINGS.map((target) => questionFor(to, `GET ${target}`));
}

/** A harmless question with another one hidden behind it on the same connection. */
export function smuggledQuestion(to: Endpoint): Question {
  const first = questionFor(to, "GET /latest/meta-data/instance-id");
  const second = questionFor(to, `GET ${SPELLINGS[0]}`);
  return { ...first, request: first.request.replace("Connection: close\r\n", "") + second.request };
}
