import type { STSClient } from "@aws-sdk/client-sts";
import { ImdsgateError } from "../errors.ts";
import type { AssumedRole, AssumeRoleRequest, BaseCredentials, Sts } from "./assume-role.ts";
import { stsFailure } from "./sts-failure.ts";

/**
 * The door to STS: exactly one HTTP request a call, none of it ever to IMDS. `endpoint` is a URL; undefined means the Region's own,
 * or what AWS_ENDPOINT_URL_STS says (docs/contract.md, S6). The SDK is loaded at the first call, since that takes 100 ms.
 */
export function awsSts(endpoint: string | undefined): Sts {
  const clientFor = clientCache(endpoint);
  return {
    async assumeRole(request, base, region, signal) {
      const action = `AssumeRole for ${request.roleArn}`;
      const { AssumeRoleCommand } = await import("@aws-sdk/client-sts");
      const client = await clientFor(base, region);
      const answer = await client.send(new AssumeRoleCommand(inputFor(request)), { abortSignal: signal }).catch((error: unknown) => {
        throw stsFailure(error, action);
      });
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
      const client = await clientFor(base, region);
      const answer = await client.send(new GetCallerIdentityCommand({}), { abortSignal: signal }).catch((error: unknown) => {
        throw stsFailure(error, action);
      });
      return present(answer.Arn, action);
    },
  };
}

/** One client as long as credentials and Region stay the same: it keeps connections open and learns how far the clock is off. */
function clientCache(endpoint: string | undefined): (base: BaseCredentials, region: string) => Promise<STSClient> {
  let held: { readonly base: BaseCredentials; readonly region: string; readonly client: STSClient } | undefined;
  return async (base, region) => {
    const { STSClient } = await import("@aws-sdk/client-sts");
    if (held?.base !== base || held.region !== region) {
      const client = new STSClient({
        // Each of these, left out, makes the SDK look for it by itself, in the end at IMDS.
        region,
        credentials: identityOf(base),
        defaultsMode: "legacy",
        ...(endpoint === undefined ? {} : { endpoint }),
        maxAttempts: 1,
        requestHandler: { logger: SILENT },
      });
      held = { base, region, client };
    }
    return held.client;
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
