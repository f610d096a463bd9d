import { type Fields, isFields } from "../fields.ts";
import type { Grant } from "../policy/decide.ts";
import type { Lease } from "./lease.ts";
import { type LeaseEntry, stateOf } from "./lease-entry.ts";
import { credentialsProblem } from "./sts-answer.ts";

/** A lease as one gateway hands it to the next: whose it is, nobody says but its key. */
export interface HandedLease {
  /** That of `leaseKey`. */
  readonly key: string;
  /** As in `LeaseEntry`: it is renewed when it would have been. */
  readonly jitter: number;
  readonly lease: Lease;
}

/** Leases from an earlier gateway that nobody was given yet. */
export interface HandedLeases {
  /** That of the entry, which nobody gets again; undefined where there is none that may be served for its grant at `now`. */
  takeFor(entry: LeaseEntry, now: number): HandedLease | undefined;
  /** Forgets what is left: this configuration asks for none of it. */
  forget(): void;
}

export function createHandedLeases(handed: readonly HandedLease[]): HandedLeases {
  const left = new Map(handed.map((one) => [one.key, one]));
  return {
    takeFor({ key, grant }, now) {
      const found = left.get(key);
      left.delete(key);
      return found && isFitFor(found.lease, grant, now) ? found : undefined;
    },
    forget: () => left.clear(),
  };
}

/** What the next gateway gets of an entry; undefined where there is nothing that may be served at `now`. */
export function handedLeaseOf(entry: LeaseEntry, now: number): HandedLease | undefined {
  if (entry.lease === undefined || stateOf(entry, now) === "expired") return undefined;
  return { key: entry.key, jitter: entry.jitter, lease: entry.lease };
}

/** A lease as it came; undefined where a part is missing or of another kind. */
export function parseHandedLease(value: unknown): HandedLease | undefined {
  if (!isFields(value) || !isFields(value["lease"])) return undefined;
  const { key, jitter } = value;
  const lease = parseLease(value["lease"]);
  if (typeof key !== "string" || typeof jitter !== "number" || !(jitter >= 0 && jitter < 1) || lease === undefined) return undefined;
  return { key, jitter, lease };
}

function parseLease(fields: Fields): Lease | undefined {
  const { roleArn, sessionName, sourceIdentity, accessKeyId, secretAccessKey, sessionToken, issuedAt, expiresAt } = fields;
  if (typeof roleArn !== "string" || typeof sessionName !== "string") return undefined;
  if (sourceIdentity !== undefined && typeof sourceIdentity !== "string") return undefined;
  if (typeof accessKeyId !== "string" || typeof secretAccessKey !== "string" || typeof sessionToken !== "string") return undefined;
  if (!isTime(issuedAt) || !isTime(expiresAt)) return undefined;
  return { roleArn, sessionName, sourceIdentity, accessKeyId, secretAccessKey, sessionToken, issuedAt, expiresAt };
}

function isTime(value: unknown): value is number {
  return Number.isSafeInteger(value);
}

/** As if STS had answered it: for the very role and session of the grant, whole, not over yet, no longer than asked for (docs/contract.md, F4, N4). */
function isFitFor(lease: Lease, grant: Grant, now: number): boolean {
  const isSameSession =
    lease.roleArn === grant.role.arn && lease.sessionName === grant.sessionName && lease.sourceIdentity === grant.sourceIdentity;
  const isInTime = lease.issuedAt <= now && lease.expiresAt <= lease.issuedAt + grant.durationSeconds * 1_000;
  return isSameSession && isInTime && credentialsProblem(lease, now) === undefined;
}
