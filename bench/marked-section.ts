import { readFileSync, writeFileSync } from "node:fs";

const BEGIN = "<!-- measured: begin -->";
const END = "<!-- measured: end -->";

/** Puts `markdown` between the two markers of the page at `path`, in place of what is there. Throws when it has no markers. */
export function writeMarkedSection(path: string, markdown: string): void {
  const page = readFileSync(path, "utf8");
  const begin = page.indexOf(BEGIN);
  const end = page.indexOf(END);
  if (begin < 0 || end < begin) throw new Error(`${path} has no ${BEGIN} … ${END}`);
  writeFileSync(path, `${page.slice(0, begin + BEGIN.length)}\n${markdown.trim()}\n${page.slice(end)}`);
}
