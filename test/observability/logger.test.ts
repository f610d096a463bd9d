import { describe, expect, test } from "vitest";
import type { ImdsgateEvent, RequestFacts } from "../../src/events.ts";
import { logLineFor } from "../../src/observability/log-line.ts";
import { createLogger } from "../../src/observability/logger.ts";

const php = { name: "php", id: "0123456789ab".padEnd(64, "0"), image: "php:8" };
const request: RequestFacts = {
  address: "172.17.0.3",
  method: "GET",
  path: "/latest/meta-data/iam/security-credentials/php-role",
  route: "CRED_DOC",
  status: 200,
  userAgent: "aws-cli/2",
  durationMs: 2,
};
const vend: ImdsgateEvent = {
  kind: "vend",
  workload: php,
  ...request,
  roleArn: "arn:aws:iam::111122223333:role/php-role",
  binding: "name:php=php-role",
  sessionName: "php-0123456789ab",
  sourceIdentity: "php@host-7",
  accessKeyId: "ASIAEXAMPLEEXAMPLE01",
  expiresAt: Date.UTC(2026, 10, 24, 3),
};
const refusal: ImdsgateEvent = { kind: "refuse", workload: undefined, ...request, status: 404, reason: "unknown-source" };
const hostRole: ImdsgateEvent = { kind: "host-role", workload: php, ...request, outcome: "relayed" };
const relay: ImdsgateEvent = { kind: "relay", workload: undefined, ...request, outcome: "relayed" };

function linesOf(
  events: readonly ImdsgateEvent[],
  level: "debug" | "info" | "warn" | "error",
  format: "json" | "pretty" = "json",
): string[] {
  const lines: string[] = [];
  const emit = createLogger({ level, format, version: "1.2.3", destination: { write: (line) => lines.push(line) } });
  for (const event of events) emit(event);
  return lines;
}

describe("an audit line", () => {
  test("of a vend says who, what and why", () => {
    const [line = ""] = linesOf([vend], "info");
    const { time, ...record } = JSON.parse(line);
    expect(time).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    expect(record).toEqual({
      level: "info",
      message: "php got credentials of arn:aws:iam::111122223333:role/php-role",
      "service.name": "imdsgate",
      "service.version": "1.2.3",
      "event.name": "imdsgate.vend",
      "imdsgate.workload": "php",
      "container.id": php.id,
      "container.image.name": "php:8",
      "client.address": "172.17.0.3",
      "http.request.method": "GET",
      "url.path": request.path,
      "http.response.status_code": 200,
      "user_agent.original": "aws-cli/2",
      "imdsgate.route": "cred_doc",
      "imdsgate.role_arn": "arn:aws:iam::111122223333:role/php-role",
      "imdsgate.binding": "name:php=php-role",
      "imdsgate.session_name": "php-0123456789ab",
      "imdsgate.source_identity": "php@host-7",
      "imdsgate.access_key_id": "ASIAEXAMPLEEXAMPLE01",
      "imdsgate.lease_expires_at": "2026-11-24T03:00:00.000Z",
      duration_ms: 2,
    });
  });

  test.for(["debug", "info", "warn", "error"] as const)("is told at the level %s, a relayed request at debug alone", (level) => {
    const told = linesOf([vend, refusal, hostRole, relay], level).map((line) => JSON.parse(line)["event.name"]);
    const audit = ["imdsgate.vend", "imdsgate.refuse", "imdsgate.host-role"];
    expect(told).toEqual(level === "debug" ? [...audit, "imdsgate.relay"] : audit);
  });
});

test.for([
  { format: "json" as const, isWhole: /^\{"level":"error","time":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z","service\.name":"imdsgate"/ },
  { format: "pretty" as const, isWhole: /^\d\d:\d\d:\d\d\.\d{3} {2}error {2}7 log lines were lost: nobody read them\n$/ },
])("the line that tells of lost ones is like every other: $format", ({ format, isWhole }) => {
  let lineFor = (_count: number) => "";
  const written: string[] = [];
  const destination = { write: (line: string) => written.push(line), tellLosses: (given: (count: number) => string) => (lineFor = given) };
  createLogger({ level: "error", format, version: "1.2.3", destination });
  const line = lineFor(7);
  expect(line).toMatch(isWhole);
  expect(written).toEqual([]);
  if (format === "pretty") return;
  const { time, ...record } = JSON.parse(line);
  expect(record).toEqual({
    level: "error",
    message: "7 log lines were lost: nobody read them",
    "service.name": "imdsgate",
    "service.version": "1.2.3",
    "event.name": "imdsgate.lines-lost",
  });
});

test("a line for people holds no control characters, whatever a container is called", () => {
  const hostile = { ...vend, workload: { ...php, name: "a\u001b[31m\nb\u2028c" } };
  const [line = ""] = linesOf([hostile], "info", "pretty");
  expect(line).toMatch(/^\d\d:\d\d:\d\d\.\d{3} {2}info {3}a\uFFFD\[31m\uFFFDb\uFFFDc got credentials of .*\n$/);
  expect(line.slice(0, -1)).not.toMatch(/\p{C}/u);
});

test("a secret that gets into an event all the same is not written", () => {
  const leaking = {
    kind: "host-facts",
    region: "eu-west-1",
    account: undefined,
    sessionToken: "canary-1",
    secretAccessKey: "canary-2",
  } as const;
  const [line = ""] = linesOf([leaking], "debug");
  expect(JSON.parse(line)).toMatchObject({ "imdsgate.session_token": "[redacted]", "imdsgate.secret_access_key": "[redacted]" });
  expect(line).not.toContain("canary");
});

test("every kind of event has a sentence", () => {
  const events: readonly ImdsgateEvent[] = [
    { kind: "starting", version: "1", upstream: "x", runtime: "docker" },
    { kind: "stopping", reason: "asked to" },
    { kind: "config-warning", message: "careful" },
    { kind: "rules-chosen", backend: "nftables", reason: "it is there" },
    { kind: "rules-applied", backend: "nftables", parts: "closed" },
    { kind: "rules-note", message: "note" },
    { kind: "runtime-note", runtime: "docker", message: "note" },
    { kind: "rules-repaired", backend: "nftables", parts: "all", found: "missing in a: b", repairs: 1 },
    { kind: "rules-flapping", backend: "nftables", found: "missing in a: b", backOffMs: 30_000 },
    { kind: "rules-unkept", backend: "nftables", message: "nft is gone" },
    { kind: "rules-released", backend: "nftables" },
    { kind: "host-network", window: "uncovered", reason: "no cgroup2" },
    { kind: "guard-gap", containers: ["a", "b"] },
    { kind: "host-facts", region: "eu-west-1", account: undefined },
    { kind: "host-facts-missing", missing: "region", message: "no answer" },
    { kind: "runtime-connected", runtime: "docker", workloads: 2 },
    { kind: "runtime-disconnected", runtime: "docker", message: "no socket" },
    { kind: "runtime-slow", runtime: "docker", address: "172.17.0.2", waitedMs: 1_000 },
    { kind: "workload-seen", workload: php },
    { kind: "workload-gone", workload: php },
    { kind: "address-doubled", address: "172.17.0.2", claimants: ["a", "b"] },
    vend,
    refusal,
    hostRole,
    { kind: "serve", workload: php, ...request },
    relay,
    {
      kind: "sts-call",
      roleArn: "arn",
      sessionName: "s",
      outcome: "ok",
      purpose: "request",
      waitedFor: "budget",
      waitedMs: 80,
      durationMs: 1,
      accessKeyId: "ASIA",
      message: undefined,
    },
    { kind: "base-credentials", source: "environment", accessKeyId: "AKIA", expiresAt: undefined },
    { kind: "base-credentials-failing", message: "none", leftMs: undefined },
    { kind: "base-credentials-failing", message: "none", leftMs: 119_001 },
    { kind: "role-refused", roleArn: "arn", callerArn: undefined, trustStatements: "[{}]", identityStatement: undefined, hint: "Look." },
    { kind: "connection-refused", address: "172.17.0.2", reason: "total-limit", count: 1 },
    { kind: "connection-refused", address: "172.17.0.2", reason: "workload-limit", count: 9_000 },
    { kind: "bug", where: "gateway", message: "oops", stack: "at x" },
  ];
  const sentences = events.map((event) => logLineFor(event).message);
  expect(sentences).toEqual([
    "imdsgate 1 starts",
    "stops: asked to",
    "careful",
    "rules by nftables: it is there",
    "containers reach no IMDS until the gateway listens",
    "note",
    "note",
    "somebody changed the rules; they are back (missing in a: b)",
    "somebody changes the rules again and again: containers reach no IMDS for 30 s (missing in a: b)",
    "the rules cannot be kept: nft is gone",
    "the rules are no longer kept (imdsgate rules remove --stop-keeper): containers may reach the real IMDS until imdsgate starts anew",
    "containers with the host's network reach the real IMDS, and this host's role: no cgroup2",
    "the bridge guard does not know where these containers are, so each connection of theirs is proven by its socket: a, b",
    "this host is in eu-west-1",
    "the region of this host is not known yet: no answer",
    "docker is listed: 2 containers",
    "docker does not answer: no socket",
    "docker did not say who 172.17.0.2 is within 1000 ms",
    "php is here",
    "php is gone",
    "172.17.0.2 is claimed by a and b: both are refused",
    "php got credentials of arn:aws:iam::111122223333:role/php-role",
    "172.17.0.3 was refused: unknown-source",
    "php was given what is this host's own (--host-role), relayed",
    "php was answered",
    "passed through, relayed",
    "AssumeRole arn: ok",
    "imdsgate itself speaks with AKIA (environment)",
    "none",
    "imdsgate's own credentials end in 120 s: none",
    "imdsgate may not assume arn; its trust policy lacks: [{}]. Look.",
    "a connection from 172.17.0.2 was closed: total-limit",
    "9000 connections were closed, the last one from 172.17.0.2: workload-limit",
    "a bug in gateway: oops",
  ]);
});
