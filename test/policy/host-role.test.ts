import { expect, test } from "vitest";
import { keepsHostRole, parseHostRole } from "../../src/policy/host-role.ts";

const AGENT = { name: "ecs-agent", image: "amazon/amazon-ecs-agent:latest" };

test.for([
  { text: "name:ecs-agent", keeps: true },
  { text: "name:ecs-agent2", keeps: false },
  { text: "name:ecs", keeps: false },
  { text: "image:amazon/amazon-ecs-agent:latest", keeps: true },
  { text: "image:amazon/amazon-ecs-agent", keeps: false },
])("--host-role $text is for the container ecs-agent: $keeps", ({ text, keeps }) => {
  const hostRole = parseHostRole(text);
  expect("value" in hostRole && keepsHostRole(AGENT, [hostRole.value])).toBe(keeps);
});

test("nobody keeps the host's role where the operator names nobody", () => {
  expect(keepsHostRole(AGENT, [])).toBe(false);
});

test.for(["", "ecs-agent", "name:", "name:ecs-*", "name:a?", "image:[ab]", "name:two words", "label:a=b", "ip:10.0.0.0/8", "NAME:a"])(
  "--host-role %j is refused, with an example",
  (text) => {
    expect(parseHostRole(text)).toEqual({
      problem: `${JSON.stringify(text)} does not name one container`,
      allowed: "name:NAME or image:IMAGE, in full: no pattern gives away this host's role",
      example: "name:ecs-agent",
    });
  },
);
