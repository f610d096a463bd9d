import { readFileSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import type * as Yaml from "yaml";
import { ImdsgateError } from "../errors.ts";
import { isFields } from "../fields.ts";

const MAX_BYTES = 1_048_576;

/** Loaded when there is a file to read: most runs have none. By `require`, since reading the configuration waits for nothing. */
const require = createRequire(import.meta.url);
const loadYaml = (): typeof Yaml => require("yaml");

/** A configuration file: what it holds, and where each of its keys stands. */
export interface ConfigFile {
  readonly path: string;
  readonly values: Readonly<Record<string, unknown>>;
  /** `config.yaml line 9`, for a key, or for what stands below it by keys and places in lists. */
  placeOf(...steps: readonly (string | number)[]): string;
}

/**
 * Reads a YAML file of settings, every value as the text that stands there (an id of digits stays what it is): a map, each key once, no aliases, at most 1 MiB. Throws CONFIG_UNREADABLE when it cannot
 * be read, CONFIG_INVALID when it is no such map. `flag` is the one that named the file.
 */
export function readConfigFile(path: string, flag = "--config"): ConfigFile {
  const text = readText(path, flag);
  const { LineCounter, parseDocument } = loadYaml();
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, uniqueKeys: true, schema: "failsafe" });
  const [error] = document.errors;
  if (error) throw new ImdsgateError("CONFIG_INVALID", `${path} line ${error.linePos?.[0]?.line ?? 1}: ${error.message.split("\n", 1)[0]}`);
  const values: unknown = toPlain(path, () => document.toJS({ maxAliasCount: 0 }));
  if (values !== null && !isFields(values))
    throw new ImdsgateError("CONFIG_INVALID", `${path}: it must be a map of settings, like: bind: [ … ]`);
  return {
    path,
    values: values ?? {},
    placeOf(...steps) {
      const start = startOf(document.contents, steps);
      return start === undefined ? path : `${path} line ${lines.linePos(start).line}`;
    },
  };
}

/** Where the last of the steps stands that is there: a key, or an entry of a list. */
function startOf(contents: unknown, steps: readonly (string | number)[]): number | undefined {
  let node = contents;
  let start: number | undefined;
  for (const step of steps) {
    const item = itemAt(node, step);
    if (item === undefined) break;
    start = rangeOf(isPair(item) ? item.key : item) ?? start;
    node = isPair(item) ? item.value : item;
  }
  return start;
}

function itemAt(node: unknown, step: string | number): unknown {
  if (typeof node !== "object" || node === null || !("items" in node) || !Array.isArray(node.items)) return undefined;
  const items: readonly unknown[] = node.items;
  return typeof step === "number" ? items[step] : items.find((item) => isPair(item) && String(item.key) === step);
}

function isPair(item: unknown): item is { readonly key: unknown; readonly value: unknown } {
  return typeof item === "object" && item !== null && "key" in item && "value" in item;
}

function readText(path: string, flag: string): string {
  try {
    if (statSync(path).size > MAX_BYTES) throw new Error("it is larger than 1 MiB");
    return readFileSync(path, "utf8");
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new ImdsgateError("CONFIG_UNREADABLE", `${flag} ${path} cannot be read: ${why}`, { cause });
  }
}

function toPlain(path: string, read: () => unknown): unknown {
  try {
    return read();
  } catch (cause) {
    throw new ImdsgateError("CONFIG_INVALID", `${path}: aliases (*name) are not allowed`, { cause });
  }
}

function rangeOf(key: unknown): number | undefined {
  if (typeof key !== "object" || key === null || !("range" in key) || !Array.isArray(key.range)) return undefined;
  const start: unknown = key.range[0];
  return typeof start === "number" ? start : undefined;
}
