import { styleText } from "node:util";

/** One line of a scene: who asked what, what came of it, and whether that is as it should be. */
interface Row {
  readonly isAsTold: boolean;
  readonly speaker: string;
  readonly request: string;
  readonly outcome: string;
}

/** What the demonstration is written on: plain text, coloured on a terminal alone (NO_COLOR is honoured). */
export interface Page {
  title(text: string): void;
  /** Begins the next scene; they are numbered. */
  scene(text: string): void;
  say(text: string): void;
  rows(rows: readonly Row[]): void;
  /** Columns without a verdict. */
  list(lines: readonly (readonly string[])[]): void;
  /** What somebody types. */
  command(text: string): void;
  /** What a program printed. */
  quote(text: string): void;
}

const WIDTH = 110;
const INDENT = "   ";
/** As wide as most requests, so that outcomes stand below one another. */
const REQUEST_WIDTH = 60;
const SPEAKER_WIDTH = 8;

/** A page on standard output. */
export function createPage(out: (text: string) => void): Page {
  let scenes = 0;
  const print = (text: string) => out(`${text}\n`);
  return {
    title: (text) => print(paint("bold", text)),
    scene(text) {
      scenes += 1;
      print(`\n${paint("bold", `${scenes}  ${text}`)}`);
    },
    say: (text) => print(wrapped(text, { first: INDENT, next: INDENT, joint: "" })),
    rows(rows) {
      const widths = [
        widest(
          rows.map(({ speaker }) => speaker),
          SPEAKER_WIDTH,
        ),
        widest(
          rows.map(({ request }) => request),
          REQUEST_WIDTH,
        ),
      ] as const;
      for (const { isAsTold, speaker, request, outcome } of rows) {
        const verdict = isAsTold ? paint("green", "ok  ") : paint("red", "FAIL");
        print(`${INDENT}${verdict}  ${speaker.padEnd(widths[0])}  ${paint("dim", request.padEnd(widths[1]))}  ${outcome}`.trimEnd());
      }
    },
    list(lines) {
      const widths = lines.reduce<number[]>((most, line) => line.map((cell, k) => Math.max(cell.length, most[k] ?? 0)), []);
      for (const line of lines) print(`${INDENT}${line.map((cell, k) => cell.padEnd(widths[k] ?? 0)).join("  ")}`.trimEnd());
    },
    command: (text) => print(paint("cyan", wrapped(`$ ${text}`, { first: INDENT, next: `${INDENT}    `, joint: " \\" }))),
    quote: (text) => print(paint("dim", wrapped(text, { first: `${INDENT}| `, next: `${INDENT}|   `, joint: "" }))),
  };
}

interface Margins {
  /** What the first line begins with, and every other. */
  readonly first: string;
  readonly next: string;
  /** What every line but the last ends with. */
  readonly joint: string;
}

function wrapped(text: string, { first, next, joint }: Margins): string {
  const lines: string[] = [];
  for (const word of text.split(/ +/)) {
    const last = lines.at(-1);
    if (last === undefined) lines.push(`${first}${word}`);
    else if (last.length + 1 + word.length + joint.length > WIDTH) lines.push(`${next}${word}`);
    else lines.splice(-1, 1, `${last} ${word}`);
  }
  return lines.join(`${joint}\n`);
}

function widest(texts: readonly string[], least: number): number {
  return Math.max(least, ...texts.map((text) => text.length));
}

function paint(style: "bold" | "dim" | "green" | "red" | "cyan", text: string): string {
  return styleText(style, text, { stream: process.stdout });
}
