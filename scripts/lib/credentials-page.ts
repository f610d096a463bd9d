import type { Fault } from "../../test/credentials/faults/fault.ts";
import { FAULTS } from "../../test/credentials/faults/fault-rows.ts";
import { WITHHELD } from "../../test/credentials/faults/withheld-rows.ts";

const INTRODUCTION = `# Credentials

<!-- Made by \`npm run docs\` from test/credentials/faults/. Do not edit. -->

How a container's credentials live, and what becomes of them when STS does not do what it should. The clauses (S9, X3) are those of
[the contract](contract.md#11-sts). Each row of the two tables is data of a test, which plays that fault to the whole daemon.

## The life of a lease

A lease is the answer of STS to one AssumeRole. It is kept under everything that STS was asked for (S7), and served until it ends.

| state | of an hour, with | what a request gets |
| --- | --- | --- |
| fresh | more than 33 to 36 minutes left | the lease |
| due | less than that | the lease; STS is asked behind the scenes |
| short | less than 26 minutes left | the lease; up to 400 ms are waited for a new one, unless the last attempt failed |
| expired | less than a second left, or there is none | what STS says within 5 s, else 500 |

Where between 33 and 36 minutes is chance, so that leases of one age are not renewed at one time. Shorter sessions have the same
shares of their life, longer ones the same minutes. A lease that is younger than a minute is never renewed.

- **Prefetch.** STS is asked as soon as a container is seen, before the container asks. A lease whose last container has been gone
  for 5 minutes is dropped.
- **One call.** Equal questions are one call, which goes on when the last one who waits has left (S10). A call ends after 5 s.
- **A flight** is up to three calls: after throttling, no answer or a bad one there is a second and a third, after a random part of
  100 and of 200 ms. None begins 5 s after the first.
- **Backoff.** After a flight that failed, the next one begins after a random part of 1, 2, 4 … 30 s, asked for or not. After a denial
  it begins after 60 s, and without a lease only when a container asks: a trust policy that is mended shows within a minute (S11).
- **Budget.** All AssumeRole calls of the process share a bucket of 50, to which 10 a second come back. Calls that a request waits for go
  first, then renewals of short leases; then prefetch; then other renewals. 1,000 new containers at once all have their leases within 100 s.
  The caller's ARN (GetCallerIdentity) takes nothing of it: it is asked for once per access key, while it is answered.

## imdsgate's own credentials

They come from the environment, a profile or a web identity, else from the instance's role, by IMDSv2. They are loaded anew 5 minutes
before they end, and at once when STS refuses them: then the call is made once more (S8), but in 30 s not twice for the same ones.

| event | what it tells |
| --- | --- |
| \`base-credentials\` | they are other ones from now on: \`source\`, \`access_key_id\`, \`expires_at\` |
| \`base-credentials-failing\` | there are no newer ones: why, and how long the old ones last (\`left_ms\`); once a minute at most |
| \`role-refused\` | STS said \`AccessDenied\` to a role: who asked (\`caller_arn\`) and the very statements that its trust policy lacks; once a minute a role at most |

## Sessions

What the sessions of a binding are called and carry is in [flags.md](flags.md#sessions-of-a-binding): names, external ids, source
identities, tags, policies, duration. With \`--session-scope role\` all containers of a role on one host share a session
([flags.md](flags.md#roles)), so that a large fleet asks STS for less.

## The event \`sts-call\`

One for each call, however it ended. In the log its fields begin with \`imdsgate.\`: \`role_arn\`, \`session_name\`, \`purpose\`
(\`request\`, \`prefetch\`, \`renewal\`), \`outcome\`, and on \`ok\` the \`access_key_id\` that CloudTrail has; else the line says what
STS said. A call that was held back also tells by what (\`waited_for\`: \`budget\`, \`retry\` or \`backoff\`) and for how long
(\`waited_ms\`). [errors.md](errors.md) explains the codes:

| outcome | code |
| --- | --- |
| \`denied\` | \`STS_DENIED\` |
| \`invalid\` | \`STS_INVALID\` |
| \`throttled\` | \`STS_THROTTLED\` |
| \`unavailable\` | \`STS_UNAVAILABLE\`, or \`BASE_CREDENTIALS_UNAVAILABLE\`: no call was made |
| \`base-refused\` | \`STS_BASE_REFUSED\` |
| \`answer-bad\` | \`STS_ANSWER_BAD\` |
`;

const FAULTS_INTRODUCTION = `## When STS fails

**A container with a valid lease gets that lease, whatever the row**, until a call brings a better one. No fault of one role touches
another role's lease. *Without* is what a container gets that has none: 500 has no body, and SDKs try again; the error document is a 200
that names the role and nothing of STS (F6). *Outcomes* are those of the calls of one flight. *Next call*: when STS is asked again.
`;

const WITHHELD_INTRODUCTION = `## Who gets none

These are 404, whatever leases there are, and STS is not asked.
`;

const NEXT: Readonly<Record<Fault["next"], string>> = {
  backoff: "after the backoff",
  denial: "after 60 s",
  renewal: "when the lease is due",
};

/** The page docs/credentials.md: how leases live, then the rows of the tests of what goes wrong. */
export function credentialsPage(): string {
  const faults = FAULTS.map((fault) => [fault.title, fault.rule, fault.without, outcomesText(fault), NEXT[fault.next]]);
  const withheld = WITHHELD.map(({ title, rule, reason }) => [title, rule, code(reason)]);
  const tables = [
    FAULTS_INTRODUCTION,
    tableOf(["STS answers with, or its client meets", "clause", "without", "outcomes", "next call"], faults),
    WITHHELD_INTRODUCTION,
    tableOf(["who asks", "clause", "reason in the audit line"], withheld),
  ];
  return [INTRODUCTION, ...tables].join("\n");
}

/** Runs of the same one as one: `throttled` ×3. */
function outcomesText({ outcomes }: Fault): string {
  const runs = outcomes.flatMap((outcome, index) => (outcome === outcomes[index - 1] ? [] : [{ outcome, from: index }]));
  const lengths = runs.map(({ from }, index) => (runs[index + 1]?.from ?? outcomes.length) - from);
  return runs.map(({ outcome }, index) => `${code(outcome)}${lengths[index] === 1 ? "" : ` ×${lengths[index]}`}`).join(", ");
}

function tableOf(head: readonly string[], rows: readonly (readonly string[])[]): string {
  return [head, head.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |\n`).join("");
}

function code(text: string): string {
  return `\`${text}\``;
}
