import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { rawRequest } from "../support/raw-request.ts";
import { answering, startRawUpstream } from "../support/raw-upstream.ts";
import { startTestDaemon } from "../support/test-daemon.ts";

const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi";
const TOKEN_PUT = "PUT /latest/api/token HTTP/1.1\r\nHost: a\r\nX-aws-ec2-metadata-token-ttl-seconds: 60\r\n\r\n";
const get = (path: string, token = "") => `GET ${path} HTTP/1.1\r\nHost: a\r\n${token}\r\n`;
const WITH_TOKEN = "X-aws-ec2-metadata-token: A\r\n";
const ITEM = "/latest/meta-data/ami-id";
const ROLES = "/latest/meta-data/iam/security-credentials/";

const WEB = "127.0.0.1";
const OTHER = "127.0.0.2";
const STRANGER = "127.0.0.9";

/** A gateway with `web` (bound) and `other` (not bound); what it answers, by its first line, to `bytes` from an address. */
async function gatewayWith(flags: Readonly<Record<string, unknown>>) {
  const upstream = await startRawUpstream(() => answering(OK));
  const daemon = await startTestDaemon({
    upstream: `http://127.0.0.1:${upstream.endpoint.port}`,
    workload: [`web=${WEB}`, `other=${OTHER}`],
    bind: ["name:web=web-role"],
    ...flags,
  });
  const ask = async (bytes: string, from: string) => (await rawRequest(daemon.endpoint, bytes, from)).bytes.toString().split("\r\n", 1)[0];
  return { ask, upstream };
}

function configFile(text: string): string {
  const folder = mkdtempSync(join(tmpdir(), "imdsgate-config-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, "config.yaml"), text);
  return join(folder, "config.yaml");
}

describe("with --require-imdsv2", () => {
  test("every request without an IMDS token is 401, before the real IMDS is asked (T13)", async () => {
    const { ask, upstream } = await gatewayWith({ "require-imdsv2": true });
    for (const from of [WEB, OTHER, STRANGER]) {
      expect([await ask(get(ITEM), from), await ask(get(ROLES), from)]).toEqual(["HTTP/1.1 401 Unauthorized", "HTTP/1.1 401 Unauthorized"]);
    }
    expect(upstream.received.map(String).filter((request) => !request.includes("User-Agent: imdsgate\r\n"))).toEqual([]);
  });

  test("a request with a token is judged by the real IMDS, and tokens are given (T2)", async () => {
    const { ask } = await gatewayWith({ "require-imdsv2": true });
    expect([await ask(get(ITEM, WITH_TOKEN), WEB), await ask(get(ROLES, WITH_TOKEN), WEB), await ask(TOKEN_PUT, STRANGER)]).toEqual(
      Array.from({ length: 3 }, () => "HTTP/1.1 200 OK"),
    );
  });

  test("what is withheld is 404 and what is malformed 400, as ever (P3)", async () => {
    const { ask } = await gatewayWith({ "require-imdsv2": true });
    expect(await ask(get("/latest/x/../meta-data/iam"), WEB)).toBe("HTTP/1.1 404 Not Found");
    expect(await ask(get("/%zz"), WEB)).toBe("HTTP/1.1 400 Bad Request");
  });

  test("a binding may ask for it alone, or be excepted", async () => {
    const config = configFile(
      "bind: [{ match: 'name:web', role: web-role, requireImdsv2: true }, { match: 'name:other', role: other-role }]\n",
    );
    const some = await gatewayWith({ bind: undefined, config });
    expect([await some.ask(get(ITEM), WEB), await some.ask(get(ITEM), OTHER)]).toEqual(["HTTP/1.1 401 Unauthorized", "HTTP/1.1 200 OK"]);
    const excepted = configFile("requireImdsv2: true\nbind: [{ match: 'name:web', role: web-role, requireImdsv2: false }]\n");
    const most = await gatewayWith({ bind: undefined, config: excepted });
    expect([await most.ask(get(ITEM), WEB), await most.ask(get(ITEM), OTHER)]).toEqual(["HTTP/1.1 200 OK", "HTTP/1.1 401 Unauthorized"]);
  });
});

test("with --unbound no-tokens a source without a role gets no answer to its token request, all else as ever (T12)", async () => {
  const { ask } = await gatewayWith({ unbound: "no-tokens" });
  expect([await ask(TOKEN_PUT, WEB), await ask(TOKEN_PUT, OTHER), await ask(TOKEN_PUT, STRANGER)]).toEqual(["HTTP/1.1 200 OK", "", ""]);
  expect([await ask(get(ITEM), OTHER), await ask(get(ITEM), STRANGER)]).toEqual(["HTTP/1.1 200 OK", "HTTP/1.1 200 OK"]);
});

test("without these switches tokens and tokenless requests are the real IMDS's affair", async () => {
  const { ask } = await gatewayWith({});
  expect([await ask(TOKEN_PUT, STRANGER), await ask(get(ITEM), STRANGER)]).toEqual(["HTTP/1.1 200 OK", "HTTP/1.1 200 OK"]);
});
