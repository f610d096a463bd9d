import { readFileSync, statSync } from "node:fs";
import { LineCounter, parseDocument } from "yaml";
import { ImdsgateError } from "../errors.ts";
import { isFields } from "../fields.ts";

const MAX_BYTES = 1_048_576;

/** A configuration file: what it holds, and where each of its keys stands. */
export interface ConfigFile {
  readonly path: string;
  readonly values: Readonly<Record<string, unknown>>;
  /** `config.yaml line 9`. */
  placeOf(key: string): string;
}

/**
 * Reads a YAML file of settings, every value as the text that stands there (an id of digits stays what it is): a map, each key once, no aliases, at most 1 MiB. Throws CONFIG_UNREADABLE when it cannot
 * be read, CONFIG_INVALID when it is no such map.
 */
export function readConfigFile(path: string): ConfigFile {
  const lines = new LineCounter();
  const document = parseDocument(readText(path), { lineCounter: lines, uniqueKeys: true, schema: "failsafe" });
  const [error] = document.errors;
  if (error) throw new ImdsgateError("CONFIG_INVALID", `${path} line ${error.linePos?.[0]?.line ?? 1}: ${error.message.split("\n", 1)[0]}`);
  const values: unknown = toPlain(path, () => document.toJS({ maxAliasCount: 0 }));
  if (values !== null && !isFields(values))
    throw new ImdsgateError("CONFIG_INVALID", `${path}: it must be a map of settings, like: bind: [ … ]`);
  return {
    path,
    values: values ?? {},
    placeOf(key) {
      const node = document.contents && "items" in document.contents ? document.contents.items : [];
      const pair = node.find((item) => "key" in item && String(item.key) === key);
      const range = pair && "key" in pair ? rangeOf(pair.key) : undefined;
      return range === undefined ? path : `${path} line ${lines.linePos(range).line}`;
    },
  };
}

function readText(path: string): string {
  try {
    if (statSync(path).size > MAX_BYTES) throw new Error("it is larger than 1 MiB");
    return readFileSync(path, "utf8");
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new ImdsgateError("CONFIG_UNREADABLE", `--config ${path} cannot be read: ${why}`, { cause });
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
