import { describe, expect, test } from "vitest";
import { randomTokens } from "../../src/sim/imds-tokens.ts";
import { SIM_INSTANCE_ROLE } from "../../src/sim/instance-facts.ts";
import { handMovedClock } from "../support/hand-moved-clock.ts";
import { fieldOf, parseAnswer, rawRequest } from "../support/raw-request.ts";
import { GOOD_TOKEN, testImds } from "../support/sims.ts";

type Imds = Awaited<ReturnType<typeof testImds>>;

async function ask(imds: Imds, method: string, target: string, ...lines: readonly string[]) {
  const { bytes } = await rawRequest(
    imds.endpoint,
    [`${method} ${target} HTTP/1.1`, "Host: 169.254.169.254", ...lines, "", ""].join("\r\n"),
  );
  return parseAnswer(bytes);
}

describe("the authentic metadata service", () => {
  test("answers with the header set and order of the real one, and closes", async () => {
    const imds = await testImds();
    const answer = await rawRequest(imds.endpoint, "GET /latest/meta-data/placement/region HTTP/1.1\r\nHost: a\r\n\r\n");
    expect({ text: answer.bytes.toString(), ending: answer.ending }).toEqual({
      text: [
        "HTTP/1.1 200 OK",
        "Content-Type: text/plain",
        "Accept-Ranges: none",
        "Last-Modified: Tue, 24 Nov 2026 02:00:00 GMT",
        "Content-Length: 12",
        "Date: Tue, 24 Nov 2026 02:00:00 GMT",
        "Server: EC2ws",
        "Connection: close",
        "",
        "eu-central-1",
      ].join("\r\n"),
      ending: "end",
    });
  });

  test("says first how long the token has left", async () => {
    const answer = await ask(await testImds(), "HEAD", "/latest/", `X-aws-ec2-metadata-token: ${GOOD_TOKEN}`);
    expect(answer.fields[0]).toEqual(["X-Aws-Ec2-Metadata-Token-Ttl-Seconds", "21518"]);
    expect({ length: fieldOf(answer, "Content-Length"), body: answer.body.toString() }).toEqual({ length: ["27"], body: "" });
  });

  test.for([
    { what: "a wrong token, even when none is needed", line: "X-aws-ec2-metadata-token: INVALID", tokenUse: "optional", status: 401 },
    { what: "no token where one is required", line: "Accept: */*", tokenUse: "required", status: 401 },
    {
      what: "a token twice",
      line: `X-aws-ec2-metadata-token: ${GOOD_TOKEN}\r\nx-aws-ec2-metadata-token: ${GOOD_TOKEN}`,
      tokenUse: "optional",
      status: 401,
    },
    {
      what: "a token that was forwarded",
      line: `X-aws-ec2-metadata-token: ${GOOD_TOKEN}\r\nX-Forwarded-For:`,
      tokenUse: "optional",
      status: 403,
    },
    { what: "an expectation", line: "Expect: 100-continue", tokenUse: "optional", status: 417 },
  ] as const)("refuses $what with $status, empty", async ({ line, tokenUse, status }) => {
    const answer = await ask(await testImds({ tokenUse }), "GET", "/latest/meta-data/ami-id", line);
    expect({ status: answer.status, length: fieldOf(answer, "Content-Length"), body: answer.body.length }).toEqual({
      status,
      length: ["0"],
      body: 0,
    });
  });

  test("answers a missing item with the page of 337 bytes", async () => {
    const answer = await ask(await testImds(), "GET", "/latest/meta-data/no-such");
    expect([answer.status, fieldOf(answer, "Content-Type"), answer.body.length]).toEqual([404, ["text/html"], 337]);
  });

  test.for([
    {
      what: "another method than PUT",
      method: "GET",
      target: "/latest/api/token",
      line: "Accept: */*",
      status: 405,
      allow: ["OPTIONS, PUT"],
    },
    {
      what: "a dated version",
      method: "PUT",
      target: "/2021-03-23/api/token",
      line: "X-aws-ec2-metadata-token-ttl-seconds: 60",
      status: 403,
      allow: [],
    },
    {
      what: "a life of more than six hours",
      method: "PUT",
      target: "/latest/api/token",
      line: "X-aws-ec2-metadata-token-ttl-seconds: 21601",
      status: 400,
      allow: [],
    },
    {
      what: "a life of no seconds",
      method: "PUT",
      target: "/latest/api/token",
      line: "X-aws-ec2-metadata-token-ttl-seconds: 0",
      status: 400,
      allow: [],
    },
    { what: "no life at all", method: "PUT", target: "/latest/api/token", line: "Accept: */*", status: 400, allow: [] },
  ])("refuses a token for $what with $status", async ({ method, target, line, status, allow }) => {
    const answer = await ask(await testImds(), method, target, line);
    expect({ status: answer.status, allow: fieldOf(answer, "Allow") }).toEqual({ status, allow });
  });

  test("issues tokens of 56 characters that end when their time is over", async () => {
    const clock = handMovedClock();
    const imds = await testImds({ clock, tokens: randomTokens(() => 0.5), tokenUse: "required" });
    const token = (await ask(imds, "PUT", "/latest/api/token", "X-aws-ec2-metadata-token-ttl-seconds: 60")).body.toString();
    const statusWithToken = async () => (await ask(imds, "GET", "/", `X-aws-ec2-metadata-token: ${token}`)).status;
    const early = await statusWithToken();
    clock.advance(60_000);
    expect({ letters: token.length, early, late: await statusWithToken() }).toEqual({ letters: 56, early: 200, late: 401 });
  });

  test("gives the instance's role in exactly the documented layout", async () => {
    const imds = await testImds({ role: SIM_INSTANCE_ROLE });
    const textAt = async (path: string) => (await ask(imds, "GET", `/latest/meta-data/iam/${path}`)).body.toString();
    expect(await textAt("")).toBe("info\nsecurity-credentials/");
    expect(await textAt("security-credentials/")).toBe("host-role");
    expect(await textAt("security-credentials/host-role")).toBe(
      [
        "{",
        '  "Code" : "Success",',
        '  "LastUpdated" : "2026-11-24T02:00:00Z",',
        '  "Type" : "AWS-HMAC",',
        '  "AccessKeyId" : "ASIAHOSTHOSTHOSTHOST",',
        '  "SecretAccessKey" : "HOST+SECRET/no+container+may+see+this+01",',
        '  "Token" : "HOST//TOKEN//no/container/may/see/this==",',
        '  "Expiration" : "2026-11-24T08:00:00Z"',
        "}",
      ].join("\n"),
    );
    expect(await textAt("info")).toMatch(
      /"InstanceProfileArn" : "arn:aws:iam::111122223333:instance-profile\/host-role",\n {2}"InstanceProfileId" : "AIPA[A-Z2-7]{17}"\n\}$/,
    );
    expect((await ask(imds, "GET", "/latest/meta-data/iam/security-credentials/other")).status).toBe(404);
    expect((await ask(imds, "GET", "/2009-04-04/meta-data/iam/info")).status).toBe(404);
  });

  test("lists iam/ exactly while the instance has a role", async () => {
    const imds = await testImds({ role: SIM_INSTANCE_ROLE });
    const listing = async () => (await ask(imds, "GET", "/latest/meta-data/")).body.toString().split("\n");
    const withRole = await listing();
    imds.setState("noProfile");
    expect({ withRole: withRole.includes("iam/"), sorted: withRole.toSorted(), noProfile: (await listing()).includes("iam/") }).toEqual({
      withRole: true,
      sorted: withRole,
      noProfile: false,
    });
    expect((await ask(imds, "GET", "/latest/meta-data/iam/info")).status).toBe(404);
  });

  test("refuses what breaks the grammar with 400, and records it", async () => {
    const imds = await testImds();
    const { bytes } = await rawRequest(imds.endpoint, "GET / HTTP/1.1\nHost: a\n\n");
    expect({ status: parseAnswer(bytes).status, heads: imds.requests.map(({ head }) => head.toString()) }).toEqual({
      status: 400,
      heads: ["GET / HTTP/1.1\nHost: a\n\n"],
    });
  });

  test("is silent when it is down, and busy when it is throttled", async () => {
    const imds = await testImds();
    imds.setState("down");
    const down = await rawRequest(imds.endpoint, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    imds.setState("throttled");
    const throttled = await ask(imds, "GET", "/");
    expect({
      down: down.bytes.length,
      seen: imds.requests.length,
      status: throttled.status,
      retry: fieldOf(throttled, "Retry-After"),
    }).toEqual({
      down: 0,
      seen: 1,
      status: 503,
      retry: ["1"],
    });
  });
});

describe("the lenient victim", () => {
  test("leaks in every disguise, and records the raw target", async () => {
    const imds = await testImds({ behaviour: "victim" });
    const answer = await ask(imds, "GET", "/latest/meta-data/ami-id/%252e%252e/IAM;x/info");
    expect({
      status: answer.status,
      body: answer.body.toString(),
      seen: imds.requests.map(({ target, lenientSegments }) => ({ target, lenientSegments })),
    }).toEqual({
      status: 200,
      body: "LEAK-instance-role",
      seen: [{ target: "/latest/meta-data/ami-id/%252e%252e/IAM;x/info", lenientSegments: ["latest", "meta-data", "iam", "info"] }],
    });
  });

  test("ignores what follows a leaf, and obeys conditions and ranges", async () => {
    const imds = await testImds({ behaviour: "victim" });
    const region = "/latest/meta-data/placement/region";
    expect((await ask(imds, "GET", `${region}/x/y`)).body.toString()).toBe("eu-central-1");
    expect((await ask(imds, "GET", region, "If-Modified-Since: Tue, 24 Nov 2026 02:00:00 GMT")).status).toBe(304);
    expect((await ask(imds, "GET", region, "Range: bytes=0-5")).body.toString()).toBe("e");
  });

  test("sees a request that was pipelined behind another", async () => {
    const imds = await testImds({ behaviour: "victim" });
    await rawRequest(imds.endpoint, "GET / HTTP/1.1\r\nHost: a\r\n\r\nGET /latest/ HTTP/1.1\r\nHost: a\r\n\r\n");
    expect(imds.requests.map(({ target }) => target)).toEqual(["/", "/latest/"]);
  });
});
