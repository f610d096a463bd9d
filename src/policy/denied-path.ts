import type { Parsed } from "../parsed.ts";

/** A path that the operator withholds: its segments below the version, lower-case. */
export type DeniedPath = readonly string[];

/** Reads a path to withhold, below the version; it may not touch what every client needs (docs/contract.md, T4 and X6). */
export function parseDeniedPath(text: string): Parsed<DeniedPath> {
  const segments = text
    .toLowerCase()
    .split("/")
    .filter((segment) => segment !== "");
  const isPlain = segments.length > 0 && segments.every((segment) => /^[a-z0-9._:=@+-]+$/.test(segment) && !/^\.{1,2}$/.test(segment));
  if (!isPlain)
    return {
      problem: `${JSON.stringify(text)} is no path`,
      allowed: "segments of letters, digits and ._:=@+- separated by /",
      example: "user-data",
    };
  if (/^(latest|\d+\.\d+|\d{4}-\d\d-\d\d)$/.test(segments[0] ?? "")) {
    return {
      problem: `${JSON.stringify(text)} begins with a version`,
      allowed: "a path below the version: it is withheld in all of them",
      example: "user-data",
    };
  }
  if (touches(segments, ["api", "token"]) || touches(segments, ["meta-data", "iam"])) {
    return {
      problem: `${JSON.stringify(text)} covers the IMDS token or the IAM tree`,
      allowed: "any path but api/token, meta-data and what is under meta-data/iam (leave a workload unbound to give it no role)",
      example: "user-data",
    };
  }
  return { value: segments };
}

/** Whether one of the two paths lies at or below the other. */
function touches(one: DeniedPath, other: DeniedPath): boolean {
  return one.every((segment, k) => other[k] === undefined || other[k] === segment);
}
