import { describe, expect, test } from "vitest";
import { parseAnswer, rawRequest } from "../support/raw-request.ts";
import { answering, startRawUpstream } from "../support/raw-upstream.ts";
import { startTestDaemon } from "../support/test-daemon.ts";
import { request, startIamGateway, textOf } from "./iam-gateway.ts";
import { openRequest } from "./open-request.ts";

describe("a token request", () => {
  test("gets a token of 56 bytes without a newline, and its TTL once more (T1)", async () => {
    const { ask } = await startIamGateway();
    const answer = parseAnswer(
      Buffer.from(await ask(request("/latest/api/token", { method: "PUT", lines: ["X-aws-ec2-metadata-token-ttl-seconds: 21600"] }))),
    );
    expect(answer.status).toBe(200);
    expect(Object.fromEntries(answer.fields)).toMatchObject({
      "Content-Type": "text/plain",
      "X-Aws-Ec2-Metadata-Token-Ttl-Seconds": "21600",
    });
    expect(answer.body.toString()).toMatch(/^[\w=-]{56}$/);
  });

  test.for([
    {
      name: "a TTL too long",
      method: "PUT",
      target: "/latest/api/token",
      lines: ["X-aws-ec2-metadata-token-ttl-seconds: 21601"],
      status: 400,
    },
    { name: "no TTL", method: "PUT", target: "/latest/api/token", lines: [], status: 400 },
    {
      name: "a dated version",
      method: "PUT",
      target: "/2021-03-23/api/token",
      lines: ["X-aws-ec2-metadata-token-ttl-seconds: 60"],
      status: 403,
    },
    {
      name: "X-Forwarded-For",
      method: "PUT",
      target: "/latest/api/token",
      lines: ["X-aws-ec2-metadata-token-ttl-seconds: 60", "X-Forwarded-For:"],
      status: 403,
    },
    {
      name: "Expect",
      method: "PUT",
      target: "/latest/api/token",
      lines: ["X-aws-ec2-metadata-token-ttl-seconds: 60", "Expect: 100-continue"],
      status: 417,
    },
    { name: "GET", method: "GET", target: "/latest/api/token", lines: [], status: 405 },
  ])("gets the service's own refusal for $name: $status (T3)", async ({ method, target, lines, status }) => {
    const { ask, imds } = await startIamGateway();
    const text = request(target, { method, lines });
    const real = textOf(await rawRequest(imds.endpoint, text));
    expect(parseAnswer(Buffer.from(real)).status).toBe(status);
    expect(await ask(text)).toBe(real);
  });
});

test("a 101 of the upstream is no answer: the connection is closed (H6, R5)", async () => {
  const upstream = await startRawUpstream(() =>
    answering("HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\nHELLO"),
  );
  const daemon = await startTestDaemon({ upstream: `http://127.0.0.1:${upstream.endpoint.port}` });
  const lines = ["Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABk"];
  expect((await rawRequest(daemon.endpoint, request("/latest/user-data", { lines }))).bytes.toString()).toBe("");
});

test("our side of the connection ends after the answer, while the client's may stay open, and what it still sends is dropped (H2, R3)", async () => {
  const { endpoint, clock, imds } = await startIamGateway();
  const open = openRequest(
    endpoint,
    `${request("/latest/user-data", { lines: ["Connection: keep-alive"] })}${request("/latest/meta-data/ami-id")}`,
  );
  expect(await open.ending).toBe("end");
  expect(
    open
      .received()
      .toString()
      .match(/HTTP\/1\.1 /g),
  ).toHaveLength(1);
  expect(imds.requests.map(({ target }) => target)).toEqual(["/latest/user-data"]);
  clock.advance(2_000);
});
