/** The three parts of a session's keys. */
export interface IssuedCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken: string;
}

/** Who calls STS, found by the access key id of the signature. */
export interface Caller {
  /** `arn:aws:sts::ACCOUNT:assumed-role/ROLE/SESSION` or another principal's ARN. */
  readonly arn: string;
  /** Whether these are the keys of an assumed role: what it assumes in turn lasts an hour at most (`docs/contract.md`, S1). */
  readonly isSession: boolean;
  /** When these keys end, in milliseconds since the epoch. */
  readonly endsAt: number;
}

/** Remembers which keys were issued to whom. */
export interface Sessions {
  /** Issues keys for `arn`: the scripted ones of this role, or new ones. */
  issue(roleArn: string, arn: string, endsAt: number): IssuedCredentials;
  /** Undefined for keys that were not issued here. */
  callerOf(accessKeyId: string): Caller | undefined;
}

const KEY_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const SECRET_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/** How keys are made. */
export interface IssueManner {
  /** In [0, 1). */
  readonly random: () => number;
  /** Keys by role ARN, where they are to be known beforehand. */
  readonly scripted: ReadonlyMap<string, IssuedCredentials>;
  /** A text that every generated secret and session token carries, so that a scan finds where one leaked. */
  readonly canary: string;
}

/** An empty register of sessions. */
export function createSessions(manner: IssueManner): Sessions {
  const callers = new Map<string, Caller>();
  const text = (letters: string, length: number) =>
    Array.from({ length }, () => letters[Math.floor(manner.random() * letters.length)]).join("");
  return {
    issue(roleArn, arn, endsAt) {
      const issued = manner.scripted.get(roleArn) ?? {
        accessKeyId: `ASIA${text(KEY_LETTERS, 16)}`,
        secretAccessKey: `${manner.canary}${text(SECRET_LETTERS, 40)}`.slice(0, 40),
        sessionToken: `IQoJb3JpZ2luX2VjE${manner.canary}${text(SECRET_LETTERS, 300)}==`,
      };
      callers.set(issued.accessKeyId, { arn, isSession: true, endsAt });
      return issued;
    },
    callerOf: (accessKeyId) => callers.get(accessKeyId),
  };
}
