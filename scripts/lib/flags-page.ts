import { type Flag, keyOf, RUN_FLAGS, variableOf } from "../../src/config/flags.ts";

const INTRODUCTION = `# Flags

<!-- Made by \`npm run docs\` from src/config/flags.ts. Do not edit. -->

Every setting of \`imdsgate run\` is a flag, a variable and a key of the file that \`--config\` (or \`IMDSGATE_CONFIG\`) names. A flag
wins over the variable, the variable over the file. A list replaces, it never adds to another. In a variable a list has one
value a line. An unknown flag or key is an error, exit code 2.

AWS's own variables hold too: \`AWS_REGION\`, \`AWS_DEFAULT_REGION\`, \`AWS_ENDPOINT_URL_STS\`, \`AWS_ENDPOINT_URL\`, \`AWS_PROFILE\` and
keys, and Docker's \`DOCKER_HOST\` with a unix socket.
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
    externalId: partner-7f3a
    requireImdsv2: true
  - ip:192.168.122.0/24=build
defaultRole: none
account: "111122223333"
sessionName: "{workload}-{id}"
duration: 3600
externalId:
  - web=shop-4711
runtime: docker
dockerSocket: /var/run/docker.sock
workload:
  - build-vm=192.168.122.10
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
  const example = `## A whole file\n\nIn the file \`role\` is a map, and a binding may be a map too, with an external id and a word on IMDSv2 of its own.\n\n\`\`\`yaml\n${EXAMPLE_FILE}\`\`\`\n`;
  return [INTRODUCTION, ...sections, example].join("\n");
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
