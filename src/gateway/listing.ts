import type { DeniedPath } from "../policy/denied-path.ts";

/** What one container's view of an upstream listing must have, so that the listing and its leaves agree (docs/contract.md, L4 and P8). */
export interface ListingEdit {
  /** Whether the line `iam/` must stand there; undefined where the listing is not `meta-data/`. */
  readonly hasIam: boolean | undefined;
  /** Names to leave out, without a slash, lower-case. */
  readonly withheld: ReadonlySet<string>;
}

/** `identity-credentials` gives out the instance's own credentials: always withheld (P4). */
const ALWAYS_DENIED: DeniedPath = ["meta-data", "identity-credentials"];

/**
 * The edit for the listing at `segments` (version first), or undefined where nothing listed there can be withheld.
 * `hasRole` tells whether the container has a role; it matters for `meta-data/` alone.
 */
export function listingEditFor(segments: readonly string[], deniedPaths: readonly DeniedPath[], hasRole: boolean): ListingEdit | undefined {
  const below = segments.slice(1).map((segment) => segment.toLowerCase());
  const withheld = [...deniedPaths, ALWAYS_DENIED]
    .filter((denied) => segments.length > 0 && denied.length === below.length + 1 && below.every((part, k) => denied[k] === part))
    .map((denied) => denied.at(-1) ?? "");
  const isMetaData = segments.length === 2 && segments[1] === "meta-data";
  if (withheld.length === 0 && !isMetaData) return undefined;
  return { hasIam: isMetaData ? hasRole : undefined, withheld: new Set(withheld) };
}

/** The listing after the edit. The order of lines and the state of the final newline stay those of upstream. */
export function editListing(listing: string, edit: ListingEdit): string {
  const ending = listing.endsWith("\n") ? "\n" : "";
  const lines = listing === "" ? [] : listing.slice(0, listing.length - ending.length).split("\n");
  const kept = lines.filter((line) => !edit.withheld.has(nameOf(line)) && (edit.hasIam !== false || nameOf(line) !== "iam"));
  if (edit.hasIam === true && !kept.includes("iam/")) {
    const after = kept.findIndex((line) => line > "iam/");
    kept.splice(after < 0 ? kept.length : after, 0, "iam/");
  }
  return kept.length === 0 ? "" : `${kept.join("\n")}${ending}`;
}

function nameOf(line: string): string {
  return line.replace(/\/$/, "").toLowerCase();
}
