/** One client of the gateway, and what only others may see. */
export interface Speaker {
  readonly name: string;
  readonly addresses: readonly string[];
  /** Texts that no answer to it may hold. */
  readonly forbidden: readonly string[];
}

/** What the credentials of the victim's own tree carry. */
export const HOST_MARKER = "LEAKED-FROM-THE-HOST";

const HOST_TEXTS = [HOST_MARKER];
const ALPHA_TEXTS = ["alpha-role", "ALPHA"];
const BETA_TEXTS = ["beta-role", "BETA"];

/** Many addresses each: a closed connection keeps its pair of ports for a minute. */
function addressesIn(block: number): readonly string[] {
  return Array.from({ length: 16 }, (_, n) => `127.0.${block}.${n + 1}`);
}

/** Two containers with roles of their own, one without, and one that nobody knows. */
export const SPEAKERS: readonly Speaker[] = [
  { name: "alpha", addresses: addressesIn(101), forbidden: [...HOST_TEXTS, ...BETA_TEXTS] },
  { name: "beta", addresses: addressesIn(102), forbidden: [...HOST_TEXTS, ...ALPHA_TEXTS] },
  { name: "none", addresses: addressesIn(103), forbidden: [...HOST_TEXTS, ...ALPHA_TEXTS, ...BETA_TEXTS] },
  { name: "unknown", addresses: addressesIn(104), forbidden: [...HOST_TEXTS, ...ALPHA_TEXTS, ...BETA_TEXTS] },
];

/** The keys that the embedded STS gives for `name`: every one of them tells whose it is. */
export function keysOf(name: "alpha" | "beta"): { accessKeyId: string; secretAccessKey: string; sessionToken: string } {
  const mark = name.toUpperCase();
  return { accessKeyId: `ASIA${mark}0000000000`, secretAccessKey: `${mark}-SECRET-ACCESS-KEY`, sessionToken: `${mark}-SESSION-TOKEN` };
}

/** The ARN of the role of `name`. */
export function roleArnOf(name: "alpha" | "beta"): string {
  return `arn:aws:iam::111122223333:role/${name}-role`;
}
