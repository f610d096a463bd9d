import { describe, expect, test } from "vitest";
import { awsSts } from "../../src/credentials/sts.ts";
import { useAwsEnvironment } from "./aws-environment.ts";
import { watchDials } from "./dialled.ts";
import { startHttpStub } from "./http-stub.ts";
import { BASE, requestOf } from "./scripted.ts";

const REQUEST = requestOf();
/** All that could lead the SDK to look around by itself, or to the global endpoint. */
const LURES = {
  AWS_DEFAULTS_MODE: "auto",
  AWS_STS_REGIONAL_ENDPOINTS: "legacy",
  AWS_REGION: "ap-south-1",
  AWS_DEFAULT_REGION: "ap-south-1",
};

/** Where the door dials for a role of that partition; nothing outside of loopback is reached. */
async function dialledFor(region: string, partition: string, endpoint?: string): Promise<readonly string[]> {
  const dialled = watchDials();
  const roleArn = REQUEST.roleArn.replace("arn:aws:", `arn:${partition}:`);
  const asked = awsSts(endpoint).assumeRole({ ...REQUEST, roleArn }, BASE, region, new AbortController().signal);
  await expect(asked).rejects.toMatchObject({ code: "STS_UNAVAILABLE" });
  return dialled;
}

/** Region, partition, and the ends of the host names: plain and dual-stack. */
const PLACES: readonly (readonly [string, string, string, string])[] = [
  ["eu-central-1", "aws", "amazonaws.com", "api.aws"],
  ["us-east-1", "aws", "amazonaws.com", "api.aws"],
  ["us-west-2", "aws", "amazonaws.com", "api.aws"],
  ["il-central-1", "aws", "amazonaws.com", "api.aws"],
  ["cn-north-1", "aws-cn", "amazonaws.com.cn", "api.amazonwebservices.com.cn"],
  ["cn-northwest-1", "aws-cn", "amazonaws.com.cn", "api.amazonwebservices.com.cn"],
  ["us-gov-west-1", "aws-us-gov", "amazonaws.com", "api.aws"],
  ["us-gov-east-1", "aws-us-gov", "amazonaws.com", "api.aws"],
  ["us-iso-east-1", "aws-iso", "c2s.ic.gov", "api.aws.ic.gov"],
  ["us-isob-east-1", "aws-iso-b", "sc2s.sgov.gov", "api.aws.scloud"],
  ["eu-isoe-west-1", "aws-iso-e", "cloud.adc-e.uk", "api.cloud-aws.adc-e.uk"],
  ["us-isof-south-1", "aws-iso-f", "csp.hci.ic.gov", "api.aws.hci.ic.gov"],
  ["eusc-de-east-1", "aws-eusc", "amazonaws.eu", "api.amazonwebservices.eu"],
];

describe("the endpoint of STS", () => {
  test.for(PLACES)("in %s is that Region's own, of the partition %s", async ([region, partition, suffix]) => {
    await useAwsEnvironment(LURES, "[default]\ndefaults_mode = auto\nsts_regional_endpoints = legacy\nregion = ap-south-1\n");
    expect(await dialledFor(region, partition)).toEqual([`sts.${region}.${suffix}:443`]);
  });

  test.for(PLACES)("in %s is the one for FIPS where the SDK's settings ask for it", async ([region, partition, suffix]) => {
    await useAwsEnvironment({ ...LURES, AWS_USE_FIPS_ENDPOINT: "true" });
    // GovCloud's only ones are for FIPS.
    const host = partition === "aws-us-gov" ? "sts" : "sts-fips";
    expect(await dialledFor(region, partition)).toEqual([`${host}.${region}.${suffix}:443`]);
  });

  test.for(PLACES)("in %s is dual-stack where the SDK's settings ask for it", async ([region, partition, , suffix]) => {
    await useAwsEnvironment({ ...LURES, AWS_USE_DUALSTACK_ENDPOINT: "true" });
    expect(await dialledFor(region, partition)).toEqual([`sts.${region}.${suffix}:443`]);
  });

  test.for([
    { keys: "use_fips_endpoint = true", host: "sts-fips.us-east-1.amazonaws.com:443" },
    { keys: "use_dualstack_endpoint = true", host: "sts.us-east-1.api.aws:443" },
    { keys: "use_fips_endpoint = true\nuse_dualstack_endpoint = true", host: "sts-fips.us-east-1.api.aws:443" },
    { keys: "endpoint_url = https://sts.corp.invalid", host: "sts.corp.invalid:443" },
    { keys: "services = corp\n[services corp]\nsts =\n  endpoint_url = https://sts.services.invalid", host: "sts.services.invalid:443" },
  ])("follows the profile's $keys", async ({ keys, host }) => {
    await useAwsEnvironment({ ...LURES, AWS_PROFILE: "ops" }, `[profile ops]\n${keys}\n`);
    expect(await dialledFor("us-east-1", "aws")).toEqual([host]);
  });

  test("is what AWS_ENDPOINT_URL_STS says, before AWS_ENDPOINT_URL", async () => {
    await useAwsEnvironment({ ...LURES, AWS_ENDPOINT_URL: "https://all.invalid", AWS_ENDPOINT_URL_STS: "https://sts.invalid:8443/x" });
    expect(await dialledFor("us-east-1", "aws")).toEqual(["sts.invalid:8443"]);
  });

  test("is the one that imdsgate was given before all others, FIPS and dual-stack or not", async () => {
    const variables = { AWS_ENDPOINT_URL_STS: "https://sts.invalid", AWS_USE_FIPS_ENDPOINT: "true", AWS_USE_DUALSTACK_ENDPOINT: "true" };
    await useAwsEnvironment({ ...LURES, ...variables });
    const given = await startHttpStub((response) => response.writeHead(503).end());
    const url = `http://127.0.0.1:${given.port}`;
    expect(await dialledFor("us-gov-west-1", "aws-us-gov", url)).toEqual([`127.0.0.1:${given.port}`]);
    expect(given.asked.map(({ headers }) => headers.authorization)).toEqual([expect.stringContaining("/us-gov-west-1/sts/aws4_request")]);
  });

  test.for([
    {
      title: "contradict each other",
      url: "https://sts.invalid",
      words: "Invalid Configuration: FIPS and custom endpoint are not supported",
    },
    { title: "lead nowhere", url: "sts.invalid", words: "Invalid URL" },
  ])("is missed, and nothing sent, where the settings $title", async ({ url, words }) => {
    await useAwsEnvironment({ AWS_USE_FIPS_ENDPOINT: "true", AWS_ENDPOINT_URL_STS: url });
    const dialled = watchDials();
    await expect(awsSts(undefined).callerArn(BASE, "us-east-1", new AbortController().signal)).rejects.toMatchObject({
      code: "STS_UNAVAILABLE",
      message: `GetCallerIdentity failed: STS has no endpoint: ${words}; look at AWS_ENDPOINT_URL_STS, AWS_USE_FIPS_ENDPOINT and AWS_USE_DUALSTACK_ENDPOINT, and at the same keys of the profile`,
    });
    expect(dialled).toEqual([]);
  });
});

describe("a role of another partition than the host's", () => {
  test.for([
    { region: "eu-central-1", role: "arn:aws-cn:iam::111122223333:role/app", is: "aws" },
    { region: "us-gov-west-1", role: "arn:aws:iam::111122223333:role/app", is: "aws-us-gov" },
    { region: "cn-north-1", role: "arn:aws-us-gov:iam::111122223333:role/app", is: "aws-cn" },
  ])("is refused in $region before anything is sent: $role", async ({ region, role, is }) => {
    await useAwsEnvironment();
    const dialled = watchDials();
    const asked = awsSts(undefined).assumeRole({ ...REQUEST, roleArn: role }, BASE, region, new AbortController().signal);
    await expect(asked).rejects.toMatchObject({
      code: "STS_INVALID",
      message: `AssumeRole for ${role} failed: the role is in partition ${role.split(":")[1]}, but ${region} is in ${is}, and no session crosses partitions; check the binding and --region`,
    });
    expect(dialled).toEqual([]);
  });

  test("is left to a stand-in for STS, which may have one of its own", async () => {
    await useAwsEnvironment();
    const standIn = await startHttpStub((response) => response.writeHead(503).end());
    expect(await dialledFor("eu-central-1", "aws-cn", `http://127.0.0.1:${standIn.port}`)).toEqual([`127.0.0.1:${standIn.port}`]);
  });
});
