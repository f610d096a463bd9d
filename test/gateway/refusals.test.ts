import { describe, expect, test } from "vitest";
import { parseAnswer, rawRequest } from "../support/raw-request.ts";
import { IAM, NOT_FOUND, NOW, OWN_TARGETS, PAGE, request, startIamGateway, textOf } from "./iam-gateway.ts";
import { openRequest, turns } from "./open-request.ts";

describe("the order of refusals on an own class: method, expectation, version, token (P1)", () => {
  const wrongToken = "X-aws-ec2-metadata-token: WRONG";
  const rows = [
    {
      name: "a method before an expectation, a version and a token",
      method: "PUT",
      target: "/x!/meta-data/iam",
      lines: ["Expect: 100-continue", wrongToken],
      status: 405,
    },
    {
      name: "an expectation before a version and a token",
      method: "GET",
      target: "/x!/meta-data/iam",
      lines: ["Expect: 100-continue", wrongToken],
      status: 417,
    },
    { name: "a version before a token", method: "GET", target: "/x!/meta-data/iam", lines: [wrongToken], status: 404 },
  ];
  test.for(rows)("$name: $status, without a probe (M2, M5)", async ({ method, target, lines, status }) => {
    const { ask, imds } = await startIamGateway({ imds: { tokenUse: "required" } });
    expect(parseAnswer(Buffer.from(await ask(request(target, { method, lines })))).status).toBe(status);
    expect(imds.requests).toEqual([]);
  });
});

describe("a method or an expectation that an own class does not have", () => {
  const METHODS = ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "PROPFIND", "get", "Head", "GETX"];
  test.for(METHODS)("%s is 405, empty, without a probe and never forwarded (M2, M3)", async (method) => {
    const { ask, imds } = await startIamGateway();
    const refusal = `HTTP/1.1 405 Method Not Allowed\r\nAllow: GET, HEAD\r\nContent-Length: 0\r\nDate: ${NOW}\r\nServer: EC2ws\r\nConnection: close\r\n\r\n`;
    for (const target of OWN_TARGETS) expect(await ask(request(target, { method }))).toBe(refusal);
    expect(imds.requests).toEqual([]);
  });

  test.for(["100-continue", "more", ""])("Expect: %j is 417, empty, before the probe, and no 100 Continue (M5)", async (expectation) => {
    const { ask, imds } = await startIamGateway();
    const refusal = `HTTP/1.1 417 Expectation Failed\r\nContent-Length: 0\r\nDate: ${NOW}\r\nServer: EC2ws\r\nConnection: close\r\n\r\n`;
    for (const target of OWN_TARGETS) expect(await ask(request(target, { lines: [`Expect: ${expectation}`] }))).toBe(refusal);
    expect(imds.requests).toEqual([]);
  });
});

describe("what never leaves the host", () => {
  const withheld = [
    { name: "guarded", target: "/latest/meta-data/iam/security-credentials-extended/" },
    { name: "guarded by another case", target: "/latest/meta-data/IAM/info" },
    { name: "ambiguous by dots", target: "/latest/x/../meta-data/iam/info" },
    { name: "ambiguous by an escape", target: "/latest/meta-data%2Fiam/info" },
    { name: "ambiguous by a parameter", target: "/latest/meta-data/ami-id;x" },
    { name: "denied", target: "/latest/meta-data/identity-credentials/ec2/info" },
  ];
  test.for(withheld)(
    "$name is the service's own 404, byte for byte, whatever the method and the token (C7, P3, P4, E4)",
    async ({ target }) => {
      const { ask, imds } = await startIamGateway({ imds: { behaviour: "victim", tokenUse: "required" } });
      for (const method of ["GET", "POST", "PUT", "DELETE", "OPTIONS", "get"]) {
        expect(await ask(request(target, { method, lines: ["X-aws-ec2-metadata-token: WRONG"] }))).toBe(NOT_FOUND);
      }
      expect(await ask(request(target, { method: "HEAD" }))).toBe(NOT_FOUND.slice(0, -PAGE.length));
      expect(imds.requests).toEqual([]);
    },
  );

  test("the page has 337 bytes, and is what the embedded service says of an item that is not there (E4)", async () => {
    const { ask, imds } = await startIamGateway();
    const real = textOf(await rawRequest(imds.endpoint, request("/latest/meta-data/nothing")));
    expect(PAGE.length).toBe(337);
    expect(await ask(request("/latest/meta-data/iam/nothing"))).toBe(NOT_FOUND);
    expect(parseAnswer(Buffer.from(real)).body.toString()).toBe(PAGE);
  });
});

describe("a refusal of ours other than 404 has no body (F7)", () => {
  const rows = [
    { status: "400 Bad Request", text: "GET  / HTTP/1.1\r\nHost: a\r\n\r\n" },
    { status: "400 Bad Request", text: request("/%zz") },
    { status: "413 Content Too Large", text: request("/latest/user-data", { method: "PUT", lines: ["Content-Length: 65537"] }) },
    { status: "414 URI Too Long", text: request(`/${"a".repeat(9_000)}`) },
    { status: "431 Request Header Fields Too Large", text: request("/", { lines: Array.from({ length: 100 }, (_, k) => `X${k}: 1`) }) },
  ];
  test.for(rows)("$status", async ({ status, text }) => {
    const { ask } = await startIamGateway();
    expect(await ask(text)).toBe(`HTTP/1.1 ${status}\r\nContent-Length: 0\r\nDate: ${NOW}\r\nServer: EC2ws\r\nConnection: close\r\n\r\n`);
  });

  test("413 for chunks that come to more than 64 KiB, of which nothing is forwarded (R2, R4)", async () => {
    const { ask, imds } = await startIamGateway();
    const chunks = `8000\r\n${"a".repeat(32_768)}\r\n`.repeat(2);
    const text = `${request("/latest/user-data", { method: "PUT", lines: ["Transfer-Encoding: chunked"] })}${chunks}0\r\n\r\n`;
    expect(await ask(text)).toMatch(/^HTTP\/1\.1 413 Content Too Large\r\nContent-Length: 0\r\n/);
    expect(imds.requests).toEqual([]);
  });

  test("500 where STS cannot be reached (N6)", async () => {
    const { endpoint, clock } = await startIamGateway({ flags: { "sts-endpoint": "http://127.0.0.1:9" } });
    const open = openRequest(endpoint, request(`${IAM}/security-credentials/web-role`));
    let isOver = false;
    void open.ending.then(() => {
      isOver = true;
    });
    while (!isOver) {
      clock.advance(50);
      await turns();
    }
    const [status, length, ...others] = open.received().toString().split("\r\n");
    expect([status, length, others.slice(-2)]).toEqual(["HTTP/1.1 500 Internal Server Error", "Content-Length: 0", ["", ""]]);
  });
});
