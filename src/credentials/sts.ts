import type { STSClient, STSClientConfig } from "@aws-sdk/client-sts";
import { ImdsgateError } from "../errors.ts";
import type { AssumedRole, AssumeRoleRequest, BaseCredentials, Sts } from "./assume-role.ts";
import { stsFailure } from "./sts-failure.ts";

/**
 * The door to STS: exactly one HTTP request a call, none of it ever to IMDS. `endpoint` is a URL; undefined means the Region's own,
 * or what AWS_ENDPOINT_URL_STS says (docs/contract.md, S6). The SDK is loaded at the first call, since that takes 100 ms.
 */
export function awsSts(endpoint: string | undefined): Sts {
  const withClient = clientCache(endpoint);
  return {
    async assumeRole(request, base, region, signal) {
      const action = `AssumeRole for ${request.roleArn}`;
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
    ...(endpoint === undefined ? {} : { endpoint }),
    maxAttempts: 1,
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
  };
}

function present<T>(value: T | undefined, action: string): T {
  if (value !== undefined && value !== "") return value;
  throw new ImdsgateError("STS_ANSWER_BAD", `${action} failed: the answer lacks a part that STS always sends; check --sts-endpoint`);
}
