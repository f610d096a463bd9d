import { describe, expect, test } from "vitest";
import type { Workload } from "../../src/identity/workload.ts";
import { decide, givesRole, type HostFacts, type Policy } from "../../src/policy/decide.ts";
import { parseRoleReference, type RoleArn } from "../../src/policy/role-arn.ts";
import { parseRoleBinding } from "../../src/policy/role-binding.ts";
import { PLAIN_SESSION, type SessionPlan } from "../../src/policy/session.ts";

const FACTS: HostFacts = { region: "eu-central-1", partition: "aws", account: "111122223333" };
const ID = "9f2c4e5a6b7c8d9e0f1a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d5e6f70";
const FAR: RoleArn = { arn: "arn:aws-cn:iam::333333333333:role/far", partition: "aws-cn", account: "333333333333", name: "far" };

const WEB: Workload = {
  kind: "container",
  name: "shop-web-1",
  id: ID,
  image: "nginx:1.27",
  labels: {
    team: "blue",
    "com.docker.compose.project": "shop",
    "com.docker.compose.service": "web",
    "com.docker.swarm.service.name": "stack_web",
  },
  networks: ["shop", "back"],
  addresses: ["172.20.0.7", "172.21.0.9", "fd00::7"],
};
const VM: Workload = { ...WEB, kind: "static", name: "vm-1", id: undefined, image: undefined, networks: [], addresses: ["10.9.0.5"] };

function policyOf(bindings: readonly string[], over: Partial<Policy> = {}): Policy {
  const parsed = bindings.map((text) => {
    const binding = parseRoleBinding(text, new Map([["far", FAR]]));
    if ("problem" in binding) throw new Error(binding.problem);
    return binding.value;
  });
  const defaults = {
    defaultRole: undefined,
    sessionName: "{workload}-{id}",
    durationSeconds: 3600,
    externalIds: new Map(),
    host: "host-7",
    requireImdsv2: false,
  };
  return { bindings: parsed, ...defaults, ...over };
}

function roleGiven(workload: Workload, bindings: readonly string[]): string {
  const decision = decide(workload, policyOf(bindings), FACTS);
  return decision.kind === "grant" ? decision.grant.role.name : decision.kind;
}

describe("the grant of a workload", () => {
  test("holds all that its session is made of", () => {
    expect(decide(WEB, policyOf(["name:shop-*=team/app"]), FACTS)).toEqual({
      kind: "grant",
      grant: {
        role: { arn: "arn:aws:iam::111122223333:role/team/app", partition: "aws", account: "111122223333", name: "app" },
        sessionName: "shop-web-1-9f2c4e5a6b7c",
        externalId: undefined,
        sourceIdentity: undefined,
        tags: [],
        policy: undefined,
        policyArns: [],
        durationSeconds: 3600,
        binding: "name:shop-*=team/app",
      },
    });
  });

  test.for([
    { binding: "name:shop-web-1=app", is: "app" },
    { binding: "name:shop-web=app", is: "none" },
    { binding: "image:nginx:*=app", is: "app" },
    { binding: "image:nginx=app", is: "none" },
    { binding: "label:team=bl?e=app", is: "app" },
    { binding: "label:team=red=app", is: "none" },
    { binding: "label:constructor=*=app", is: "none" },
    { binding: "label:owner=*=app", is: "none" },
    { binding: "compose:shop/web=app", is: "app" },
    { binding: "compose:*/web=app", is: "app" },
    { binding: "compose:shop/db=app", is: "none" },
    { binding: "swarm:stack_web=app", is: "app" },
    { binding: "swarm:stack_*=app", is: "app" },
    { binding: "swarm:web=app", is: "none" },
    { binding: "swarm:stack_we=app", is: "none" },
    { binding: "network:back=app", is: "app" },
    { binding: "network:sho?=app", is: "app" },
    { binding: "network:bac=app", is: "none" },
    { binding: "network:front=app", is: "none" },
    { binding: "ip:172.21.0.0/16=app", is: "app" },
    { binding: "ip:fd00::/64=app", is: "app" },
    { binding: "ip:172.20.0.8=app", is: "none" },
  ])("by $binding is $is", ({ binding, is }) => {
    expect(roleGiven(WEB, [binding])).toBe(is);
  });

  test("comes from the first binding that matches", () => {
    expect(roleGiven(WEB, ["name:other=a", "image:nginx:*=b", "name:shop-*=c"])).toBe("b");
    expect(roleGiven(WEB, ["name:shop-*=c", "image:nginx:*=b"])).toBe("c");
  });

  const forContainersAlone = ["label:team=blue=app", "compose:shop/web=app", "swarm:stack_web=app", "network:back=app", "image:*=app"];
  test.for(forContainersAlone)("of a static workload never comes from %s", (binding) => {
    expect(roleGiven(VM, [binding])).toBe("none");
    expect(roleGiven({ ...VM, image: "nginx:1.27", networks: ["back"] }, [binding])).toBe("none");
  });

  test.for(["swarm:*=app", "network:*=app", "compose:*/*=app"])("is none by %s for a container that has nothing of the kind", (binding) => {
    expect(roleGiven({ ...WEB, labels: {}, networks: [] }, [binding])).toBe("none");
  });

  test.for(["name:vm-?=app", "ip:10.9.0.0/24=app"])("of a static workload may come from %s", (binding) => {
    expect(roleGiven(VM, [binding])).toBe("app");
  });

  test("without a binding is the default role, if there is one", () => {
    const role = parseRoleReference("base", new Map());
    const defaultRole = "value" in role ? role.value : undefined;
    expect(decide(VM, policyOf(["name:web=app"], { defaultRole }), FACTS)).toEqual({
      kind: "grant",
      grant: {
        role: { arn: "arn:aws:iam::111122223333:role/base", partition: "aws", account: "111122223333", name: "base" },
        sessionName: "vm-1",
        externalId: undefined,
        sourceIdentity: undefined,
        tags: [],
        policy: undefined,
        policyArns: [],
        durationSeconds: 3600,
        binding: "default-role",
      },
    });
    expect(decide(WEB, policyOf(["name:web=app"]), FACTS)).toEqual({ kind: "none" });
  });
});

describe("a bare role name", () => {
  test.for([
    { title: "the account", facts: { ...FACTS, account: undefined }, missing: "account" },
    { title: "the partition", facts: { ...FACTS, partition: undefined }, missing: "partition" },
  ])("waits for $title, and no later binding or default role steps in", ({ facts, missing }) => {
    const policy = policyOf(["name:shop-*=app", "name:*=far"], { defaultRole: { kind: "arn", role: FAR, text: "far" } });
    expect(decide(WEB, policy, facts)).toEqual({ kind: "pending", missing, binding: "name:shop-*=app" });
  });

  test("is not waited for where a full ARN stands", () => {
    const unknown = { region: undefined, partition: undefined, account: undefined };
    expect(decide(WEB, policyOf(["name:shop-*=far"]), unknown)).toMatchObject({ kind: "grant", grant: { role: FAR } });
  });
});

describe("an external id", () => {
  test.for([
    { title: "the bare name", key: "app", binding: "name:*=app" },
    { title: "the alias", key: "far", binding: "name:*=far" },
    { title: "the ARN of an alias", key: FAR.arn, binding: "name:*=far" },
    { title: "the ARN of a bare name", key: "arn:aws:iam::111122223333:role/app", binding: "name:*=app" },
  ])("is found by $title", ({ key, binding }) => {
    const decision = decide(WEB, policyOf([binding], { externalIds: new Map([[key, "partner-7f3a"]]) }), FACTS);
    expect(decision).toMatchObject({ grant: { externalId: "partner-7f3a" } });
  });

  test("of one role is not given to another", () => {
    const policy = policyOf(["name:*=arn:aws:iam::999999999999:role/app"], { externalIds: new Map([["app", "partner-7f3a"]]) });
    expect(decide(WEB, policy, FACTS)).toMatchObject({ grant: { externalId: undefined } });
  });

  test("of the binding comes before that of the role", () => {
    const [binding] = policyOf(["name:*=app"]).bindings;
    const policy = policyOf([], {
      externalIds: new Map([["app", "of-role"]]),
      bindings: binding ? [{ ...binding, session: { ...binding.session, externalId: "of-binding" } }] : [],
    });
    expect(decide(WEB, policy, FACTS)).toMatchObject({ grant: { externalId: "of-binding" } });
  });
});

describe("what a binding says of its sessions", () => {
  const planned = (plan: Partial<SessionPlan>, over: Partial<Policy> = {}) => {
    const bindings = policyOf(["name:*=app"]).bindings.map((binding) => ({ ...binding, session: { ...PLAIN_SESSION, ...plan } }));
    return policyOf([], { bindings, ...over });
  };

  test("stands in the grant, with the workload's own words for its variables", () => {
    const plan: SessionPlan = {
      externalId: "partner-7f3a",
      sessionName: "{compose.service}@{host}",
      sourceIdentity: "{workload}",
      tags: [
        { key: "team", template: "{label:team}", isTransitive: true },
        { key: "env", template: "prod", isTransitive: false },
      ],
      policy: '{"Statement":[]}',
      policyArns: ["arn:aws-cn:iam::aws:policy/ReadOnlyAccess"],
      durationSeconds: 900,
    };
    expect(decide(WEB, planned(plan), FACTS)).toEqual({
      kind: "grant",
      grant: {
        role: { arn: "arn:aws:iam::111122223333:role/app", partition: "aws", account: "111122223333", name: "app" },
        sessionName: "web@host-7",
        externalId: "partner-7f3a",
        sourceIdentity: "shop-web-1",
        tags: [
          { key: "team", value: "blue", isTransitive: true },
          { key: "env", value: "prod", isTransitive: false },
        ],
        policy: '{"Statement":[]}',
        policyArns: ["arn:aws-cn:iam::aws:policy/ReadOnlyAccess"],
        durationSeconds: 900,
        binding: "name:*=app",
      },
    });
  });

  test("is not given to the default role", () => {
    const other = planned(
      { tags: [{ key: "team", template: "blue", isTransitive: false }] },
      { defaultRole: { kind: "arn", role: FAR, text: "far" } },
    );
    const bindings = other.bindings.map((binding) => ({ ...binding, selector: { kind: "name" as const, pattern: "nobody" } }));
    expect(decide(WEB, { ...other, bindings }, FACTS)).toMatchObject({
      grant: { role: FAR, tags: [], sourceIdentity: undefined, policyArns: [] },
    });
  });

  test.for([
    {
      title: "a tag",
      plan: { tags: [{ key: "owner", template: "{label:owner}", isTransitive: false }] },
      problem: 'the tag "owner" needs {label:owner}, and this workload has none',
    },
    {
      title: "a source identity",
      plan: { sourceIdentity: "{label:owner}" },
      problem: "the source identity needs {label:owner}, and this workload has none",
    },
  ])("leaves a workload without a role where $title cannot be made, also where there is a default role", ({ plan, problem }) => {
    const decision = decide(WEB, planned(plan, { defaultRole: { kind: "arn", role: FAR, text: "far" } }), FACTS);
    expect(decision).toEqual({
      kind: "unfit",
      role: { arn: "arn:aws:iam::111122223333:role/app", partition: "aws", account: "111122223333", name: "app" },
      binding: "name:*=app",
      problem,
    });
    expect(givesRole(decision)).toBe(false);
  });
});
