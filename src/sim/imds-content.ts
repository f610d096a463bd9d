import type { Leniency } from "./imds-path.ts";

/** What an instance tells of itself. */
export interface InstanceFacts {
  /** The first path segments that exist: `1.0`, dates, `latest`. */
  readonly versions: readonly string[];
  /**
   * Path to text. `<v>` stands for any version; a path that ends with `/` is a listing; `base64:…` is binary; the text
   * `404` is an item that is listed and absent.
   */
  readonly paths: Readonly<Record<string, string>>;
}

/** One thing that can be fetched. */
export interface Item {
  readonly contentType: "text/plain" | "application/octet-stream";
  readonly body: Buffer;
}

interface Entry {
  readonly isListing: boolean;
  readonly text: string;
}

/** Finds items by path segments; undefined for a 404. */
export type Content = (segments: readonly string[]) => Item | undefined;

/** Makes the tree of `facts`. Listings and leaves are found with and without a trailing slash (`docs/contract.md`, L1, 3). */
export function contentOf(facts: InstanceFacts, leniency: Leniency): Content {
  const folded = (text: string) => (leniency.foldsCase ? text.toLowerCase() : text);
  const versions = new Set(facts.versions.map(folded));
  const entries = new Map<string, Entry>();
  for (const [path, text] of Object.entries(facts.paths)) {
    entries.set(folded(path.replace(/^\/|\/$/g, "")), { isListing: path.endsWith("/"), text });
  }
  return (segments) => {
    const [version, ...rest] = segments;
    if (version === undefined) return itemOf(entries.get(""));
    if (!versions.has(version)) return undefined;
    const entry = entries.get(["<v>", ...rest].join("/"));
    return itemOf(entry ?? (leniency.ignoresAfterLeaf ? leafAbove(entries, rest) : undefined));
  };
}

function leafAbove(entries: ReadonlyMap<string, Entry>, rest: readonly string[]): Entry | undefined {
  for (let length = rest.length - 1; length > 0; length--) {
    const entry = entries.get(["<v>", ...rest.slice(0, length)].join("/"));
    if (entry) return entry.isListing ? undefined : entry;
  }
  return undefined;
}

function itemOf(entry: Entry | undefined): Item | undefined {
  if (!entry || (!entry.isListing && entry.text === "404")) return undefined;
  if (entry.text.startsWith("base64:")) {
    return { contentType: "application/octet-stream", body: Buffer.from(entry.text.slice("base64:".length), "base64") };
  }
  return { contentType: "text/plain", body: Buffer.from(entry.text, "utf8") };
}
