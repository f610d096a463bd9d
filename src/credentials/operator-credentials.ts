import { type Endpoint, endpointText } from "../address.ts";
import { ImdsgateError } from "../errors.ts";
import type { BaseCredentials } from "./assume-role.ts";

/**
 * The door to the SDK's providers: environment, profile (SSO and processes included), web identity, container credentials. Gives
 * undefined when none is configured, rejects with BASE_CREDENTIALS_UNAVAILABLE when one is and fails. IMDS is not among them: the SDK would
 * find it by itself and speak IMDSv1 to it. A profile that names it (credential_source) is led to `upstream`, with IMDSv2 alone.
 */
export function sdkCredentials(upstream: Endpoint): () => Promise<BaseCredentials | undefined> {
  return async () => {
    // The SDK takes both from the environment and from nowhere else, and reads them at each call.
    process.env["AWS_EC2_METADATA_DISABLED"] = "true";
    process.env["AWS_EC2_METADATA_SERVICE_ENDPOINT"] = `http://${endpointText(upstream)}`;
    const { defaultProvider } = await import("@aws-sdk/credential-provider-node");
    try {
      const found = await defaultProvider({ ec2MetadataV1Disabled: true, timeout: 1_000, maxRetries: 0 })();
      return {
        accessKeyId: found.accessKeyId,
        secretAccessKey: found.secretAccessKey,
        sessionToken: found.sessionToken,
        expiresAt: found.expiration?.getTime(),
        source: sourceOf(found),
      };
    } catch (error) {
      if (!(error instanceof Error && NONE_FOUND.test(error.message))) throw unavailable(firstLine(error));
      const wish = WISHES.find((name) => process.env[name]);
      if (wish === undefined) return undefined;
      throw unavailable(`${wish} is set, but leads to none; try it with: aws sts get-caller-identity`);
    }
  };
}

/** Who sets one of these wants those credentials, and no others in their place. */
const WISHES = [
  "AWS_PROFILE",
  "AWS_ACCESS_KEY_ID",
  "AWS_WEB_IDENTITY_TOKEN_FILE",
  "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
  "AWS_CONTAINER_CREDENTIALS_FULL_URI",
];

/** The SDK's last words after every provider has passed. */
const NONE_FOUND = /^Could not load credentials from any providers$/;

/** By the mark that each provider leaves on what it found. */
function sourceOf(found: object): string {
  const marks = "$source" in found && typeof found.$source === "object" && found.$source !== null ? Object.keys(found.$source) : [];
  if (marks.includes("CREDENTIALS_ENV_VARS")) return "environment";
  if (marks.includes("CREDENTIALS_HTTP")) return "container credentials";
  if (marks.includes("CREDENTIALS_ENV_VARS_STS_WEB_ID_TOKEN")) return "web identity";
  return "profile";
}

/** A failed credential_process repeats its error output below the first line. */
function firstLine(error: unknown): string {
  const [line = ""] = (error instanceof Error ? error.message : String(error)).split("\n");
  return line.slice(0, 300);
}

function unavailable(why: string): ImdsgateError {
  return new ImdsgateError("BASE_CREDENTIALS_UNAVAILABLE", `imdsgate has no credentials of its own: ${why}`);
}
