import { describe, expect, test } from "vitest";
import type { Attack } from "../../src/selftest/attack.ts";
import { verdictOn } from "../../src/selftest/verdict.ts";

const OWN = { name: "web-role", accessKeyIds: ["ASIAWEBWEBWEBWEBWEB0"], profileArn: "arn:aws:iam::111122223333:instance-profile/web-role" };

function attack(must: Attack["must"], method = "GET"): Attack {
  return { name: "a", idea: "", request: `${method} /x HTTP/1.1\r\n\r\n`, unguarded: "leak", must };
}

function answer(status: number, body: string, surplus = ""): string {
  return `HTTP/1.1 ${status} X\r\nContent-Length: ${body.length}\r\n\r\n${body}${surplus}`;
}

function verdict(must: Attack["must"], text: string, hostRole?: string) {
  const heard = { bytes: Buffer.from(text, "latin1"), isClosed: true };
  return verdictOn(attack(must), heard, { own: OWN, hostRole });
}

describe("held", () => {
  test.for([
    { name: "a refusal with the status that the contract says", must: 404, text: answer(404, "<html/>") },
    { name: "the container's own listing", must: "own", text: answer(200, "web-role") },
    {
      name: "the container's own keys",
      must: "own",
      text: answer(200, '{\n  "Code" : "Success",\n  "AccessKeyId" : "ASIAWEBWEBWEBWEBWEB0"\n}'),
    },
    { name: "the container's own profile", must: "own", text: answer(200, `{\n  "Code" : "Success",\n  "Arn" : "${OWN.profileArn}"\n}`) },
    { name: "no role", must: "own", text: answer(404, "") },
    { name: "the real service's harmless text", must: "relayed", text: answer(200, "ami-1") },
  ] as const)("is $name", ({ must, text }) => expect(verdict(must, text, "host-role").kind).toBe("held"));
});

describe("a leak", () => {
  test.for([
    { name: "another access key id", must: "own", text: answer(200, '{ "AccessKeyId" : "ASIAHOSTHOSTHOSTHOST" }') },
    { name: "another access key id in a harmless answer", must: "relayed", text: answer(200, "x ASIAHOSTHOSTHOSTHOST y") },
    { name: "another instance profile", must: "own", text: answer(200, '{ "A" : "arn:aws:iam::111122223333:instance-profile/host" }') },
    { name: "the name of the host's role", must: 404, text: answer(404, "no host-role here") },
    { name: "a listing that is not the container's", must: "own", text: answer(200, "some-role") },
    { name: "any answer where the request must be refused", must: 404, text: answer(200, "x") },
    { name: "a part of an answer where the request must be refused", must: 400, text: answer(206, "x") },
    { name: "a part of the real answer on the tree", must: "own", text: answer(206, "{") },
    { name: "a second answer", must: "relayed", text: answer(200, "ami-1", answer(200, "x")) },
    { name: "a second answer behind a refusal", must: 404, text: answer(404, "", answer(404, "")) },
  ] as const)("is $name", ({ must, text }) => expect(verdict(must, text, "host-role").kind).toBe("leak"));

  test("is not the container's own role whose name only contains the host's", () => {
    expect(verdict("own", answer(200, "web-role"), "web").kind).toBe("held");
  });
});

describe("unclear", () => {
  test("is a refusal of another kind: the real service may have given it", () => {
    expect(verdict(404, answer(401, ""))).toEqual({ kind: "unclear", status: 401, because: "not a refusal (404)" });
  });

  test("is no answer", () => {
    expect(verdict(404, "")).toEqual({ kind: "unclear", status: undefined, because: "closed without an answer" });
  });
});
