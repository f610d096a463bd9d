/** Issues session tokens of IMDSv2 and knows how long each has to live. Times in milliseconds since the epoch. */
export interface ImdsTokens {
  issue(ttlSeconds: number, now: number): string;
  /** The seconds that `token` has left; undefined when it was never issued or has ended. */
  leftSeconds(token: string, now: number): number | undefined;
}

const TOKEN_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/** Tokens of 56 random characters that end when their time is over (`docs/contract.md`, T1). */
export function randomTokens(random: () => number): ImdsTokens {
  const endsAt = new Map<string, number>();
  return {
    issue(ttlSeconds, now) {
      const body = Array.from({ length: 49 }, () => TOKEN_LETTERS[Math.floor(random() * TOKEN_LETTERS.length)]).join("");
      const token = `AQAEA${body}==`;
      endsAt.set(token, now + ttlSeconds * 1000);
      return token;
    },
    leftSeconds(token, now) {
      const leftMs = (endsAt.get(token) ?? now) - now;
      return leftMs > 0 ? Math.ceil(leftMs / 1000) : undefined;
    },
  };
}

/** Tokens written down beforehand: the first is the one issued, all of them always have `leftSeconds` left. */
export function fixedTokens(tokens: readonly [string, ...string[]], leftSeconds: number): ImdsTokens {
  return {
    issue: () => tokens[0],
    leftSeconds: (token) => (tokens.includes(token) ? leftSeconds : undefined),
  };
}
