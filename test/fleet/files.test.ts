import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { parseConfig } from "../../src/config/config.ts";
import { RUN_FLAGS } from "../../src/config/flags.ts";
import { ROOT } from "../docs/pages.ts";

const FOLDER = join(ROOT, "packaging/fleet");
const PROGRAMS = join(ROOT, ".tools/venv/bin");
const hasPython = existsSync(join(PROGRAMS, "cfn-lint"));
/** Docker's client from 23 on reads a stack file without a daemon. */
const hasStackConfig = spawnSync("docker", ["stack", "config", "--help"], { encoding: "utf8" }).stdout?.includes("--compose-file") === true;

/** botocore's own check of a request, and the values of its closed lists, which that leaves out. */
const CHECK = `
import json, sys
import botocore.session
from botocore.validate import ParamValidator
operation, path = sys.argv[1:]
shape = botocore.session.get_session().get_service_model("ecs").operation_model(operation).input_shape
request = json.load(open(path))
def odd(value, shape):
    kind = shape.type_name
    if kind == "structure": return [text for name, part in value.items() if name in shape.members for text in odd(part, shape.members[name])]
    if kind == "list": return [text for part in value for text in odd(part, shape.member)]
    return [f"{value} is none of {shape.enum}"] if getattr(shape, "enum", None) and value not in shape.enum else []
print("\\n".join(filter(None, [ParamValidator().validate(request, shape).generate_report(), *odd(request, shape)])), end="")
`;

describe("packaging/fleet", () => {
  test("has settings that imdsgate takes", () => {
    const { policy, hostRoles, warnings } = parseConfig({ flags: { config: join(FOLDER, "imdsgate.yaml") }, environment: {} });
    expect(policy.bindings.map(({ text }) => text)).toEqual([
      "swarm:shop_web=web",
      "compose:shop/web=web",
      "label:com.amazonaws.ecs.task-definition-family=batch=batch",
    ]);
    expect(hostRoles).toHaveLength(1);
    expect(warnings).toEqual([]);
  });

  test.for([
    { file: "swarm.yaml", command: parse(readFileSync(join(FOLDER, "swarm.yaml"), "utf8")).services.gateway.command },
    { file: "ecs-task-definition.json", command: taskDefinition().containerDefinitions[0]?.command },
  ])("starts imdsgate in $file with flags that it has", ({ command }) => {
    const [verb, ...words]: readonly string[] = command;
    expect(verb).toBe("run");
    const flags = words.filter((word) => word.startsWith("--")).map((word) => word.slice(2));
    const known = ["config", ...RUN_FLAGS.map(({ name }) => name)];
    expect(flags.length).toBeGreaterThan(1);
    expect(flags.filter((flag) => !known.includes(flag))).toEqual([]);
  });

  test("gives the gateway of Swarm and of ECS the host's network, one capability and a root that it cannot write", () => {
    const { services } = parse(readFileSync(join(FOLDER, "swarm.yaml"), "utf8"));
    expect(services.gateway).toMatchObject({ networks: ["host"], cap_drop: ["ALL"], cap_add: ["NET_ADMIN"], read_only: true });
    expect(services.gateway.deploy).toMatchObject({ mode: "global", update_config: { order: "stop-first" } });
    const { networkMode, pidMode, containerDefinitions } = taskDefinition();
    expect({ networkMode, pidMode }).toEqual({ networkMode: "host", pidMode: "host" });
    expect(containerDefinitions[0]).toMatchObject({
      readonlyRootFilesystem: true,
      linuxParameters: { capabilities: { drop: ["ALL"], add: ["NET_ADMIN"] } },
    });
  });
});

describe.skipIf(!hasStackConfig)("the stack file, read by Docker's own client (needs docker 23 or later)", () => {
  test("is one that it takes", () => {
    const stack = parse(stackConfig({ IMDSGATE_IMAGE: "imdsgate@sha256:00" }));
    expect(stack.services.gateway).toMatchObject({ image: "imdsgate@sha256:00", networks: { host: null }, deploy: { mode: "global" } });
    expect(stack.configs.settings.name).toBe("imdsgate-1");
    expect(parse(stackConfig({ IMDSGATE_IMAGE: "imdsgate@sha256:00", IMDSGATE_POLICY_VERSION: "2" })).configs.settings.name).toBe(
      "imdsgate-2",
    );
  });

  test("is refused without an image", () => {
    expect(() => stackConfig({})).toThrow(/name the image of imdsgate/);
  });
});

describe.skipIf(!hasPython)("the files for AWS (needs .tools/venv, which ./scripts/test makes)", () => {
  test.for([
    { operation: "RegisterTaskDefinition", file: "ecs-task-definition.json" },
    { operation: "CreateService", file: "ecs-service.json" },
  ])("$file is a $operation that botocore takes", ({ operation, file }) => {
    expect(python(operation, join(FOLDER, file))).toBe("");
  });

  test("a request that is none is told", () => {
    expect(python("CreateService", join(FOLDER, "ecs-task-definition.json"))).toContain('Unknown parameter in input: "family"');
  });

  test("cloudformation.yaml has nothing that cfn-lint minds", () => {
    expect(
      execFileSync(join(PROGRAMS, "cfn-lint"), ["--non-zero-exit-code", "informational", join(FOLDER, "cloudformation.yaml")], {
        encoding: "utf8",
      }),
    ).toBe("");
  });
});

describe("cloudformation.yaml", () => {
  const { Resources } = parse(readFileSync(join(FOLDER, "cloudformation.yaml"), "utf8"), { logLevel: "silent" });

  test("lets the host assume what is below one path, and nothing else", () => {
    const [policy, ...more] = Resources.HostRole.Properties.Policies;
    expect([more, Resources.HostRole.Properties.ManagedPolicyArns]).toEqual([[], undefined]);
    expect(policy.PolicyDocument.Statement).toEqual([
      {
        Sid: "Workloads",
        Effect: "Allow",
        Action: ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"],
        Resource: expect.stringMatching(/:role\$\{RolePath\}\*$/),
      },
    ]);
  });

  test("has roles that trust the host's role alone, and instances that give tokens to nobody further away", () => {
    const { Statement } = Resources.WorkloadRole.Properties.AssumeRolePolicyDocument;
    const principals = Statement.map(({ Principal }: { Principal: unknown }) => JSON.stringify(Principal));
    expect([...new Set(principals)]).toEqual(['{"AWS":"HostRole.Arn"}']);
    expect(Statement.map(({ Action }: { Action: string }) => Action)).toEqual([
      "sts:AssumeRole",
      "sts:TagSession",
      "sts:SetSourceIdentity",
    ]);
    expect(Resources.HostTemplate.Properties.LaunchTemplateData.MetadataOptions).toEqual({
      HttpEndpoint: "enabled",
      HttpTokens: "required",
      HttpPutResponseHopLimit: 1,
    });
  });
});

interface TaskDefinition {
  readonly networkMode: string;
  readonly pidMode: string;
  readonly containerDefinitions: readonly { readonly command: readonly string[] }[];
}

function taskDefinition(): TaskDefinition {
  return JSON.parse(readFileSync(join(FOLDER, "ecs-task-definition.json"), "utf8"));
}

function stackConfig(variables: Readonly<Record<string, string>>): string {
  const env = { PATH: process.env["PATH"], ...variables };
  return execFileSync("docker", ["stack", "config", "--compose-file", join(FOLDER, "swarm.yaml")], {
    encoding: "utf8",
    env,
    stdio: "pipe",
  });
}

function python(operation: string, path: string): string {
  return execFileSync(join(PROGRAMS, "python"), ["-c", CHECK, operation, path], { encoding: "utf8" });
}
