import { expect, test, vi } from "vitest";
import { sdkCredentials } from "../../src/credentials/operator-credentials.ts";
import { SIM_INSTANCE_ARN, SIM_INSTANCE_ROLE } from "../../src/sim/instance-facts.ts";
import { handMovedClock } from "../support/hand-moved-clock.ts";
import { rawRequest } from "../support/raw-request.ts";
import { testImds, testSts } from "../support/sims.ts";
import { startTestDaemon } from "../support/test-daemon.ts";
import { useAwsEnvironment } from "./aws-environment.ts";
import { watchDials } from "./dialled.ts";

/** All that an environment can say to lead the SDK to IMDS by itself. */
const LURES = {
  AWS_EC2_METADATA_DISABLED: "false",
  AWS_EC2_METADATA_V1_DISABLED: "false",
  AWS_EC2_METADATA_SERVICE_ENDPOINT: "http://192.0.2.1",
  AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE: "IPv6",
  AWS_DEFAULTS_MODE: "auto",
};

test("the whole program dials its upstream, STS and nobody else, and asks the upstream for its own sake with tokens alone", async () => {
  const clock = handMovedClock();
  const imds = await testImds({ clock, role: SIM_INSTANCE_ROLE, tokenUse: "optional" });
  const sts = await testSts({ clock });
  await useAwsEnvironment(LURES);
  const dialled = watchDials();
  const flags = {
    upstream: `http://127.0.0.1:${imds.endpoint.port}`,
    "sts-endpoint": `http://127.0.0.1:${sts.endpoint.port}`,
    region: undefined,
    account: undefined,
    workload: ["web=127.0.0.1"],
    bind: ["name:web=web-role"],
  };
  const daemon = await startTestDaemon(flags, { clock, operatorCredentials: sdkCredentials(imds.endpoint, undefined) });
  const told = () => daemon.events.filter(({ kind }) => kind === "host-facts" || kind === "sts-call");
  const both = [
    { kind: "host-facts", account: "111122223333" },
    { kind: "sts-call", outcome: "ok" },
  ];
  await vi.waitFor(() => expect(told()).toMatchObject(both), 10_000);
  const { bytes } = await rawRequest(
    daemon.endpoint,
    "GET /latest/meta-data/iam/security-credentials/web-role HTTP/1.1\r\nHost: a\r\n\r\n",
  );
  expect(bytes.toString("latin1")).toContain('"Code" : "Success"');

  const ports = new Set([imds.endpoint, sts.endpoint, daemon.endpoint].map(({ port }) => `127.0.0.1:${port}`));
  expect(new Set(dialled)).toEqual(ports);
  expect(sts.calls.map(({ callerArn, parameters }) => `${parameters["Action"]} by ${callerArn}`)).toEqual([
    `GetCallerIdentity by ${SIM_INSTANCE_ARN}`,
    `AssumeRole by ${SIM_INSTANCE_ARN}`,
  ]);
  const own = imds.requests.filter(({ fields }) => fields.some(([name, value]) => name === "User-Agent" && value === "imdsgate"));
  const withoutToken = own.filter(
    ({ method, fields }) => method === "GET" && !fields.some(([name]) => /^x-aws-ec2-metadata-token$/i.test(name)),
  );
  expect(own.length).toBeGreaterThanOrEqual(5);
  expect(withoutToken).toEqual([]);
});
