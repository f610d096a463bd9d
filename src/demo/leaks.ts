/** Something that was read: by a container, or by whoever reads the log. */
export interface Received {
  readonly by: string;
  readonly text: string;
}

/** A text that only some may see. */
export interface Secret {
  /** What it is, for people: `the access key id of host-role`. */
  readonly what: string;
  readonly text: string;
  readonly allowed: readonly string[];
}

/** Who saw which secret that is none of their business, a sentence each, in every text that was received. */
export function leaksIn(received: readonly Received[], secrets: readonly Secret[]): readonly string[] {
  const found = received.flatMap(({ by, text }) =>
    secrets
      .filter((secret) => !secret.allowed.includes(by) && secret.text !== "" && text.includes(secret.text))
      .map(({ what }) => `${by} saw ${what}`),
  );
  return [...new Set(found)];
}
