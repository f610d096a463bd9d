/** How loosely a metadata service reads what it is asked. Nobody outside AWS knows which of these the real one has. */
export interface Leniency {
  /** Escapes are decoded until none is left, and what a decoded `?` or `#` begins is dropped. */
  readonly decodesRepeatedly: boolean;
  readonly readsBackslashAsSlash: boolean;
  /** `;x=1` is dropped from a segment. */
  readonly dropsParameters: boolean;
  readonly resolvesDots: boolean;
  readonly mergesSlashes: boolean;
  /** Unicode folding too: a dotless i becomes an i. */
  readonly foldsCase: boolean;
  /** A segment ends at a NUL, and blanks around it are dropped. */
  readonly trimsSegments: boolean;
  /** `/latest/meta-data/ami-id/anything` is the leaf `ami-id`. */
  readonly ignoresAfterLeaf: boolean;
  readonly readsAbsoluteForm: boolean;
  /** `If-*` gives 304, `Range` gives 206. */
  readonly obeysConditions: boolean;
  /** A head that breaks the grammar is answered like any other. */
  readonly readsLooseHeads: boolean;
}

/** What is known of the real service, and nothing more (`docs/contract.md`, section 3: repeated slashes and escapes are read). */
export const AUTHENTIC: Leniency = {
  decodesRepeatedly: false,
  readsBackslashAsSlash: false,
  dropsParameters: false,
  resolvesDots: false,
  mergesSlashes: true,
  foldsCase: false,
  trimsSegments: false,
  ignoresAfterLeaf: false,
  readsAbsoluteForm: true,
  obeysConditions: false,
  readsLooseHeads: false,
};

/** The service that can be fooled in every way at once: a path that a gateway let through by mistake shows here. */
export const VICTIM: Leniency = {
  decodesRepeatedly: true,
  readsBackslashAsSlash: true,
  dropsParameters: true,
  resolvesDots: true,
  mergesSlashes: true,
  foldsCase: true,
  trimsSegments: true,
  ignoresAfterLeaf: true,
  readsAbsoluteForm: true,
  obeysConditions: true,
  readsLooseHeads: true,
};

/** The path segments that `target` means to a service with this leniency; undefined where it means nothing. */
export function segmentsOf(target: string, leniency: Leniency): readonly string[] | undefined {
  const path = originForm(target, leniency);
  if (path === undefined) return undefined;
  const decoded = decode(path.replace(/[?#].*$/s, ""), leniency);
  const slashed = leniency.readsBackslashAsSlash ? decoded.replaceAll("\\", "/") : decoded;
  const segments = slashed.split("/").map((segment) => normalised(segment, leniency));
  return resolve(leniency.mergesSlashes ? segments.filter((segment) => segment !== "") : outerSlashesDropped(segments), leniency);
}

/** Whether `segments` lead, for somebody who reads them as loosely as can be, to credentials of the instance. */
export function isInCredentialTree(segments: readonly string[]): boolean {
  return segments.some(
    (segment, index) =>
      /^(?:security|identity)-credentials/i.test(segment) || (/^iam/i.test(segment) && segments[index - 1]?.toLowerCase() === "meta-data"),
  );
}

function originForm(target: string, leniency: Leniency): string | undefined {
  if (target.startsWith("/")) return target;
  const absolute = /^[a-z][a-z0-9+.-]*:\/\/[^/?#]*(.*)$/is.exec(target);
  if (absolute) return leniency.readsAbsoluteForm ? absolute[1] || "/" : undefined;
  return leniency.readsLooseHeads ? `/${target}` : undefined;
}

function decode(path: string, leniency: Leniency): string {
  const once = path.replace(/%([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  if (!leniency.decodesRepeatedly) return once;
  const cut = once.replace(/[?#].*$/s, "");
  return cut === path ? cut : decode(cut, leniency);
}

function normalised(segment: string, leniency: Leniency): string {
  let text = segment;
  if (leniency.dropsParameters) text = text.replace(/;.*$/s, "");
  if (leniency.trimsSegments) text = (text.split("\0")[0] ?? "").trim();
  if (leniency.foldsCase) text = Buffer.from(text, "latin1").toString("utf8").toUpperCase().toLowerCase();
  return text;
}

function outerSlashesDropped(segments: readonly string[]): readonly string[] {
  const inner = segments.slice(1);
  return inner.at(-1) === "" ? inner.slice(0, -1) : inner;
}

function resolve(segments: readonly string[], leniency: Leniency): readonly string[] {
  if (!leniency.resolvesDots) return segments;
  const resolved: string[] = [];
  for (const segment of segments) {
    if (segment === "..") resolved.pop();
    else if (segment !== ".") resolved.push(segment);
  }
  return resolved;
}
