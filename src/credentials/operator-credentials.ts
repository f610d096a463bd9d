import { type Endpoint, endpointText } from "../address.ts";
import { ImdsgateError } from "../errors.ts";
import type { BaseCredentials } from "./assume-role.ts";
import { noBaseCredentials, type OperatorCredentials } from "./load-base-credentials.ts";
import { stoppable } from "./stoppable.ts";

/**
 * The door to the SDK's providers: environment, profile (SSO and processes included), web identity, container credentials. IMDS is not
 * among them: the SDK would find it by itself and speak IMDSv1 to it. A profile that names it (credential_source) is led to `upstream`,
 * with IMDSv2 alone. `region` is for profiles and identities that name none.
 */
export function sdkCredentials(upstream: Endpoint, region: string | undefined): OperatorCredentials {
  return async (signal) => {
    // The SDK takes both from the environment and from nowhere else, and reads them at each call.
    process.env["AWS_EC2_METADATA_DISABLED"] = "true";
    process.env["AWS_EC2_METADATA_SERVICE_ENDPOINT"] = `http://${endpointText(upstream)}`;
    const { defaultProvider } = await import("@aws-sdk/credential-provider-node");
    const refusals: string[] = [];
    const settings = settingsFor(region, (line) => refusals.push(line));
    try {
      const found = await stoppable(signal, () => defaultProvider(settings)());
      return usable({
        accessKeyId: found.accessKeyId,
        secretAccessKey: found.secretAccessKey,
        sessionToken: found.sessionToken,
        expiresAt: found.expiration?.getTime(),
        source: sourceOf(found),
      });
    } catch (error) {
      if (error instanceof ImdsgateError) throw error;
      const reason = reasonOf(error, refusals);
      if (reason !== undefined) throw noBaseCredentials(reason);
      const wish = WISHES.find((name) => process.env[name]);
      if (wish === undefined) return undefined;
      throw noBaseCredentials(`${wish} is set, but leads to none; try it with: aws sts get-caller-identity`);
    }
  };
}

/** Loads the SDK's providers ahead of need: what is asked for later may stand no more where it was installed. */
export async function loadProviders(): Promise<void> {
  await import("@aws-sdk/credential-provider-node");
}

/** Keys with an unreadable end would never be due, or always. */
function usable(found: BaseCredentials): BaseCredentials {
  if (!Number.isNaN(found.expiresAt)) return found;
  throw noBaseCredentials(`those of ${found.source} are of no use: their expiration is no time`);
}

function settingsFor(region: string | undefined, note: (line: string) => void) {
  // Rooms never log; the SDK would, on the console.
  const silent = { trace() {}, debug() {}, info() {}, warn() {}, error() {} };
  const client = { requestHandler: { logger: silent }, logger: silent };
  return {
    ec2MetadataV1Disabled: true,
    timeout: 1_000,
    maxRetries: 0,
    // Keys in a file that was written anew meanwhile are the new ones.
    ignoreCache: true,
    logger: { ...silent, debug: note },
    clientConfig: { ...client, maxAttempts: 1, defaultsMode: "legacy" as const },
    parentClientConfig: { ...client, ...(region === undefined ? {} : { region }) },
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

/** How each of them says that it was not configured at all. */
const NOT_CONFIGURED = [
  /^Unable to find environment variable credentials/,
  /^AWS_PROFILE is set, skipping/,
  /^Skipping SSO provider in default chain/,
  /^Could not resolve credentials using profile: \[default\]/,
  /^Profile \S+ (could not be found in|did not contain credential_process)/,
  /^Web identity configuration not specified/,
  /^EC2 Instance Metadata Service access disabled/,
  NONE_FOUND,
];

/** Why what is configured gives none; undefined when nothing says that something is. A provider's own refusal does not end the chain. */
function reasonOf(error: unknown, log: readonly string[]): string | undefined {
  const last = error instanceof Error ? error.message : String(error);
  if (!NONE_FOUND.test(last)) return shortened(last);
  const refusals = log.map((line) => /^@smithy\/property-provider (?:->|\(!\)) (.*)/s.exec(line)?.[1]);
  const telling = refusals.find((refusal) => refusal !== undefined && !NOT_CONFIGURED.some((words) => words.test(refusal)));
  return telling === undefined ? undefined : shortened(telling);
}

/** The words of JSON.parse, which may repeat a part of what it could not read: of a key. */
const BAD_JSON = /not valid JSON|JSON at position|JSON input|Unexpected (token|end|number|string|non-whitespace)/;

/** A program's command line and its error output, which a failed credential_process repeats, may hold secrets. */
function shortened(text: string): string {
  if (text.startsWith("Command failed:")) return "the profile's credential_process failed; try it with: aws sts get-caller-identity";
  if (BAD_JSON.test(text)) return "what it answered is no JSON";
  const [line = ""] = text.split("\n");
  return line.slice(0, 300);
}

/** By the mark that each provider leaves on what it found. */
function sourceOf(found: object): string {
  const marks = "$source" in found && typeof found.$source === "object" && found.$source !== null ? Object.keys(found.$source) : [];
  if (marks.includes("CREDENTIALS_ENV_VARS")) return "environment";
  if (marks.includes("CREDENTIALS_HTTP")) return "container credentials";
  if (marks.includes("CREDENTIALS_ENV_VARS_STS_WEB_ID_TOKEN")) return "web identity";
  return "profile";
}
