import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { SIM_FACTS, SIM_INSTANCE_ROLE } from "../../src/sim/instance-facts.ts";
import { type DockerHost, startDockerHost } from "../support/docker-host/docker-host.ts";
import { imdsgate, type RunningGateway, startGateway, startRealImds } from "../support/docker-host/gateway.ts";
import { ask, bodyOf, credentialsOf, lastingPart, requestFor, roleSeenBy } from "../support/docker-host/metadata.ts";
import { type Moto, startMoto } from "../support/docker-host/moto.ts";

const LIMIT_MS = 120_000;
const TOKEN_REQUEST = requestFor("/latest/api/token", ["X-aws-ec2-metadata-token-ttl-seconds: 600"], "PUT");
const BOTO3 = `
import boto3, sys
from botocore.exceptions import ClientError
calls = {
    "s3:PutObject": lambda: boto3.client("s3").put_object(Bucket="logs", Key="from-boto3", Body=b"x"),
    "cloudwatch:PutMetricData": lambda: boto3.client("cloudwatch").put_metric_data(Namespace="n", MetricData=[{"MetricName": "m", "Value": 1.0}]),
    "sqs:ListQueues": lambda: boto3.client("sqs").list_queues(),
}
for name, call in calls.items():
    try:
        call()
        print(name, "allowed")
    except ClientError as error:
        print(name, "denied" if "AccessDenied" in str(error) else error)
`;

interface Scene {
  readonly backend: string;
  readonly host: DockerHost;
  readonly moto: Moto;
  readonly gateway: RunningGateway;
}

/** The main story on a real Docker host: three containers that set nothing, two roles, IAM enforced. For one backend of the rules. */
export function splitOfRoles(backend: "nftables" | "iptables"): void {
  describe(`with ${backend}`, () => {
    let host: DockerHost;
    let scene: Scene;

    beforeAll(async () => {
      host = await startDockerHost();
      await startRealImds(host);
      const moto = await startMoto(host);
      for (const name of ["fluentd", "php", "unbound"]) {
        const endpoint = ["--env", `AWS_ENDPOINT_URL=${moto.endpoint}`, "--env", `AWS_DEFAULT_REGION=${moto.region}`];
        await host.docker("run", "--detach", "--name", name, ...endpoint, "imdsgate-test");
      }
      const bindings = ["--bind", "name:fluentd=fluentd-role", "--bind", "name:php=php-role"];
      const aws = ["--account", moto.account, "--region", moto.region, "--sts-endpoint", moto.endpoint];
      scene = { backend, host, moto, gateway: await startGateway(host, [...bindings, ...aws, "--rules", backend], moto.hostKeys) };
    }, LIMIT_MS);
    afterAll(() => host.stop());

    test("the ready line names the backend", () => expect(scene.gateway.ready.rules).toMatch(new RegExp(`^${backend}`)));

    describe("what each container may do", () => testSplit(() => scene));
    describe("what each container is told", () => testMetadata(() => scene));
    describe("what is left to see", () => testTraces(() => scene));
  });
}

function testSplit(at: () => Scene): void {
  test.for([
    { container: "fluentd", verdicts: ["allowed", "denied", "denied"] },
    { container: "php", verdicts: ["denied", "allowed", "allowed"] },
  ])("boto3 in $container may do what its role may", { timeout: LIMIT_MS }, async ({ container, verdicts }) => {
    const output = await at().host.docker("exec", container, "python3", "-c", BOTO3);
    const actions = ["s3:PutObject", "cloudwatch:PutMetricData", "sqs:ListQueues"];
    expect(output.split("\n")).toEqual(actions.map((action, index) => `${action} ${verdicts[index]}`));
  });

  test.for([
    { container: "fluentd", mayPut: true },
    { container: "php", mayPut: false },
  ])("the AWS CLI in $container may do what its role may", { timeout: LIMIT_MS }, async ({ container, mayPut }) => {
    const aws = (...args: string[]) => at().host.attempt("docker", ["exec", container, "aws", ...args]);
    const put = await aws("s3api", "put-object", "--bucket", "logs", "--key", "from-cli", "--body", "/etc/hostname");
    const metric = await aws("cloudwatch", "put-metric-data", "--namespace", "n", "--metric-name", "m", "--value", "1");
    const [allowed, denied] = mayPut ? [put, metric] : [metric, put];
    expect(allowed).toMatchObject({ code: 0, stderr: "" });
    expect(denied.stderr).toContain("AccessDenied");
  });

  test("each session carries the container's name and id", { timeout: LIMIT_MS }, async () => {
    const { host, moto } = at();
    const id = await host.docker("inspect", "--format", "{{.Id}}", "fluentd");
    const arn = await host.docker("exec", "fluentd", "aws", "sts", "get-caller-identity", "--query", "Arn", "--output", "text");
    expect(arn).toBe(`arn:aws:sts::${moto.account}:assumed-role/fluentd-role/fluentd-${id.slice(0, 12)}`);
  });

  test("boto3 in a container without a binding finds no credentials", { timeout: LIMIT_MS }, async () => {
    const { code, stderr } = await at().host.attempt("docker", ["exec", "unbound", "python3", "-c", BOTO3]);
    expect(code).toBe(1);
    expect(stderr).toContain("NoCredentialsError: Unable to locate credentials");
  });
}

function testMetadata(at: () => Scene): void {
  test("a container without a binding gets 404 on the whole IAM tree, with and without a token", { timeout: LIMIT_MS }, async () => {
    const token = await tokenFor(at().host, "unbound");
    const items = ["", "/", "/info", "/info/", "/security-credentials", "/security-credentials/"];
    const roles = ["fluentd-role", "php-role", SIM_INSTANCE_ROLE.name].map((role) => `/security-credentials/${role}`);
    const targets = [...items, ...roles].map((item) => `/latest/meta-data/iam${item}`);
    const answers = await ask(
      at().host,
      "unbound",
      targets.flatMap((target) => [requestFor(target), requestFor(target, [token])]),
    );
    expect(answers.map((answer) => answer.split("\r\n")[0])).toEqual(answers.map(() => "HTTP/1.1 404 Not Found"));
  });

  test("a container is given no role but its own", { timeout: LIMIT_MS }, async () => {
    const requests = ["php-role", SIM_INSTANCE_ROLE.name].map((role) => requestFor(`/latest/meta-data/iam/security-credentials/${role}`));
    const answers = await ask(at().host, "fluentd", requests);
    expect(answers.map((answer) => answer.split("\r\n")[0])).toEqual(answers.map(() => "HTTP/1.1 404 Not Found"));
  });

  test.for(["fluentd", "unbound"])(
    "every other path is the real service's answer byte for byte, for %s",
    { timeout: LIMIT_MS },
    async (container) => {
      const token = await tokenFor(at().host, container);
      const requests = passThroughTargets().flatMap((target) => [
        requestFor(target),
        requestFor(target, [token]),
        requestFor(target, [token], "HEAD"),
      ]);
      const seen = await ask(at().host, container, requests);
      const real = await ask(at().host, "host", requests);
      expect(seen.map(lastingPart)).toEqual(real.map(lastingPart));
      expect(real.filter((answer) => answer.startsWith("HTTP/1.1 200 OK")).length).toBeGreaterThan(60);
    },
  );

  test("the host's own processes still have the host's role", { timeout: LIMIT_MS }, async () => {
    const requests = ["", SIM_INSTANCE_ROLE.name].map((role) => requestFor(`/latest/meta-data/iam/security-credentials/${role}`));
    const [list = "", document = ""] = await ask(at().host, "host", requests);
    expect(bodyOf(list)).toBe(SIM_INSTANCE_ROLE.name);
    expect(bodyOf(document)).toContain(SIM_INSTANCE_ROLE.credentials.accessKeyId);
  });
}

function testTraces(at: () => Scene): void {
  test("each vend is audited with who, what and why", { timeout: LIMIT_MS }, async () => {
    const { host, moto, gateway } = at();
    const { AccessKeyId } = await credentialsOf(host, "php", "php-role");
    const id = await host.docker("inspect", "--format", "{{.Id}}", "php");
    const vend =
      gateway.program
        .stderr()
        .split("\n")
        .find((line) => line.includes("imdsgate.vend") && line.includes(AccessKeyId)) ?? "";
    const roleArn = `arn:aws:iam::${moto.account}:role/php-role`;
    for (const fact of [id, roleArn, `php-${id.slice(0, 12)}`, "name:php=php-role", "172.17.0."]) expect(vend).toContain(fact);
  });

  test("a gateway that is killed leaves no metadata, and one that is stopped ends with 0", { timeout: LIMIT_MS }, async () => {
    const { backend, host, gateway } = at();
    const request = [requestFor("/latest/meta-data/instance-id"), requestFor("/latest/meta-data/iam/security-credentials/")];
    await gateway.program.stop("SIGKILL");
    expect(await ask(host, "fluentd", request)).toEqual([expect.stringMatching(/^<\w+>$/), expect.stringMatching(/^<\w+>$/)]);
    const next = await startGateway(host, ["--bind", "name:fluentd=fluentd-role", "--account", "123456789012", "--rules", backend]);
    expect(await roleSeenBy(host, "fluentd")).toEqual({ status: "HTTP/1.1 200 OK", role: "fluentd-role" });
    expect(await next.program.stop("SIGTERM")).toMatchObject({ code: 0 });
    expect(await ask(host, "fluentd", request)).toEqual([expect.stringMatching(/^<\w+>$/), expect.stringMatching(/^<\w+>$/)]);
  });

  test("once the rules are removed the containers reach the real service, so the tests above can fail", { timeout: LIMIT_MS }, async () => {
    const { host } = at();
    expect(await imdsgate(host, "rules", "remove")).toMatchObject({ code: 0 });
    expect(await roleSeenBy(host, "unbound")).toEqual({ status: "HTTP/1.1 200 OK", role: SIM_INSTANCE_ROLE.name });
  });
}

/** Every path of the embedded instance, and some that no instance has, but for the listing that names `iam/`. */
function passThroughTargets(): readonly string[] {
  const known = Object.keys(SIM_FACTS.paths).filter((path) => path !== "/<v>/meta-data/");
  const odd = [
    "//latest//meta-data/ami-id",
    "/latest/meta-data/ami%2Did?x=1",
    "/latest/meta-data/instance-id/",
    "/latest/meta-data/none",
    "/none/",
  ];
  return [...known.flatMap((path) => ["latest", "2021-03-23"].map((version) => path.replace("<v>", version))), ...odd];
}

async function tokenFor(host: DockerHost, container: string): Promise<string> {
  const [answer = ""] = await ask(host, container, [TOKEN_REQUEST]);
  return `X-aws-ec2-metadata-token: ${bodyOf(answer)}`;
}
