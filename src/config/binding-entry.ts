import { ImdsgateError } from "../errors.ts";
import { type Fields, isFields } from "../fields.ts";
import { plainText, type Setting } from "./setting.ts";

/** A binding of the file: its two halves, each as it stands there, and what it says besides. */
export interface BindingEntry {
  readonly match: string;
  readonly role: string;
  readonly extras: BindingExtras;
}

/** What a binding of the file says besides who and which role, each with its place. */
export interface BindingExtras {
  readonly requireImdsv2: Setting | undefined;
  readonly externalId: Setting | undefined;
  readonly sessionName: Setting | undefined;
  readonly sourceIdentity: Setting | undefined;
  readonly duration: Setting | undefined;
  readonly policy: Setting | undefined;
  readonly policyArns: readonly Setting[];
  readonly tags: readonly TagSetting[];
  readonly transitiveTagKeys: readonly Setting[];
}

/** The key and the value of one session tag. */
interface TagSetting {
  readonly key: string;
  readonly value: Setting;
}

/** Tells where in an entry something stands: `config.yaml line 9` for the key `tags` and, in it, `team`. */
export type PlaceInEntry = (...keys: readonly string[]) => string;

const ALLOWED = [
  "match",
  "role",
  "externalId",
  "sessionName",
  "sourceIdentity",
  "tags",
  "transitiveTagKeys",
  "policy",
  "policyArns",
  "duration",
  "requireImdsv2",
];

/** Reads one map of the file's `bind` list: `{match, role, …}`. Throws CONFIG_INVALID naming the line, the binding and the key. */
export function readBindingEntry(entry: Fields, placeOf: PlaceInEntry): Setting {
  const stranger = Object.keys(entry).find((key) => !ALLOWED.includes(key));
  if (stranger !== undefined) {
    const what = `unknown key ${JSON.stringify(stranger)} in a binding; allowed: ${ALLOWED.join(", ")}`;
    throw new ImdsgateError("CONFIG_INVALID", `${placeOf(stranger)}: ${what}`);
  }
  const match = plainText(entry["match"], `${placeOf("match")}, match`);
  const role = plainText(entry["role"], `${placeOf("role")}, role`);
  const binding = `${match}=${role}`;
  const originOf: PlaceInEntry = (...keys) => `${placeOf(...keys)}, ${keys.join(" ")} of ${binding}`;
  return { origin: placeOf(), text: binding, entry: { match, role, extras: readExtras(entry, originOf) } };
}

function readExtras(entry: Fields, originOf: PlaceInEntry): BindingExtras {
  const one = (key: string): Setting | undefined =>
    entry[key] === undefined ? undefined : { origin: originOf(key), text: plainText(entry[key], originOf(key)) };
  return {
    requireImdsv2: one("requireImdsv2"),
    externalId: one("externalId"),
    sessionName: one("sessionName"),
    sourceIdentity: one("sourceIdentity"),
    duration: one("duration"),
    policy: readPolicy(entry["policy"], originOf("policy")) ?? one("policy"),
    policyArns: readList(entry["policyArns"], originOf("policyArns")),
    tags: readTags(entry["tags"], originOf),
    transitiveTagKeys: readList(entry["transitiveTagKeys"], originOf("transitiveTagKeys")),
  };
}

/** JSON is YAML: without quotes it is read as a map, and what was a number or a word in it is lost. Throws CONFIG_INVALID for that. */
function readPolicy(value: unknown, origin: string): undefined {
  if (typeof value !== "object") return;
  const fix = "put the JSON text in single quotes, or below policy: | on lines of its own";
  throw new ImdsgateError("CONFIG_INVALID", `${origin}: a map stands where JSON text belongs; ${fix}`);
}

function readList(value: unknown, origin: string): readonly Setting[] {
  if (value === undefined) return [];
  const values: readonly unknown[] = Array.isArray(value) ? value : [value];
  return values.map((text) => ({ origin, text: plainText(text, origin) }));
}

function readTags(value: unknown, originOf: PlaceInEntry): readonly TagSetting[] {
  if (value === undefined) return [];
  if (!isFields(value)) throw new ImdsgateError("CONFIG_INVALID", `${originOf("tags")}: tags are a map, like: tags: { team: payments }`);
  return Object.entries(value).map(([key, text]) => {
    const origin = originOf("tags", key);
    return { key, value: { origin, text: plainText(text, origin) } };
  });
}
