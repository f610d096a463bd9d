import { describe, expect, test } from "vitest";
import type { ImdsgateEvent } from "../../src/events.ts";
import { type LogLine, logLineFor } from "../../src/observability/log-line.ts";

test("a repair of the closed part alone does not say that the redirect is back", () => {
  const repaired = { kind: "rules-repaired", backend: "nftables", parts: "closed", found: "missing in a: b", repairs: 6 } as const;
  expect(logLineFor(repaired).message).toBe("somebody changed the rules; the closed part is back, the redirect is not (missing in a: b)");
});

const php = { name: "php", id: "0123456789ab".padEnd(64, "0"), image: "php:8" };
const request = {
  address: "172.17.0.3",
  method: "GET",
  path: "/latest/meta-data/iam/security-credentials/host-role",
  route: "CRED_DOC",
  status: 200,
  userAgent: "aws-cli/2",
  durationMs: 2,
};
const requestFields = {
  "client.address": "172.17.0.3",
  "http.request.method": "GET",
  "url.path": request.path,
  "http.response.status_code": 200,
  "user_agent.original": "aws-cli/2",
  "imdsgate.route": "cred_doc",
  duration_ms: 2,
};

describe("the line, with nothing in it that the event does not hold,", () => {
  test.for<{ name: string; event: ImdsgateEvent; line: LogLine }>([
    {
      name: "of a host whose host-network containers are covered",
      event: { kind: "host-network", window: "none", reason: "the rules match cgroups" },
      line: {
        level: "info",
        isAudit: false,
        message: "containers with the host's network are led to the gateway from their first packet on: the rules match cgroups",
        fields: { "event.name": "imdsgate.host-network", "imdsgate.window": "none", "imdsgate.reason": "the rules match cgroups" },
      },
    },
    {
      name: "of a host where they are covered a moment after their start",
      event: { kind: "host-network", window: "short", reason: "Docker uses cgroupfs" },
      line: {
        level: "info",
        isAudit: false,
        message: "containers with the host's network are led to the gateway a moment after they start: Docker uses cgroupfs",
        fields: { "event.name": "imdsgate.host-network", "imdsgate.window": "short", "imdsgate.reason": "Docker uses cgroupfs" },
      },
    },
    {
      name: "of a host where they are not covered",
      event: { kind: "host-network", window: "uncovered", reason: "there is no cgroup2" },
      line: {
        level: "warn",
        isAudit: false,
        message: "containers with the host's network reach the real IMDS, and this host's role: there is no cgroup2",
        fields: { "event.name": "imdsgate.host-network", "imdsgate.window": "uncovered", "imdsgate.reason": "there is no cgroup2" },
      },
    },
    {
      name: "of containers that the bridge guard cannot hold",
      event: { kind: "guard-gap", containers: ["0123456789ab", "ba9876543210"] },
      line: {
        level: "info",
        isAudit: false,
        message:
          "the bridge guard does not know where these containers are, so each connection of theirs is proven by its socket: 0123456789ab, ba9876543210",
        fields: { "event.name": "imdsgate.guard-gap", "imdsgate.containers": "0123456789ab,ba9876543210" },
      },
    },
    {
      name: "of a gateway that hands over",
      event: { kind: "handover", step: "given", leases: 3 },
      line: {
        level: "info",
        isAudit: false,
        message: "another gateway is to take this one's place; leases given to it: 3",
        fields: { "event.name": "imdsgate.handover", "imdsgate.step": "given", "imdsgate.leases": 3 },
      },
    },
    {
      name: "of one that takes over",
      event: { kind: "handover", step: "taken", leases: 3 },
      line: {
        level: "info",
        isAudit: false,
        message: "this gateway takes the place of another; leases taken from it: 3",
        fields: { "event.name": "imdsgate.handover", "imdsgate.step": "taken", "imdsgate.leases": 3 },
      },
    },
    {
      name: "of one that cannot read what was handed over",
      event: { kind: "handover", step: "taken", leases: undefined },
      line: {
        level: "info",
        isAudit: false,
        message: "this gateway takes the place of another, and cannot read what that handed over: it asks STS for leases of its own",
        fields: { "event.name": "imdsgate.handover", "imdsgate.step": "taken" },
      },
    },
    {
      name: "of a hand-over that failed",
      event: { kind: "handover-failed", message: "the next gateway ended before it served" },
      line: {
        level: "error",
        isAudit: false,
        message: "no other gateway takes this one's place: the next gateway ended before it served",
        fields: { "event.name": "imdsgate.handover-failed" },
      },
    },
    {
      name: "of rules that are no longer kept",
      event: { kind: "rules-released", backend: "nftables" },
      line: {
        level: "warn",
        isAudit: false,
        message:
          "the rules are no longer kept (imdsgate rules remove --stop-keeper): containers may reach the real IMDS until imdsgate starts anew",
        fields: { "event.name": "imdsgate.rules-released", "imdsgate.backend": "nftables" },
      },
    },
    {
      name: "of a runtime that is not as it should be",
      event: { kind: "runtime-note", runtime: "docker", message: "the socket is everybody's" },
      line: {
        level: "warn",
        isAudit: false,
        message: "the socket is everybody's",
        fields: { "event.name": "imdsgate.runtime-note", "imdsgate.runtime": "docker" },
      },
    },
    {
      name: "of a container that was given the host's own role",
      event: { kind: "host-role", workload: php, outcome: "relayed", ...request },
      line: {
        level: "info",
        isAudit: true,
        message: "php was given what is this host's own (--host-role), relayed",
        fields: {
          "event.name": "imdsgate.host-role",
          "imdsgate.workload": "php",
          "container.id": php.id,
          "container.image.name": "php:8",
          ...requestFields,
        },
      },
    },
    {
      name: "of a process of this host that was given the host's own role, and no end of it",
      event: { kind: "host-role", workload: undefined, outcome: "cut", ...request, status: undefined, userAgent: undefined },
      line: {
        level: "info",
        isAudit: true,
        message: "172.17.0.3 was given what is this host's own (--host-role), cut",
        fields: {
          "event.name": "imdsgate.host-role",
          ...requestFields,
          "http.response.status_code": undefined,
          "user_agent.original": undefined,
        },
      },
    },
  ])("$name", ({ event, line }) => expect(logLineFor(event)).toStrictEqual(line));
});
