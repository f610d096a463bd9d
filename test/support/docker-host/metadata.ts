import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { DockerHost } from "./docker-host.ts";

const ASK = readFileSync(join(import.meta.dirname, "ask.py"), "utf8");
const IAM = "/latest/meta-data/iam";

/** Where requests go, and from which of the sender's own addresses; empty for the one that the kernel chooses. */
interface Way {
  readonly address: string;
  readonly source: string;
}

const USUAL_WAY: Way = { address: "169.254.169.254", source: "" };

/** Sends raw requests to the metadata service from inside a container, or from the host itself; gives the raw answers, or `<timeout>` and the like. */
export async function ask(host: DockerHost, from: string | "host", requests: readonly string[], way = USUAL_WAY): Promise<string[]> {
  const input = JSON.stringify({ ...way, requests });
  const output =
    from === "host"
      ? await host.run("/usr/bin/python3", ["-c", ASK], input)
      : await host.run(host.engine, ["exec", "--interactive", from, "python3", "-c", ASK], input);
  return JSON.parse(output);
}

/** A request for `target` as simple as can be. */
export function requestFor(target: string, headers: readonly string[] = [], method = "GET"): string {
  return [`${method} ${target} HTTP/1.1`, "Host: 169.254.169.254", ...headers, "", ""].join("\r\n");
}

/** What stands after the head of an answer. */
export function bodyOf(answer: string): string {
  return answer.slice(answer.indexOf("\r\n\r\n") + 4);
}

/** What a container saw of itself. */
export interface SeenIdentity {
  /** The status line, or the reason in angle brackets where there was no answer. */
  readonly status: string;
  readonly role: string;
}

/** The role that a container is told it has. */
export async function roleSeenBy(host: DockerHost, container: string, way = USUAL_WAY): Promise<SeenIdentity> {
  const [answer = ""] = await ask(host, container, [requestFor(`${IAM}/security-credentials/`)], way);
  return seenIdentity(answer);
}

function seenIdentity(answer: string): SeenIdentity {
  const status = answer.split("\r\n")[0] ?? "";
  return { status, role: status.endsWith(" 200 OK") ? bodyOf(answer) : "" };
}

/** The fields of a credentials document that the tests read. */
export interface CredentialsDocument {
  readonly Code: string;
  readonly AccessKeyId: string;
  readonly SecretAccessKey: string;
  readonly Token: string;
}

/** The credentials that a container is given for `role`. Rejects when it is given none. */
export async function credentialsOf(host: DockerHost, container: string, role: string): Promise<CredentialsDocument> {
  const [answer = ""] = await ask(host, container, [requestFor(`${IAM}/security-credentials/${role}`)]);
  if (seenIdentity(answer).status !== "HTTP/1.1 200 OK") throw new Error(`no credentials of ${role} for ${container}: ${answer}`);
  return JSON.parse(bodyOf(answer));
}

/** The command of a container whose first action, some milliseconds after its start, is to ask for its role, `times` over. */
export function firstAction(times: number): readonly string[] {
  const request = requestFor(`${IAM}/security-credentials/`).replaceAll("\r\n", "\\r\\n");
  const asking = `for i in {1..${times}}; do exec 3<>/dev/tcp/169.254.169.254/80; printf '${request}' >&3; cat <&3; echo; done`;
  return [
    "bash",
    "-c",
    `${asking}; while read -r address name; do [ "$name" != "$HOSTNAME" ] || echo "address $address"; done </etc/hosts`,
  ];
}

/** What a container with `firstAction` printed: what it saw, in order, and its own address. */
export function seenFirst(output: string): { readonly seen: readonly SeenIdentity[]; readonly address: string } {
  const [answers = "", address = ""] = output.trimEnd().split(/\n?address /);
  return { seen: answers.split(/\n(?=HTTP\/1\.1 )/).map(seenIdentity), address };
}

/** An answer without what differs from one second to the next. */
export function lastingPart(answer: string): string {
  return answer.replace(/^Date: .*\r$/im, "Date: (now)\r").replace(/^(X-aws-ec2-metadata-token-ttl-seconds): \d+\r$/im, "$1: (left)\r");
}
