import { describe, expect, test } from "vitest";
import { parseAnswerHead } from "../../src/answer-head.ts";
import { systemClock } from "../../src/clock.ts";
import { answer, type ImdsRequest, type Rooms } from "../../src/gateway/answer.ts";
import { parseRequestHead } from "../../src/gateway/request-head.ts";
import type { Attestation, Workload } from "../../src/identity/workload.ts";
import { from } from "../support/identity.ts";

const AGENT: Workload = {
  kind: "container",
  name: "ecs-agent",
  id: "a".repeat(64),
  image: "agent:1",
  labels: {},
  networks: [],
  addresses: [],
};
const BY_SOCKET: Attestation = { kind: "known", workload: AGENT, isHostSocket: true };
const BY_ADDRESS: Attestation = { kind: "known", workload: AGENT };
const TREE = ["iam/", "iam/info", "iam/security-credentials/", "iam/security-credentials/host-role"].map(
  (path) => `/latest/meta-data/${path}`,
);

/** What `target` is answered to whom `speaker` is, where everything that is passed on is answered 200. */
async function answered(target: string, speaker: Attestation, keepsHostRole: boolean) {
  const head = parseRequestHead(Buffer.from(`GET ${target} HTTP/1.1\r\nHost: 169.254.169.254\r\n\r\n`));
  if (typeof head === "number" || head === undefined) throw new Error("the test's request is well-formed");
  const request: ImdsRequest = {
    head,
    source: from("10.77.0.2"),
    readBody: async () => Buffer.alloc(0),
    untilGone: () => new AbortController().signal,
  };
  const rooms: Rooms = {
    clock: systemClock,
    identity: { attest: async () => speaker },
    decide: () => ({ kind: "none" }),
    keepsHostRole: () => keepsHostRole,
    leases: { leaseFor: () => Promise.reject(new Error("no lease was to be asked for")), issuedAt: () => undefined },
    tokens: { verdictOn: async () => ({ kind: "good", ttlSeconds: undefined }) },
    forward: async () => ({ head: OK_HEAD, headBytes: OK_BYTES, body: nothing(), close: () => {} }),
    deniedPaths: [],
    unknown: "metadata-only",
    unbound: "metadata-only",
    imdsv2: { isAskedOfAnyone: false, isAskedOf: () => false },
  };
  const { body, told } = await answer(request, rooms);
  return {
    status: body.kind === "stream" ? `relayed ${body.exchange.head.status}` : body.kind === "own" ? body.status : body.kind,
    told: told.kind,
  };
}

const OK_BYTES = Buffer.from("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
const OK_HEAD = okHead();

function okHead() {
  const head = parseAnswerHead("HTTP/1.1 200 OK\r\nContent-Length: 0", "GET");
  if (head === undefined) throw new Error("the test's answer is well-formed");
  return head;
}

async function* nothing(): AsyncGenerator<Buffer, void, void> {}

describe("a container with the host's network that keeps the host's role", () => {
  test.for(TREE)("is answered %s by the real IMDS, and each time is told", async (target) => {
    expect(await answered(target, BY_SOCKET, true)).toEqual({ status: "relayed 200", told: "host-role" });
  });

  test("is answered the rest as everybody is", async () => {
    expect(await answered("/latest/meta-data/instance-id", BY_SOCKET, true)).toEqual({ status: "relayed 200", told: "relay" });
  });
});

describe("the host's role is not for", () => {
  test.for(TREE)("a container with the host's network that is not named (%s)", async (target) => {
    expect(await answered(target, BY_SOCKET, false)).toEqual({ status: 404, told: "refuse" });
  });

  test.for(TREE)("a container of that name that has a network of its own (%s)", async (target) => {
    expect(await answered(target, BY_ADDRESS, true)).toEqual({ status: 404, told: "refuse" });
  });

  test.for(TREE)("somebody on the host's network whom nobody knows (%s)", async (target) => {
    expect(await answered(target, { kind: "unknown", reason: "unlisted" }, true)).toEqual({ status: 404, told: "refuse" });
  });

  test.for(TREE)("anybody while the container is starting (%s)", async (target) => {
    expect(await answered(target, { kind: "starting" }, true)).toEqual({ status: 500, told: "refuse" });
  });
});
