import { describe, expect, test } from "vitest";
import { sdkCredentials } from "../../src/credentials/operator-credentials.ts";
import { SIM_INSTANCE_ROLE } from "../../src/sim/instance-facts.ts";
import { testImds, testSts } from "../support/sims.ts";
import { useAwsEnvironment } from "./aws-environment.ts";
import { watchDials } from "./dialled.ts";
import { type HttpStub, startHttpStub } from "./http-stub.ts";

const PROFILE = `[profile ops]
role_arn = arn:aws:iam::111122223333:role/ops
credential_source = Ec2InstanceMetadata
region = eu-central-1
ec2_metadata_service_endpoint = http://192.0.2.1
ec2_metadata_service_endpoint_mode = IPv6
ec2_metadata_v1_disabled = false
`;
/** All that an environment can say to lead the SDK elsewhere, or back to IMDSv1. */
const LURES = {
  AWS_PROFILE: "ops",
  AWS_EC2_METADATA_DISABLED: "false",
  AWS_EC2_METADATA_V1_DISABLED: "false",
  AWS_EC2_METADATA_SERVICE_ENDPOINT: "http://192.0.2.1",
  AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE: "IPv6",
  AWS_DEFAULTS_MODE: "auto",
};

function ask({ port }: Pick<HttpStub, "port">) {
  return sdkCredentials({ host: "127.0.0.1", port }, undefined)(new AbortController().signal);
}

describe("a profile that names IMDS", () => {
  test("is answered by the upstream, with a token in every question, whatever the environment says", async () => {
    const imds = await testImds({ role: SIM_INSTANCE_ROLE, tokenUse: "required" });
    const sts = await testSts();
    await useAwsEnvironment({ ...LURES, AWS_ENDPOINT_URL_STS: `http://127.0.0.1:${sts.endpoint.port}` }, PROFILE);
    const dialled = watchDials();
    expect(await ask(imds.endpoint)).toMatchObject({ source: "profile" });
    expect(imds.requests.map(({ method, target, status }) => `${method} ${target} ${status}`)).toEqual([
      "PUT /latest/api/token 200",
      "GET /latest/meta-data/iam/security-credentials/ 200",
      `GET /latest/meta-data/iam/security-credentials/${SIM_INSTANCE_ROLE.name} 200`,
    ]);
    expect(sts.calls.map(({ parameters }) => parameters["RoleArn"])).toEqual(["arn:aws:iam::111122223333:role/ops"]);
    expect(new Set(dialled)).toEqual(new Set([imds.endpoint, sts.endpoint].map(({ port }) => `127.0.0.1:${port}`)));
  });

  test.for([400, 401, 403, 404, 405, 429, 500, 503])("is never answered by IMDSv1 where the token is refused with %d", async (status) => {
    const upstream = await startHttpStub((response) => response.writeHead(status).end());
    await useAwsEnvironment(LURES, PROFILE);
    const dialled = watchDials();
    await expect(ask(upstream)).rejects.toMatchObject({ code: "BASE_CREDENTIALS_UNAVAILABLE" });
    expect(upstream.asked.map(({ line }) => line)).toEqual(["PUT /latest/api/token"]);
    expect(new Set(dialled)).toEqual(new Set([`127.0.0.1:${upstream.port}`]));
  });

  test.for([
    { title: "hangs", answer: () => {} },
    { title: "cuts the connection", answer: (response: { destroy(): void }) => response.destroy() },
  ])("is never answered by IMDSv1 where the upstream $title", async ({ answer }) => {
    const upstream = await startHttpStub(answer);
    await useAwsEnvironment(LURES, PROFILE);
    await expect(ask(upstream)).rejects.toMatchObject({ code: "BASE_CREDENTIALS_UNAVAILABLE" });
    expect(upstream.asked.map(({ line }) => line)).toEqual(["PUT /latest/api/token"]);
  });
});
