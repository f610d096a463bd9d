import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseBindingHalves, parseRoleBinding } from "../../src/policy/role-binding.ts";
import { PLAIN_SESSION } from "../../src/policy/session.ts";

const ARN = "arn:aws:iam::111122223333:role/odd=role";
const NAMED = { kind: "name", name: "app", text: "app" };
const BY_ARN = { kind: "arn", role: { arn: ARN, partition: "aws", account: "111122223333", name: "odd=role" }, text: ARN };

describe("a role binding", () => {
  test.for([
    { text: "name:web-*=app", selector: { kind: "name", pattern: "web-*" }, role: NAMED },
    {
      text: "image:registry.example.com:5000/web@sha256:0f=app",
      selector: { kind: "image", pattern: "registry.example.com:5000/web@sha256:0f" },
      role: NAMED,
    },
    { text: "label:team=blue=app", selector: { kind: "label", key: "team", pattern: "blue" }, role: NAMED },
    { text: "label:team=a=b=app", selector: { kind: "label", key: "team", pattern: "a=b" }, role: NAMED },
    { text: `label:team=a=b=${ARN}`, selector: { kind: "label", key: "team", pattern: "a=b" }, role: BY_ARN },
    { text: `name:web=${ARN}`, selector: { kind: "name", pattern: "web" }, role: BY_ARN },
    { text: "compose:shop/*=app", selector: { kind: "compose", project: "shop", service: "*" }, role: NAMED },
    { text: "swarm:shop_*=app", selector: { kind: "swarm", service: "shop_*" }, role: NAMED },
    { text: "network:payments=app", selector: { kind: "network", pattern: "payments" }, role: NAMED },
    { text: "ip:172.20.0.0/16=app", selector: { kind: "ip", block: "172.20.0.0/16" }, role: NAMED },
    { text: "ip:172.20.0.7=app", selector: { kind: "ip", block: "172.20.0.7/32" }, role: NAMED },
    { text: "ip:0.0.0.0/0=app", selector: { kind: "ip", block: "0.0.0.0/0" }, role: NAMED },
    { text: "ip:FD00:0::7=app", selector: { kind: "ip", block: "fd00::7/128" }, role: NAMED },
    { text: "ip:fd00::/64=app", selector: { kind: "ip", block: "fd00::/64" }, role: NAMED },
  ])("is read: $text", ({ text, selector, role }) => {
    expect(parseRoleBinding(text, new Map())).toEqual({
      value: { selector, role, session: PLAIN_SESSION, requireImdsv2: undefined, text },
    });
  });

  test("of two halves is never split again", () => {
    expect(parseBindingHalves(`label:team=a=${ARN}`, "app", new Map())).toEqual({
      value: {
        selector: { kind: "label", key: "team", pattern: `a=${ARN}` },
        role: NAMED,
        session: PLAIN_SESSION,
        requireImdsv2: undefined,
        text: `label:team=a=${ARN}=app`,
      },
    });
  });

  test("names its role by an alias", () => {
    const role = { arn: "arn:aws:iam::111122223333:role/app", partition: "aws", account: "111122223333", name: "app" };
    expect(parseRoleBinding("name:web=short", new Map([["short", role]]))).toEqual({
      value: {
        selector: { kind: "name", pattern: "web" },
        role: { kind: "arn", role, text: "short" },
        session: PLAIN_SESSION,
        requireImdsv2: undefined,
        text: "name:web=short",
      },
    });
  });

  test.for([
    { text: "web", problem: '"web" names no role' },
    { text: "web=app", problem: '"web" is no selector' },
    { text: "ftp:x=app", problem: '"ftp:x" is no selector' },
    { text: "NAME:x=app", problem: '"NAME:x" is no selector' },
    { text: "name:=app", problem: '"" is not the name of a container' },
    { text: "name:/web=app", problem: '"/web" is not the name of a container' },
    { text: "name:web=odd=app", problem: '"web=odd" is not the name of a container' },
    { text: "image:=app", problem: '"" is not an image' },
    { text: "image:a b=app", problem: '"a b" is not an image' },
    { text: "label:team=app", problem: '"team" is not a label and its value' },
    { text: "label:=x=app", problem: '"=x" is not a label and its value' },
    { text: "label:team==app", problem: '"team=" is not a label and its value' },
    { text: "label:te*=x=app", problem: '"te*=x" is not a label and its value' },
    { text: "compose:shop=app", problem: '"shop" is not a Compose service' },
    { text: "compose:shop/web/1=app", problem: '"shop/web/1" is not a Compose service' },
    { text: "swarm:=app", problem: '"" is not a Swarm service' },
    { text: "swarm:shop/web=app", problem: '"shop/web" is not a Swarm service' },
    { text: "network:=app", problem: '"" is not the name of a network' },
    { text: "network:a b=app", problem: '"a b" is not the name of a network' },
    { text: "constructor:x=app", problem: '"constructor:x" is no selector' },
    { text: "ip:web=app", problem: '"web" is not an address or a block of addresses' },
    { text: "ip:10.0.0.0/33=app", problem: '"10.0.0.0/33" is not an address or a block of addresses' },
    { text: "ip:10.0.0.0/=app", problem: '"10.0.0.0/" is not an address or a block of addresses' },
    { text: "ip:10.0.0.0/08=app", problem: '"10.0.0.0/08" is not an address or a block of addresses' },
    { text: "ip:10.0.0=app", problem: '"10.0.0" is not an address or a block of addresses' },
    { text: "ip:fd00::/129=app", problem: '"fd00::/129" is not an address or a block of addresses' },
    { text: "ip:fe80::1%eth0=app", problem: '"fe80::1%eth0" is not an address or a block of addresses' },
    { text: "ip:::ffff:10.0.0.0/104=app", problem: '"::ffff:10.0.0.0/104" is not an address or a block of addresses' },
    { text: "name:web=", problem: '"" is not the name of a role' },
    { text: "name:web=two words", problem: '"two words" is not the name of a role' },
    { text: "name:web=arn:aws:iam::1:role/app", problem: '"arn:aws:iam::1:role/app" is not the ARN of a role' },
  ])("is refused with what is wrong, what is right and an example: $text", ({ text, problem }) => {
    expect(parseRoleBinding(text, new Map())).toEqual({
      problem,
      allowed: expect.stringMatching(/.{8}/),
      example: expect.stringMatching(/.{8}/),
    });
  });

  test("with an unknown selector is refused with the list of all", () => {
    expect(parseRoleBinding("pod:x=app", new Map())).toEqual({
      problem: '"pod:x" is no selector',
      allowed: "name:, image:, label:K=V, compose:PROJECT/SERVICE, swarm:SERVICE, network:NAME or ip:CIDR",
      example: "name:web=web-role",
    });
  });

  test("has a value or a problem for any text", () => {
    const text = fc.oneof(
      fc.string(),
      fc.string().map((rest) => `label:${rest}`),
      fc.string().map((rest) => `ip:${rest}=app`),
    );
    fc.assert(
      fc.property(text, (any) => {
        expect(["value", "problem"]).toContain(Object.keys(parseRoleBinding(any, new Map()))[0]);
      }),
    );
  });
});
