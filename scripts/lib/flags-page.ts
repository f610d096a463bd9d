import { type Flag, keyOf, RUN_FLAGS, variableOf } from "../../src/config/flags.ts";

const INTRODUCTION = `# Flags

<!-- Made by \`npm run docs\` from src/config/flags.ts. Do not edit. -->

Every setting of \`imdsgate run\` is a flag, a variable and a key of the file that \`--config\` (or \`IMDSGATE_CONFIG\`) names. A flag
wins over the variable, the variable over the file. A list replaces, it never adds to another. In a variable a list has one
value a line. An unknown flag or key is an error, exit code 2.

AWS's own variables hold too: \`AWS_REGION\`, \`AWS_DEFAULT_REGION\`, \`AWS_ENDPOINT_URL_STS\`, \`AWS_ENDPOINT_URL\`, \`AWS_PROFILE\` and
keys; and Docker's \`DOCKER_HOST\`, with \`DOCKER_TLS_VERIFY\` and \`DOCKER_CERT_PATH\` for a \`tcp://\` one.
`;

/** What a binding of the file may say of its sessions. */
const SESSIONS = `## Sessions of a binding

In the file a binding may be a map, and say of its role's sessions what others do not have. Nothing of it is a secret: CloudTrail
shows it.

| key | what it is | limits |
| --- | --- | --- |
| \`match\`, \`role\` | the two halves of \`--bind\` | both needed |
| \`externalId\` | what the role's trust policy asks for; before \`--external-id\` | 2 to 1224 letters, digits and \`_+=,.@:/-\` |
| \`sessionName\` | a template, in the place of \`--session-name\` | made to fit: other characters become \`-\`, 64 at most |
| \`sourceIdentity\` | a template; stays with whatever the session assumes in turn | 2 to 64 of \`A-Z a-z 0-9 _+=,.@-\`; other characters in a variable become \`-\` |
| \`tags\` | session tags: a map of keys to templates | 50; keys of 1 to 128, values of up to 256 letters, digits, spaces and \`_.:/=+-@\`; no key twice in another case, none with \`aws:\` |
| \`transitiveTagKeys\` | those tags that stay with what the session assumes in turn | some of \`tags\` |
| \`policy\` | a session policy, as JSON text: the session may do what both it and the role allow | 2048 characters without white space |
| \`policyArns\` | managed policies with the same effect | 10, of any partition |
| \`duration\` | seconds, in the place of \`--duration\` | 900 to 43200 |
| \`requireImdsv2\` | in the place of \`--require-imdsv2\` | \`true\` or \`false\` |

The variables are those of \`--session-name\`. Labels count here as in selectors: those that the image alone brought do not exist.

Policies decide by tags and source identities, so these are never made up: where a variable of one has nothing to stand for, or the
outcome is nothing that STS takes, **the container has no role**, as one without a binding (404), and the audit line says which fact it
is and why (\`unfit-session\`, \`imdsgate.detail\`). In the value of a tag nothing is replaced or cut.

Tags need \`sts:TagSession\`, a source identity \`sts:SetSourceIdentity\`, next to \`sts:AssumeRole\` in the role's trust policy and in the
policy of the host's role. Whether tags and policies together fit is known to STS alone: \`PackedPolicyTooLarge\` is its word for too much.

Two containers share credentials only if all of this is the same for both. With \`--session-scope role\` that is so for all containers of
a role on a host: CloudTrail then shows the host, the audit line on that host the container.
`;

/** A file of settings that holds every key: what docs/flags.md shows, and what a test gives to `parseConfig`. */
export const EXAMPLE_FILE = `# /etc/imdsgate.yaml: imdsgate run --config /etc/imdsgate.yaml
role:
  web: arn:aws:iam::111122223333:role/web
  partner: arn:aws:iam::444455556666:role/team/partner
bind:
  - name:fluentd=fluentd-role
  - compose:shop/*=web
  - match: label:team=partner
    role: partner
    requireImdsv2: true
    externalId: partner-7f3a
    sessionName: "{compose.service}-{id}"
    sourceIdentity: "{workload}"
    tags:
      team: partner
      owner: "{label:owner}"
    transitiveTagKeys: [team]
    policy: |
      {
        "Version": "2012-10-17",
        "Statement": [{ "Effect": "Allow", "Action": "s3:GetObject", "Resource": "*" }]
      }
    policyArns: [arn:aws:iam::aws:policy/ReadOnlyAccess]
    duration: 3600
  - ip:192.168.122.0/24=build
defaultRole: none
account: "111122223333"
sessionName: "{workload}-{id}"
sessionScope: container
duration: 3600
externalId:
  - web=shop-4711
runtime: docker
dockerSocket: /var/run/docker.sock
workload:
  - build-vm=192.168.122.10
hostRole:
  - name:ecs-agent
unknown: metadata-only
unbound: metadata-only
procRoot: /proc
listen:
  - 0.0.0.0:18169
  - "[::]:18169"
listenUnprotected: false
upstream: http://169.254.169.254
requireImdsv2: false
imdsRate: 100/s
denyPath:
  - user-data
  - meta-data/tags
rules: auto
interface:
  - docker0
  - br-*
stsEndpoint: https://sts.eu-central-1.amazonaws.com
region: eu-central-1
logLevel: info
logFormat: json
`;

/** The page docs/flags.md: each group's flags as a table, then the example file. */
export function flagsPage(): string {
  const groups = [...Map.groupBy(RUN_FLAGS, ({ group }) => group)];
  const sections = groups.map(([group, flags]) => `## ${group}\n\n${tableOf(flags)}`);
  const example = `## A whole file\n\nIn the file \`role\` is a map, and a binding may be a map too.\n\n\`\`\`yaml\n${EXAMPLE_FILE}\`\`\`\n`;
  return [INTRODUCTION, ...sections, SESSIONS, example].join("\n");
}

function tableOf(flags: readonly Flag[]): string {
  const rows = flags.map((flag) => [flagText(flag), code(variableOf(flag)), code(keyOf(flag)), defaultText(flag), helpText(flag)]);
  const lines = [["flag", "variable", "key", "default", "what it does"], ["---", "---", "---", "---", "---"], ...rows];
  return lines.map((cells) => `| ${cells.join(" | ")} |\n`).join("");
}

function flagText({ name, value }: Flag): string {
  return code(value === undefined ? `--${name}` : `--${name} ${value}`);
}

function defaultText(flag: Flag): string {
  return flag.default ?? (flag.kind === "switch" ? "off" : "none");
}

function helpText({ help, choices }: Flag): string {
  const told = choices === undefined ? help : `${help}. Choices: ${choices.map(code).join(", ")}`;
  return `${told.replaceAll("|", "\\|").replaceAll("*", "\\*")}.`;
}

function code(text: string): string {
  return `\`${text}\``;
}
