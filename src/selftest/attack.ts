/** What a gateway has to make of an attack: docs/contract.md, sections 3, 8 and 9. */
type Must =
  /** Refused with exactly this status; nothing of it leaves the host. */
  | 400
  | 404
  | 405
  | 413
  | 414
  | 417
  | 431
  /** Answered for the container that asks: its own role or none, never another. */
  | "own"
  /** Harmless: the real metadata service answers it. */
  | "relayed";

/** One request that got credentials out of a gateway of this kind, or could. */
export interface Attack {
  /** Unique: the group and a number. */
  readonly name: string;
  /** What it plays on. */
  readonly idea: string;
  /** The bytes, one character each. `{role}` stands for the host's role, `{token}` for a header line with the IMDS token. */
  readonly request: string;
  /** What a service that can be fooled in every way answers when nothing stands before it: its credentials, or this status. */
  readonly unguarded: "leak" | number;
  readonly must: Must;
}

/** Attacks of one kind. A row is a request, and what becomes of it where that differs from the group's. */
export interface AttackGroup {
  readonly group: string;
  readonly idea: string;
  readonly must: Must;
  readonly unguarded?: Attack["unguarded"];
  /** How a row becomes a request. */
  readonly as: (row: string) => string;
  readonly rows: readonly (string | readonly [row: string, unguarded: Attack["unguarded"]])[];
}

/** The attacks of a group, named by their number in it. */
export function attacksOf({ group, idea, must, unguarded = "leak", as, rows }: AttackGroup): readonly Attack[] {
  return rows.map((row, index) => {
    const [text, answered] = typeof row === "string" ? [row, unguarded] : row;
    return { name: `${group}-${String(index + 1).padStart(2, "0")}`, idea, request: as(text), unguarded: answered, must };
  });
}

/** The request of a target: an ordinary GET with the token. */
export function getOf(target: string): string {
  return `GET ${target} HTTP/1.1\r\nHost: 169.254.169.254\r\n{token}\r\n`;
}

/** The bytes of `attack`: `hostRole` and the token put in; without a token its line is left out. */
export function attackBytes({ request }: Attack, hostRole: string, imdsToken: string | undefined): Buffer {
  const line = imdsToken === undefined ? "" : `X-aws-ec2-metadata-token: ${imdsToken}\r\n`;
  return Buffer.from(
    request.replaceAll("{role}", () => hostRole).replaceAll("{token}", () => line),
    "latin1",
  );
}
