import { ImdsgateError } from "../errors.ts";
import { isFields } from "../fields.ts";
import { readBindingEntry } from "./binding-entry.ts";
import type { ConfigFile } from "./config-file.ts";
import { type Flag, keyOf, RUN_FLAGS, variableOf } from "./flags.ts";
import { plainText, type Setting } from "./setting.ts";

/** For each flag's name all values that count; none where nobody set it. */
export type Settings = ReadonlyMap<string, readonly Setting[]>;

/** Where settings come from. `flags` holds, for each flag's name, what the command line said. */
export interface SettingsSources {
  readonly flags: Readonly<Record<string, unknown>>;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly file: ConfigFile | undefined;
}

/** Gathers settings: a flag wins over a variable, a variable over the file; lists replace, they never merge. Throws CONFIG_INVALID. */
export function gatherSettings({ flags, environment, file }: SettingsSources): Settings {
  if (file) refuseUnknownKeys(file);
  refuseUnknownVariables(environment);
  return new Map(
    RUN_FLAGS.map((flag) => [flag.name, fromFlags(flag, flags) ?? fromEnvironment(flag, environment) ?? fromFile(flag, file) ?? []]),
  );
}

function fromFlags(flag: Flag, flags: Readonly<Record<string, unknown>>): readonly Setting[] | undefined {
  const value = flags[flag.name];
  if (value === undefined) return undefined;
  const values: readonly unknown[] = Array.isArray(value) ? value : [value];
  if (values.length === 0) return undefined;
  if (flag.kind !== "list" && values.length > 1)
    throw new ImdsgateError("CONFIG_INVALID", `--${flag.name} was given ${values.length} times; give it once`);
  return values.map((text) => ({ origin: `--${flag.name}`, text: String(text) }));
}

function fromEnvironment(flag: Flag, environment: SettingsSources["environment"]): readonly Setting[] | undefined {
  const name = variableOf(flag);
  const value = environment[name];
  if (value === undefined || value === "") return undefined;
  const texts = flag.kind === "list" ? value.split("\n").filter((text) => text !== "") : [value];
  return texts.map((text) => ({ origin: name, text }));
}

function fromFile(flag: Flag, file: ConfigFile | undefined): readonly Setting[] | undefined {
  const value = file?.values[keyOf(flag)];
  if (!file || value === undefined || value === null || value === "") return undefined;
  const origin = file.placeOf(keyOf(flag));
  if (flag.name === "role" && isFields(value))
    return Object.entries(value).map(([alias, arn]) => ({ origin, text: `${alias}=${plainText(arn, origin)}` }));
  if (flag.kind !== "list") return [{ origin, text: plainText(value, origin) }];
  const values: readonly unknown[] = Array.isArray(value) ? value : [value];
  return values.map((entry, n) => {
    if (flag.name !== "bind" || !isFields(entry)) return { origin, text: plainText(entry, origin) };
    return readBindingEntry(entry, (...keys) => file.placeOf(keyOf(flag), n, ...keys));
  });
}

function refuseUnknownVariables(environment: SettingsSources["environment"]): void {
  const known = [...RUN_FLAGS.map(variableOf), "IMDSGATE_CONFIG"];
  const stranger = Object.keys(environment).find((name) => name.startsWith("IMDSGATE_") && !known.includes(name));
  if (stranger === undefined) return;
  throw new ImdsgateError("CONFIG_INVALID", `${stranger}: there is no such setting; allowed: ${known.join(", ")}`);
}

function refuseUnknownKeys(file: ConfigFile): void {
  const known = RUN_FLAGS.map(keyOf);
  const stranger = Object.keys(file.values).find((key) => !known.includes(key));
  if (stranger === undefined) return;
  throw new ImdsgateError(
    "CONFIG_INVALID",
    `${file.placeOf(stranger)}: unknown key ${JSON.stringify(stranger)}; allowed: ${known.join(", ")}`,
  );
}
