import type { Endpoint } from "../address.ts";
import { SIM_INSTANCE_ROLE, SIM_REGION } from "../sim/instance-facts.ts";
import { hostileQuestions, smuggledQuestion } from "./hostile-questions.ts";
import { isKeys, isNotFound, isRefused, isSessionOf, isText, isToken, keysOf } from "./outcomes.ts";
import { type Answer, bodyOf, type Question, questionFor, statusOf } from "./question.ts";
import type { Speaker } from "./stage.ts";
import type { Telling } from "./telling.ts";

/** Where the credentials of the instance are, on every instance. */
export const CREDENTIALS = "/latest/meta-data/iam/security-credentials/";
const IAM_TREE = ["/latest/meta-data/iam/", CREDENTIALS, `${CREDENTIALS}cron-role`, "/latest/meta-data/iam/info"];
const ORDINARY = ["/latest/meta-data/instance-id", "/latest/meta-data/placement/region", "/latest/dynamic/instance-identity/document"];

/** What one container got for its role. */
export interface RoleKeys {
  readonly container: string;
  readonly role: string;
  readonly accessKeyId: string;
}

/** The containers with a role get its keys, the one without gets nothing. Gives the keys; their parts become secrets of `telling`. */
export async function ownRolesScene(telling: Telling, metadata: Endpoint): Promise<readonly RoleKeys[]> {
  const { page, stage } = telling;
  const { fluentd, php, cron } = stage.containers;
  page.scene("Each container gets its own role");
  page.say("They set nothing and know nothing of imdsgate: these are the requests that every AWS SDK makes.");
  const keys = [await ownRole(telling, metadata, fluentd, "fluentd-role"), await ownRole(telling, metadata, php, "php-role")];
  page.say("cron has no role: for it there is no IAM at all, not even in the listing.");
  await telling.tell([
    ...IAM_TREE.map((path) => ({ speaker: cron, question: questionFor(metadata, `GET ${path}`), outcome: isNotFound })),
    { speaker: cron, question: questionFor(metadata, "GET /latest/meta-data/"), outcome: isListingWithoutIam },
  ]);
  return keys.flat();
}

async function ownRole(telling: Telling, metadata: Endpoint, speaker: Speaker, role: string): Promise<readonly RoleKeys[]> {
  const ttl = { "X-aws-ec2-metadata-token-ttl-seconds": "300" };
  const [tokenAnswer] = await telling.tell([{ speaker, question: questionFor(metadata, "PUT /latest/api/token", ttl), outcome: isToken }]);
  const token = { "X-aws-ec2-metadata-token": tokenAnswer === undefined ? "" : bodyOf(tokenAnswer) };
  const [, document] = await telling.tell([
    { speaker, question: questionFor(metadata, `GET ${CREDENTIALS}`, token), outcome: isText(role) },
    { speaker, question: questionFor(metadata, `GET ${CREDENTIALS}${role}`, token), outcome: isKeys },
  ]);
  const keys = document && keysOf(document);
  if (keys === undefined) return [];
  await telling.tell([
    {
      speaker,
      question: whoAmI(telling.stage.sts, keys.accessKeyId),
      remark: "to STS with these keys: who am I?",
      outcome: isSessionOf(role, speaker.name),
    },
  ]);
  telling.secrets.push(
    { what: `the IMDSv2 token of ${speaker.name}`, text: token["X-aws-ec2-metadata-token"], allowed: [speaker.name] },
    { what: `the secret key of ${role}`, text: keys.secretAccessKey, allowed: [speaker.name] },
    { what: `the session token of ${role}`, text: keys.sessionToken, allowed: [speaker.name] },
    { what: `the access key id of ${role}`, text: keys.accessKeyId, allowed: [speaker.name, "the log"] },
  );
  return [{ container: speaker.name, role, accessKeyId: keys.accessKeyId }];
}

/** The embedded STS finds the caller by the access key id; it does not verify signatures. */
function whoAmI(sts: Endpoint, accessKeyId: string): Question {
  const scope = `${accessKeyId}/20260101/${SIM_REGION}/sts/aws4_request`;
  const fields = {
    Authorization: `AWS4-HMAC-SHA256 Credential=${scope}, SignedHeaders=host, Signature=${"0".repeat(64)}`,
    "Content-Type": "application/x-www-form-urlencoded",
  };
  return questionFor(sts, "POST /", fields, "Action=GetCallerIdentity&Version=2011-06-15");
}

function isListingWithoutIam(answer: Answer): string | undefined {
  const lines = bodyOf(answer).split("\n");
  return statusOf(answer) === 200 && lines.includes("ami-id") && !lines.includes("iam/") ? 'a listing without the line "iam/"' : undefined;
}

/** Other paths are answered by the real service, unchanged. */
export async function everythingElseScene(telling: Telling, metadata: Endpoint): Promise<void> {
  const { page, stage } = telling;
  page.scene("Everything else is the real service's own answer");
  const real = await telling.hear(
    stage.host,
    ORDINARY.map((path) => questionFor(stage.imds, `GET ${path}`)),
  );
  await telling.tell(
    ORDINARY.map((path, k) => ({
      speaker: stage.containers.php,
      question: questionFor(metadata, `GET ${path}`),
      outcome: (answer: Answer) =>
        isSame(answer, real[k]) ? `${bodyOf(answer).split("\n").length > 1 ? "a JSON document" : bodyOf(answer)}` : undefined,
    })),
  );
  page.say("Each is byte for byte what the host itself gets when it asks the real service.");
}

/** Two answers of two moments: all bytes are the same, but for the moment. */
function isSame(answer: Answer, other: Answer | undefined): boolean {
  const timeless = ({ text }: Answer) => text.replace(/^(Date|Last-Modified): .*\r$/gm, "");
  return statusOf(answer) === 200 && other !== undefined && timeless(answer) === timeless(other);
}

/** No container gets another's role or the host's, however it asks. */
export async function nothingOfOthersScene(telling: Telling, metadata: Endpoint): Promise<void> {
  const { page, stage } = telling;
  const { fluentd, php, cron } = stage.containers;
  const asked = (speaker: Speaker, path: string) => ({ speaker, question: questionFor(metadata, `GET ${path}`), outcome: isNotFound });
  page.scene("Nobody gets the role of another, or of the host");
  await telling.tell([asked(fluentd, `${CREDENTIALS}php-role`), asked(php, `${CREDENTIALS}fluentd-role`)]);
  const forwarded = { "X-Forwarded-For": fluentd.address };
  await telling.tell([
    {
      speaker: cron,
      question: questionFor(metadata, `GET ${CREDENTIALS}fluentd-role`, forwarded),
      remark: `X-Forwarded-For: ${fluentd.address}`,
      outcome: isNotFound,
    },
  ]);
  page.say(`${SIM_INSTANCE_ROLE.name} is the role of the host. The ways to ask for it that have fooled others:`);
  await telling.tell(hostileQuestions(metadata).map((question) => ({ speaker: fluentd, question, outcome: isRefused })));
  await telling.tell([
    { speaker: fluentd, question: smuggledQuestion(metadata), remark: "and host-role behind it", outcome: isOneHarmlessAnswer },
  ]);
  const others = [php, cron];
  const heard = await Promise.all(others.map((speaker) => telling.hear(speaker, hostileQuestions(metadata))));
  for (const [k, answers] of heard.entries()) {
    const isNothing = answers.length > 0 && answers.every((answer) => isRefused(answer) !== undefined);
    telling.claim(isNothing, others[k]?.name ?? "", "asked the same questions, and got as little");
  }
}

function isOneHarmlessAnswer(answer: Answer): string | undefined {
  const answers = answer.text.split("HTTP/1.1 ").length - 1;
  return answers === 1 && bodyOf(answer).startsWith("i-") ? `one answer: ${bodyOf(answer)}` : undefined;
}
