import { expect, test } from "vitest";
import { answerProblem } from "../../src/credentials/sts-answer.ts";
import { requestOf } from "./scripted.ts";

const NOW = Date.UTC(2026, 10, 24, 2);
const REQUEST = requestOf({ roleArn: "arn:aws:iam::111122223333:role/team/app", sessionName: "web-1" });
const GOOD = {
  accessKeyId: "ASIA0000000000000001",
  secretAccessKey: "secretAccessKeyOfTheTests",
  sessionToken: "sessionTokenOfTheTests",
  expiresAt: NOW + 3_600_000,
  assumedRoleArn: "arn:aws:sts::111122223333:assumed-role/app/web-1",
};

test.for([
  { title: "as STS gives it", answer: {} },
  { title: "of LocalStack", answer: { accessKeyId: "LSIAQAAAAAAVNCBMPNSG" } },
  { title: "with another partition", answer: { assumedRoleArn: "arn:aws-cn:sts::111122223333:assumed-role/app/web-1" } },
  { title: "for twelve hours", answer: { expiresAt: NOW + 43_200_000 } },
])("an answer $title may be served", ({ answer }) => {
  expect(answerProblem({ ...GOOD, ...answer }, REQUEST, NOW)).toBeUndefined();
});

test.for([
  { answer: { assumedRoleArn: "arn:aws:sts::111122223333:assumed-role/admin/web-1" }, problem: "it is for another role or session" },
  { answer: { assumedRoleArn: "arn:aws:sts::999999999999:assumed-role/app/web-1" }, problem: "it is for another role or session" },
  { answer: { assumedRoleArn: "arn:aws:sts::111122223333:assumed-role/app/web-2" }, problem: "it is for another role or session" },
  { answer: { assumedRoleArn: "arn:aws:sts::111122223333:assumed-role/App/web-1" }, problem: "it is for another role or session" },
  { answer: { assumedRoleArn: "arn:aws:iam::111122223333:role/team/app" }, problem: "it is for another role or session" },
  { answer: { assumedRoleArn: "" }, problem: "it is for another role or session" },
  { answer: { accessKeyId: "" }, problem: "its access key id is malformed" },
  { answer: { accessKeyId: "ASIA" }, problem: "its access key id is malformed" },
  { answer: { accessKeyId: 'ASIA000000000000000"' }, problem: "its access key id is malformed" },
  { answer: { secretAccessKey: "" }, problem: "its secret access key is malformed" },
  { answer: { secretAccessKey: "with\nline feed and blanks" }, problem: "its secret access key is malformed" },
  { answer: { sessionToken: "" }, problem: "its session token is malformed" },
  { answer: { sessionToken: "ü".repeat(40) }, problem: "its session token is malformed" },
  { answer: { sessionToken: "x".repeat(20_000) }, problem: "its session token is malformed" },
  { answer: { expiresAt: NOW }, problem: "it has expired already" },
  { answer: { expiresAt: Number.NaN }, problem: "it has expired already" },
  { answer: { expiresAt: NOW + 13 * 3_600_000 }, problem: "it lasts longer than any session can" },
])("an answer with $answer is not used: $problem", ({ answer, problem }) => {
  expect(answerProblem({ ...GOOD, ...answer }, REQUEST, NOW)).toBe(problem);
});
