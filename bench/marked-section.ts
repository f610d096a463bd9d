import { readFileSync, writeFileSync } from "node:fs";

/** The sections that the benchmark writes. */
export type SectionName = "measured" | "credentials" | "rules" | "identity" | "profile" | "fleet";

/** Puts `markdown` between the two `name` markers of the page at `path`, in place of what is there. Throws when it has no markers. */
export function writeMarkedSection(path: string, name: SectionName, markdown: string): void {
  const [beginMarker, endMarker] = [`<!-- ${name}: begin -->`, `<!-- ${name}: end -->`];
  const page = readFileSync(path, "utf8");
  const begin = page.indexOf(beginMarker);
  const end = page.indexOf(endMarker);
  if (begin < 0 || end < begin) throw new Error(`${path} has no ${beginMarker} … ${endMarker}`);
  writeFileSync(path, `${page.slice(0, begin + beginMarker.length)}\n${markdown.trim()}\n${page.slice(end)}`);
}
