import type { STSClient, STSClientConfig } from "@aws-sdk/client-sts";
import { ImdsgateError } from "../errors.ts";
import type { AssumedRole, AssumeRoleRequest, BaseCredentials, Sts } from "./assume-role.ts";
import { partitionOf } from "./partition.ts";
import { collectAnswer } from "./sts-body.ts";
import { stsFailure } from "./sts-failure.ts";

/**
 * The door to STS: exactly one HTTP request a call, none of it ever to IMDS. `endpoint` is a URL; undefined means the Region's own, FIPS
 * and dual-stack as the SDK's own settings say, or what AWS_ENDPOINT_URL_STS says (docs/contract.md, S6). The SDK is loaded at the first
 * call, since that takes 100 ms.
 */
export function awsSts(endpoint: string | undefined): Sts {
  const withClient = clientCache(endpoint);
  return {
    async assumeRole(request, base, region, signal) {
      const action = `AssumeRole for ${request.roleArn}`;
      if (endpoint === undefined) refuseOtherPartition(request.roleArn, region, action);
      const { AssumeRoleCommand } = await import("@aws-sdk/client-sts");
      const command = new AssumeRoleCommand(inputFor(request));
      const answer = await withClient(base, region, (client) => inOurCodes(action, client.send(command, { abortSignal: signal })));
      return {
        accessKeyId: present(answer.Credentials?.AccessKeyId, action),
        secretAccessKey: present(answer.Credentials?.SecretAccessKey, action),
        sessionToken: present(answer.Credentials?.SessionToken, action),
        expiresAt: present(answer.Credentials?.Expiration, action).getTime(),
        assumedRoleArn: present(answer.AssumedRoleUser?.Arn, action),
      } satisfies AssumedRole;
    },
    async callerArn(base, region, signal) {
      const action = "GetCallerIdentity";
      const { GetCallerIdentityCommand } = await import("@aws-sdk/client-sts");
      const command = new GetCallerIdentityCommand({});
      const answer = await withClient(base, region, (client) => inOurCodes(action, client.send(command, { abortSignal: signal })));
      return present(answer.Arn, action);
    },
  };
}

/** Loads the SDK ahead of need, as `loadProviders`. */
export async function loadSts(): Promise<void> {
  await import("@aws-sdk/client-sts");
}

/** No session crosses partitions, and STS says so in words that do not help. Stand-ins for STS have partitions of their own. */
function refuseOtherPartition(roleArn: string, region: string, action: string): void {
  const [, partition] = /^arn:([^:]*):/.exec(roleArn) ?? [];
  if (partition === partitionOf(region)) return;
  const mismatch = `the role is in partition ${partition}, but ${region} is in ${partitionOf(region)}, and no session crosses partitions`;
  throw new ImdsgateError("STS_INVALID", `${action} failed: ${mismatch}; check the binding and --region`);
}

/** What the SDK gives, its failures in our codes. */
function inOurCodes<T>(action: string, sent: Promise<T>): Promise<T> {
  return sent.catch((error: unknown) => {
    throw stsFailure(error, action);
  });
}

type WithClient = <T>(base: BaseCredentials, region: string, act: (client: STSClient) => Promise<T>) => Promise<T>;

interface HeldClient {
  readonly base: BaseCredentials;
  readonly region: string;
  readonly client: STSClient;
  callsUnderWay: number;
}

/**
 * One client as long as credentials and Region stay the same: it keeps connections open and learns how far the clock is off. An old one
 * is closed after its last call.
 */
function clientCache(endpoint: string | undefined): WithClient {
  let held: HeldClient | undefined;
  const closeIfOld = (one: HeldClient) => {
    if (one !== held && one.callsUnderWay === 0) one.client.destroy();
  };
  return async (base, region, act) => {
    const { STSClient } = await import("@aws-sdk/client-sts");
    const before = held;
    const current =
      before?.base === base && before.region === region
        ? before
        : { base, region, client: new STSClient(settingsFor(base, region, endpoint)), callsUnderWay: 0 };
    held = current;
    if (before) closeIfOld(before);
    current.callsUnderWay += 1;
    try {
      return await act(current.client);
    } finally {
      current.callsUnderWay -= 1;
      closeIfOld(current);
    }
  };
}

function settingsFor(base: BaseCredentials, region: string, endpoint: string | undefined): STSClientConfig {
  return {
    // Each of these, left out, makes the SDK look for it by itself, in the end at IMDS.
    region,
    credentials: identityOf(base),
    defaultsMode: "legacy",
    // An endpoint by name is the one that is meant: the SDK would refuse it where its settings ask for FIPS or dual-stack.
    ...(endpoint === undefined ? {} : { endpoint, useFipsEndpoint: false, useDualstackEndpoint: false }),
    maxAttempts: 1,
    streamCollector: collectAnswer,
    requestHandler: { logger: SILENT },
  };
}

/** Rooms never log; the SDK's handler would, on the console. */
const SILENT = { trace() {}, debug() {}, info() {}, warn() {}, error() {} };

function identityOf({ accessKeyId, secretAccessKey, sessionToken }: BaseCredentials) {
  return { accessKeyId, secretAccessKey, ...(sessionToken === undefined ? {} : { sessionToken }) };
}

function inputFor(request: AssumeRoleRequest) {
  return {
    RoleArn: request.roleArn,
    RoleSessionName: request.sessionName,
    DurationSeconds: request.durationSeconds,
    ...(request.externalId === undefined ? {} : { ExternalId: request.externalId }),
    ...(request.sourceIdentity === undefined ? {} : { SourceIdentity: request.sourceIdentity }),
    ...tagsInput(request),
    ...(request.policy === undefined ? {} : { Policy: request.policy }),
    ...(request.policyArns.length === 0 ? {} : { PolicyArns: request.policyArns.map((arn) => ({ arn })) }),
  };
}

/** Nothing at all where there are none: the SDK sends an empty list as an empty parameter. */
function tagsInput({ tags }: AssumeRoleRequest) {
  const transitive = tags.filter(({ isTransitive }) => isTransitive).map(({ key }) => key);
  return {
    ...(tags.length === 0 ? {} : { Tags: tags.map(({ key, value }) => ({ Key: key, Value: value })) }),
    ...(transitive.length === 0 ? {} : { TransitiveTagKeys: transitive }),
  };
}

function present<T>(value: T | undefined, action: string): T {
  if (value !== undefined && value !== "") return value;
  throw new ImdsgateError("STS_ANSWER_BAD", `${action} failed: the answer lacks a part that STS always sends; check --sts-endpoint`);
}
