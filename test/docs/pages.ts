import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** The checkout. */
export const ROOT = join(import.meta.dirname, "../..");

/** A page of Markdown in the checkout. */
export interface Page {
  /** From the checkout's root, as `docs/flags.md`. */
  readonly path: string;
  readonly text: string;
}

/** Every page of the checkout but those of packages and tools, and of what was built. */
export function allPages(): readonly Page[] {
  const paths = globSync("**/*.md", { cwd: ROOT, exclude: (name) => ["node_modules", ".tools", ".git", "dist"].includes(name) });
  return paths.sort().map(pageAt);
}

export function pageAt(path: string): Page {
  return { path, text: readFileSync(join(ROOT, path), "utf8") };
}

/** The text of a page without its blocks of code. */
export function proseOf({ text }: Page): string {
  return text.replace(/^( *)```[\s\S]*?^\1```$/gm, "").replace(/^ {4}.*$/gm, "");
}

/** What stands between backquotes in a page's prose. */
export function codeSpansOf(page: Page): readonly string[] {
  return [...proseOf(page).matchAll(/`([^`\n]+)`/g)].map(([, code = ""]) => code);
}

/** The lines in a page's blocks of code, fenced or indented. */
export function codeLinesOf({ text }: Page): readonly string[] {
  const fenced = [...text.matchAll(/^( *)```[^\n]*\n([\s\S]*?)^\1```$/gm)].flatMap(([, , block = ""]) => block.split("\n"));
  return [...fenced, ...text.split("\n").filter((line) => line.startsWith("    "))].map((line) => line.trim());
}

/** One block of code of a page, fenced or indented, as it stands there but for the indentation that all its lines share. */
export interface CodeBlock {
  /** What stands behind the fence: `json`, `yaml`; empty for none, and for an indented block. */
  readonly language: string;
  readonly lines: readonly string[];
}

/** The blocks of code of a page, in no particular order. */
export function codeBlocksOf({ text }: Page): readonly CodeBlock[] {
  const fence = /^( *)```([^\n]*)\n([\s\S]*?)^\1```$/gm;
  const fenced = [...text.matchAll(fence)].map(([, , language = "", block = ""]) => ({ language: language.trim(), lines: linesOf(block) }));
  const indented = text.replace(fence, "").matchAll(/(?:^ {4}.*\n|(?<=^ {4}.*\n)\n(?= {4}))+/gm);
  return [...fenced, ...[...indented].map(([block]) => ({ language: "", lines: linesOf(block) }))];
}

function linesOf(block: string): readonly string[] {
  return block.split("\n").map((line) => line.trim());
}
