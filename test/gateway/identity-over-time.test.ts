import type net from "node:net";
import { describe, expect, test } from "vitest";
import { type Clock, systemClock } from "../../src/clock.ts";
import type { AssumeRoleRequest, Sts } from "../../src/credentials/assume-role.ts";
import { createFakeRuntime } from "../support/fake-runtime.ts";
import { handMovedClock } from "../support/hand-moved-clock.ts";
import { rawRequest } from "../support/raw-request.ts";
import { startRawUpstream } from "../support/raw-upstream.ts";
import { testImds } from "../support/sims.ts";
import { startTestDaemon } from "../support/test-daemon.ts";

const BASE = {
  accessKeyId: "AKIAAAAAAAAAAAAAAAAA",
  secretAccessKey: "x".repeat(40),
  sessionToken: undefined,
  expiresAt: undefined,
  source: "test",
};

/** An STS that says whose secret it gives. */
const STS: Sts = {
  async assumeRole({ roleArn, sessionName }: AssumeRoleRequest) {
    const role = roleArn.slice(roleArn.lastIndexOf("/") + 1);
    return {
      accessKeyId: "ASIAAAAAAAAAAAAAAAAA",
      secretAccessKey: `SECRET-OF-${role}`.padEnd(40, "x"),
      sessionToken: "t".repeat(64),
      expiresAt: Date.now() + 3_600_000,
      assumedRoleArn: `arn:aws:sts::111122223333:assumed-role/${role}/${sessionName}`,
    };
  },
  callerArn: async () => "arn:aws:sts::111122223333:assumed-role/host/i-0",
};

const CREDENTIALS = "GET /latest/meta-data/iam/security-credentials/role-a HTTP/1.1\r\nHost: x\r\n\r\n";

/** A daemon on a host with one network on loopback addresses, and a container `a` that has role-a. */
async function hostWithContainerA(upstreamPort: number, clock: Clock = systemClock) {
  const fake = createFakeRuntime();
  fake.createNetwork("lo", ["127.9.0.0/16"]);
  fake.run({ name: "a", networks: ["lo"] });
  const [address = ""] = fake.addressesOf("a");
  const daemon = await startTestDaemon(
    { upstream: `http://127.0.0.1:${upstreamPort}`, bind: ["name:a=role-a", "name:b=role-b"], runtime: "docker" },
    { runtime: fake.runtime, processTable: fake.processTable, sts: STS, operatorCredentials: async () => BASE, clock },
  );
  return { fake, address, daemon };
}

describe("while the real IMDS is asked about the token", () => {
  test("the container goes and its address is another's: nothing is sent there", async () => {
    const asked = Promise.withResolvers<net.Socket>();
    const upstream = await startRawUpstream(() => (socket) => asked.resolve(socket));
    const clock = handMovedClock(Date.now());
    const { fake, address, daemon } = await hostWithContainerA(upstream.endpoint.port, clock);
    const answer = rawRequest(daemon.endpoint, CREDENTIALS, address);
    const probe = await asked.promise;
    fake.stop("a");
    fake.remove("a");
    fake.run({ name: "b", networks: ["lo"] });
    expect(fake.addressesOf("b")).toEqual([address]);
    clock.advance(300);
    probe.end("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\ni-0");
    expect((await answer).bytes.toString()).toBe("");
    expect(daemon.events.filter(({ kind }) => kind === "vend")).toEqual([]);
  });

  test("the container stays: it gets what it asked for", async () => {
    const { endpoint } = await testImds();
    const { address, daemon } = await hostWithContainerA(endpoint.port);
    expect((await rawRequest(daemon.endpoint, CREDENTIALS, address)).bytes.toString()).toContain("SECRET-OF-role-a");
  });
});

test("a listing older than the IAM tree has no iam/, since its leaf is 404 (P8, V3)", async () => {
  const { endpoint } = await testImds();
  const { address, daemon } = await hostWithContainerA(endpoint.port);
  const listing = async (version: string) =>
    (await rawRequest(daemon.endpoint, `GET /${version}/meta-data/ HTTP/1.1\r\nHost: x\r\n\r\n`, address)).bytes.toString();
  expect(await listing("latest")).toMatch(/\niam\/\n/);
  expect(await listing("2009-04-04")).not.toMatch(/\niam\/\n/);
});
