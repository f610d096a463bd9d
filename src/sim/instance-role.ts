import { createHash } from "node:crypto";

/** The role of the instance itself: what no container may ever see. */
export interface InstanceRole {
  readonly name: string;
  /** Twelve digits. */
  readonly account: string;
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string; readonly sessionToken: string };
}

const HOUR_MS = 3_600_000;
const LIFETIME_MS = 6 * HOUR_MS;

/**
 * The text at `path`, the segments below `meta-data/iam`; undefined for a 404. Credentials are renewed each hour for six
 * hours, as the service does; times in milliseconds since the epoch (`docs/contract.md`, F1, F5, L1, L3).
 */
export function instanceRoleText(role: InstanceRole, path: readonly string[], now: number): string | undefined {
  const updatedAt = Math.floor(now / HOUR_MS) * HOUR_MS;
  const [item, name, ...more] = path;
  if (more.length > 0) return undefined;
  if (item === undefined) return "info\nsecurity-credentials/";
  if (item === "info" && name === undefined) return infoDocument(role, updatedAt);
  if (item !== "security-credentials") return undefined;
  if (name === undefined) return role.name;
  return name === role.name ? credentialsDocument(role, updatedAt) : undefined;
}

function credentialsDocument({ credentials }: InstanceRole, updatedAt: number): string {
  return document([
    ["Code", "Success"],
    ["LastUpdated", timeText(updatedAt)],
    ["Type", "AWS-HMAC"],
    ["AccessKeyId", credentials.accessKeyId],
    ["SecretAccessKey", credentials.secretAccessKey],
    ["Token", credentials.sessionToken],
    ["Expiration", timeText(updatedAt + LIFETIME_MS)],
  ]);
}

function infoDocument(role: InstanceRole, updatedAt: number): string {
  return document([
    ["Code", "Success"],
    ["LastUpdated", timeText(updatedAt)],
    ["InstanceProfileArn", `arn:aws:iam::${role.account}:instance-profile/${role.name}`],
    ["InstanceProfileId", `AIPA${base32(role.name).slice(0, 17)}`],
  ]);
}

function document(fields: readonly (readonly [string, string])[]): string {
  return `{\n${fields.map(([key, value]) => `  "${key}" : ${JSON.stringify(value)}`).join(",\n")}\n}`;
}

function timeText(time: number): string {
  return `${new Date(time).toISOString().slice(0, 19)}Z`;
}

function base32(text: string): string {
  return [...createHash("sha256").update(text).digest()].map((byte) => "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"[byte % 32]).join("");
}
