import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { RUN_FLAGS } from "../../src/config/flags.ts";
import { classify } from "../../src/gateway/classify.ts";
import { parseAnswer, rawRequest } from "../support/raw-request.ts";
import { GOOD_TOKEN } from "../support/sims.ts";
import { IAM, NOT_FOUND, NOW, OWN_TARGETS, request, startIamGateway, textOf } from "./iam-gateway.ts";

describe("an answer made here", () => {
  test("has these fields in this order, and nothing else (H1)", async () => {
    const { ask } = await startIamGateway();
    const common = `Content-Type: text/plain\r\nAccept-Ranges: none\r\nLast-Modified: ${NOW}\r\nContent-Length: 8\r\nDate: ${NOW}\r\nServer: EC2ws\r\nConnection: close\r\n\r\nweb-role`;
    expect(await ask(request(`${IAM}/security-credentials`))).toBe(`HTTP/1.1 200 OK\r\n${common}`);
    const withToken = request(`${IAM}/security-credentials`, { lines: [`X-aws-ec2-metadata-token: ${GOOD_TOKEN}`] });
    expect(await ask(withToken)).toBe(`HTTP/1.1 200 OK\r\nX-Aws-Ec2-Metadata-Token-Ttl-Seconds: 21518\r\n${common}`);
  });

  test.for(OWN_TARGETS)("is the same with and without a slash at the end, and never a redirect: %s (L1)", async (target) => {
    const { ask } = await startIamGateway();
    const bare = target.replace(/\/$/, "");
    const answer = await ask(request(bare));
    expect(answer).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    expect(await ask(request(`${bare}/`))).toBe(answer);
  });

  test.for(OWN_TARGETS)("has the same head for HEAD, with the real length, and no body: %s (M1)", async (target) => {
    const { ask } = await startIamGateway();
    const whole = await ask(request(target));
    const head = whole.slice(0, whole.indexOf("\r\n\r\n") + 4);
    expect(await ask(request(target, { method: "HEAD" }))).toBe(head);
    expect(head).toContain(`\r\nContent-Length: ${whole.length - head.length}\r\n`);
  });

  test.for([
    { name: "a part", lines: ["Range: bytes=0-0"] },
    { name: "a condition", lines: ["If-Modified-Since: Wed, 25 Nov 2026 02:00:00 GMT", 'If-None-Match: "x"', "If-Match: *"] },
    { name: "another type or coding", lines: ["Accept: application/json", "Accept-Encoding: gzip, identity;q=0"] },
    { name: "keep-alive", lines: ["Connection: keep-alive", "Keep-Alive: timeout=5"] },
    { name: "another protocol", lines: ["Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABk"] },
    { name: "another method", lines: ["X-HTTP-Method-Override: DELETE", "X-Method-Override: PUT"] },
    { name: "another path", lines: ["X-Original-URL: /latest/user-data", "X-Rewrite-URL: /latest/user-data"] },
    { name: "another host", lines: ["X-Forwarded-Host: b"] },
  ])("is the same when $name is asked for (H2, H5, H6, M3)", async ({ lines }) => {
    const { ask } = await startIamGateway();
    for (const target of OWN_TARGETS) expect(await ask(request(target, { lines }))).toBe(await ask(request(target)));
  });

  test("is of the container's role, never of the instance's: listing, info, document (P2)", async () => {
    const { ask, imds } = await startIamGateway();
    const bodies = await Promise.all(
      OWN_TARGETS.map(async (target) => parseAnswer(Buffer.from(await ask(request(target)))).body.toString()),
    );
    expect(bodies[0]).toBe("info\nsecurity-credentials/");
    expect(JSON.parse(bodies[1] ?? "")).toMatchObject({ InstanceProfileArn: "arn:aws:iam::111122223333:instance-profile/web-role" });
    expect(bodies[2]).toBe("web-role");
    expect(Object.keys(JSON.parse(bodies[3] ?? ""))).toEqual([
      ...["Code", "LastUpdated", "Type", "AccessKeyId", "SecretAccessKey", "Token", "Expiration"],
    ]);
    expect(bodies.join("\n")).not.toMatch(/HOST|host-role/);
    expect(new Set(imds.requests.map(({ target }) => target))).toEqual(new Set(["/latest/meta-data/instance-id"]));
  });

  test("is not made for the instance's own role's name, nor for the container's in another case (P2)", async () => {
    const { ask } = await startIamGateway();
    for (const name of ["host-role", "Web-Role", "web-rol", "web-role%2B", "team"]) {
      expect(await ask(request(`${IAM}/security-credentials/${name}`))).toBe(NOT_FOUND);
    }
  });
});

describe("a container without a role", () => {
  test.for(OWN_TARGETS)("gets 404, and never an empty listing: %s (L3, L6)", async (target) => {
    const { ask } = await startIamGateway({ flags: { bind: [] } });
    expect(await ask(request(target))).toBe(NOT_FOUND);
  });

  test.for(OWN_TARGETS)("gets the real 401 first: %s (P1, P2)", async (target) => {
    const { ask, imds } = await startIamGateway({ flags: { bind: [] } });
    const lines = ["X-aws-ec2-metadata-token: WRONG"];
    const real = textOf(await rawRequest(imds.endpoint, request("/latest/meta-data/ami-id", { lines })));
    expect(real).toMatch(/^HTTP\/1\.1 401 /);
    expect(await ask(request(target, { lines }))).toBe(real);
  });
});

test("one function of target and denied paths tells one of the eleven classes, and the same one each time (C8, C10)", () => {
  const classes = ["PASS", "TOKEN", "META_LIST", "IAM_ROOT", "IAM_INFO", "CRED_LIST", "CRED_DOC", "GUARD", "DENY", "AMBIGUOUS", "BAD"];
  const piece = fc.constantFrom(
    ..."/ ? # % ; \\ . .. iam info latest meta-data api/token security-credentials identity-credentials r %2e %69".split(" "),
  );
  const targets = fc.oneof(
    fc.string({ unit: "binary", maxLength: 40 }),
    fc.array(piece, { maxLength: 10 }).map((pieces) => `/latest/meta-data/${pieces.join("/")}`),
  );
  const seen = new Set<string>();
  fc.assert(
    fc.property(targets, fc.constantFrom([], [["user-data"]]), (target, denied) => {
      const first = classify(target, denied);
      seen.add(first.class);
      expect(classes).toContain(first.class);
      expect(classify(target, denied)).toEqual(first);
    }),
    { numRuns: 3_000, seed: 7 },
  );
  expect(seen.size).toBeGreaterThan(7);
});

test("the help of --deny-path says what denying the identity document breaks, and what leaving it open lets a container do (P7)", () => {
  const help = RUN_FLAGS.find(({ name }) => name === "deny-path")?.help ?? "";
  for (const word of [
    "dynamic/instance-identity",
    "Go SDK v1",
    "Beats",
    "Vault's EC2 login",
    "lets a container log in to Vault as this instance",
  ]) {
    expect(help).toContain(word);
  }
});
