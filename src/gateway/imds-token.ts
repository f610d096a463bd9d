import { type Field, fieldValues } from "../answer-head.ts";
import type { Clock } from "../clock.ts";
import type { ImdsAnswer, ImdsClient } from "../imds-client.ts";
import type { RequestHead } from "./request-head.ts";

/** What the real IMDS thinks of a request's IMDS token (or of its absence) for a version of the tree. */
export type TokenVerdict =
  /** `ttlSeconds`: the token's seconds left; undefined for a request without a token. */
  | { readonly kind: "good"; readonly ttlSeconds: number | undefined }
  /** Anything but 200: relayed verbatim, so that 401, 403, 503 and an unknown version stay authentic. */
  | { readonly kind: "refused"; readonly answer: ImdsAnswer }
  | { readonly kind: "unavailable" };

export interface ImdsTokens {
  /** Asks upstream whether it would serve `head` under `version` (docs/contract.md, T7), or remembers that it did (T8, T9). */
  verdictOn(head: RequestHead, version: string): Promise<TokenVerdict>;
}

interface Remembered {
  readonly until: number;
  /** When the token itself ends; undefined for a request without one. */
  readonly tokenEnds: number | undefined;
}

/** The field that carries an IMDS token, in small letters. */
export const TOKEN_FIELD = "x-aws-ec2-metadata-token";
const TTL_FIELD = "x-aws-ec2-metadata-token-ttl-seconds";
const LONGEST_MEMORY_MS = 60_000;
const TOKENLESS_MEMORY_MS = 5_000;
const MAX_REMEMBERED = 4_096;

/** Fields that frame or condition an answer: with them the probe would hang, or get another answer than the token's (T7). */
const NOT_PROBED = /^(?:content-length|transfer-encoding|te|trailer|connection|keep-alive|upgrade|http2-settings|expect|range|if-.*)$/i;

/** Judges IMDS tokens by asking the real IMDS; positive verdicts are remembered for at most a minute. */
export function createImdsTokens(imds: ImdsClient, clock: Clock): ImdsTokens {
  const remembered = new Map<string, Remembered>();

  function recall(key: string): TokenVerdict | undefined {
    const memory = remembered.get(key);
    if (!memory) return undefined;
    const now = clock.now();
    if (memory.until > now) return { kind: "good", ttlSeconds: memory.tokenEnds && Math.floor((memory.tokenEnds - now) / 1_000) };
    remembered.delete(key);
    return undefined;
  }

  function remember(key: string, ttlSeconds: number | undefined): void {
    const now = clock.now();
    const memoryMs = ttlSeconds === undefined ? TOKENLESS_MEMORY_MS : Math.min(ttlSeconds * 1_000 - 1_000, LONGEST_MEMORY_MS);
    const [oldest] = remembered.keys();
    if (oldest !== undefined && remembered.size >= MAX_REMEMBERED) remembered.delete(oldest);
    remembered.set(key, { until: now + memoryMs, tokenEnds: ttlSeconds === undefined ? undefined : now + ttlSeconds * 1_000 });
  }

  return {
    async verdictOn(head, version) {
      const key = memoryKey(head.fields, version);
      const known = key === undefined ? undefined : recall(key);
      if (known) return known;
      const question = {
        method: "GET",
        target: `/${version}/meta-data/instance-id`,
        fields: probeFields(head.fields),
        httpVersion: head.httpVersion,
      };
      const answer = await imds.ask(question).catch(() => undefined);
      if (!answer) return { kind: "unavailable" };
      if (answer.head.status !== 200) return { kind: "refused", answer };
      const ttlSeconds = ttlOf(answer);
      if (key !== undefined) remember(key, ttlSeconds);
      return { kind: "good", ttlSeconds };
    },
  };
}

function probeFields(fields: readonly Field[]): readonly Field[] {
  return fields.filter(([name]) => !NOT_PROBED.test(name));
}

/** Undefined where no verdict may be remembered: X-Forwarded-For or several tokens (T9). */
function memoryKey(fields: readonly Field[], version: string): string | undefined {
  const tokens = fieldValues(fields, TOKEN_FIELD);
  if (tokens.length > 1 || fieldValues(fields, "x-forwarded-for").length > 0) return undefined;
  return JSON.stringify([version, ...tokens]);
}

function ttlOf(answer: ImdsAnswer): number | undefined {
  const [ttl] = fieldValues(answer.head.fields, TTL_FIELD);
  return ttl !== undefined && /^\d{1,6}$/.test(ttl) ? Number(ttl) : undefined;
}
