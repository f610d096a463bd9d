import { type HandedLease, parseHandedLease } from "../credentials/handed-lease.ts";
import { isFields } from "../fields.ts";

/**
 * What one gateway hands to the next. Which credentials belong to which lease key, and where this host is; nothing of who may have them: that
 * the next one decides by its own configuration and its own list of containers.
 */
export interface HandedOver {
  readonly leases: readonly HandedLease[];
  readonly region: string | undefined;
  readonly account: string | undefined;
}

/** What the fields mean. Another number: a document that this program cannot read. */
const SCHEMA = 1;

export const NOTHING: HandedOver = { leases: [], region: undefined, account: undefined };

/** The document as it goes through the pipe. It has secrets, and is for nothing else. */
export function handoverDocument({ leases, region, account }: HandedOver): object {
  return { schema: SCHEMA, region, account, leases };
}

/** What a document holds; undefined where it is none of this schema. One lease that cannot be read spoils no other. */
export function parseHandoverDocument(value: unknown): HandedOver | undefined {
  if (!isFields(value) || value["schema"] !== SCHEMA || !Array.isArray(value["leases"])) return undefined;
  const leases: readonly unknown[] = value["leases"];
  return {
    leases: leases.flatMap((lease) => parseHandedLease(lease) ?? []),
    region: textLike(/^[a-z]{2,8}(-[a-z0-9]{1,16}){1,4}$/, value["region"]),
    account: textLike(/^\d{12}$/, value["account"]),
  };
}

function textLike(pattern: RegExp, value: unknown): string | undefined {
  return typeof value === "string" && pattern.test(value) ? value : undefined;
}
