import { createHash } from "node:crypto";
import type { Lease } from "../credentials/lease.ts";
import type { RoleArn } from "../policy/role-arn.ts";

/** The listing of the IAM tree's root (docs/contract.md, L3). */
export const IAM_ROOT_LISTING = "info\nsecurity-credentials/";

const laidOut = new WeakMap<Lease, string>();

/** The credentials of `lease` as IMDS lays them out (docs/contract.md, F1 to F4); once for each lease. */
export function credentialsDocument(lease: Lease): string {
  const known = laidOut.get(lease);
  if (known !== undefined) return known;
  const document = layOut([
    ["Code", "Success"],
    ["LastUpdated", timestamp(lease.issuedAt)],
    ["Type", "AWS-HMAC"],
    ["AccessKeyId", lease.accessKeyId],
    ["SecretAccessKey", lease.secretAccessKey],
    ["Token", lease.sessionToken],
    ["Expiration", timestamp(lease.expiresAt)],
  ]);
  laidOut.set(lease, document);
  return document;
}

/** What IMDS says when the role may not be assumed: STS refused at `deniedAt` (docs/contract.md, F6). */
export function deniedDocument(roleName: string, deniedAt: number): string {
  return layOut([
    ["Code", "AssumeRoleUnauthorizedAccess"],
    [
      "Message",
      `EC2 cannot assume the role ${roleName}. Please see documentation at https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_iam-ec2.html.`,
    ],
    ["LastUpdated", timestamp(deniedAt)],
  ]);
}

/** `iam/info` for the container's own role, `updatedAt` in milliseconds since the epoch (docs/contract.md, F5). */
export function iamInfoDocument(role: RoleArn, updatedAt: number): string {
  return layOut([
    ["Code", "Success"],
    ["LastUpdated", timestamp(updatedAt)],
    ["InstanceProfileArn", `arn:${role.partition}:iam::${role.account}:instance-profile/${role.name}`],
    ["InstanceProfileId", instanceProfileId(role.arn)],
  ]);
}

/** `AIPA` and 17 characters that are always the same for one role ARN. */
function instanceProfileId(roleArn: string): string {
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
  const digest = createHash("sha256").update(roleArn).digest();
  return `AIPA${[...digest.subarray(0, 17)].map((byte) => alphabet[byte % alphabet.length]).join("")}`;
}

/** Two-space indent, ` : `, line feeds, no final newline: the bytes that clients without a JSON parser rely on. */
function layOut(fields: readonly (readonly [string, string])[]): string {
  const lines = fields.map(([key, value]) => `  ${asciiJson(key)} : ${asciiJson(value)}`);
  return `{\n${lines.join(",\n")}\n}`;
}

function asciiJson(text: string): string {
  return JSON.stringify(text).replace(/[^\x20-\x7e]/g, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/** `YYYY-MM-DDTHH:MM:SSZ`, the second floored (F3). */
function timestamp(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`;
}
