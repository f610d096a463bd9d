import { ImdsgateError } from "../errors.ts";
import type { ImdsClient } from "../imds-client.ts";
import type { BaseCredentials } from "./assume-role.ts";
import { openImdsSession } from "./imds-session.ts";

const ROOT = "/latest/meta-data/iam/security-credentials/";

/** The credentials of the instance's own role, by IMDSv2 alone. Rejects with BASE_CREDENTIALS_UNAVAILABLE or UPSTREAM_UNAVAILABLE. */
export async function instanceRoleCredentials(imds: ImdsClient, signal: AbortSignal): Promise<BaseCredentials> {
  const read = await openImdsSession(imds, signal);
  const listing = (await read(ROOT)) ?? "";
  const [name = ""] = listing.split("\n");
  if (!/^[\w+=,.@-]{1,64}$/.test(name)) throw unavailable("the instance has no role; attach one, or give imdsgate keys (AWS_PROFILE)");
  const credentials = parseDocument(await read(`${ROOT}${name}`), `instance role ${name}`);
  if (!credentials) throw unavailable(`IMDS has no usable credentials of the instance role ${name}; see its trust policy`);
  return credentials;
}

/** The document of contract F1, as the real IMDS writes it. Undefined when it is another one. */
function parseDocument(text: string | undefined, source: string): BaseCredentials | undefined {
  const fields = parseJson(text ?? "");
  const accessKeyId = textAt(fields, "AccessKeyId");
  const secretAccessKey = textAt(fields, "SecretAccessKey");
  const sessionToken = textAt(fields, "Token");
  const expiresAt = Date.parse(textAt(fields, "Expiration") ?? "");
  if (textAt(fields, "Code") !== "Success" || !accessKeyId || !secretAccessKey || !sessionToken || Number.isNaN(expiresAt))
    return undefined;
  return { accessKeyId, secretAccessKey, sessionToken, expiresAt, source };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function textAt(value: unknown, key: string): string | undefined {
  const text: unknown = typeof value === "object" && value !== null ? Reflect.get(value, key) : undefined;
  return typeof text === "string" && text !== "" ? text : undefined;
}

function unavailable(message: string): ImdsgateError {
  return new ImdsgateError("BASE_CREDENTIALS_UNAVAILABLE", message);
}
