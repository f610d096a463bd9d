import { type Parsed, parsedOrThrow } from "../parsed.ts";
import { parseSwitch } from "./places.ts";
import type { Setting } from "./setting.ts";
import type { Settings } from "./settings.ts";

/** All values of a setting, read. Throws CONFIG_INVALID, as all here do. */
export function listOf<T>(settings: Settings, name: string, parse: (text: string) => Parsed<T>): readonly T[] {
  return (settings.get(name) ?? []).map((setting) => parsed(setting, parse));
}

/** The one value of a setting, read; undefined where nobody set it. */
export function oneOf<T>(settings: Settings, name: string, parse: (text: string) => Parsed<T>): T | undefined {
  return listOf(settings, name, parse)[0];
}

/** A setting that also goes by variables that every AWS SDK reads; the first that is set counts. */
export function orOf<T>(
  settings: Settings,
  name: string,
  variables: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
  parse: (text: string) => Parsed<T>,
): T | undefined {
  const variable = variables.find((one) => environment[one]);
  const given = settings.get(name)?.[0] ?? (variable === undefined ? undefined : { origin: variable, text: environment[variable] ?? "" });
  return given === undefined || given.text === "" ? undefined : parsed(given, parse);
}

/** The one value of a setting as it stands; undefined where nobody set it, or to nothing. */
export function textOf(settings: Settings, name: string): string | undefined {
  return settings.get(name)?.[0]?.text || undefined;
}

/** Whether a switch is set. */
export function switchOf(settings: Settings, name: string): boolean {
  return oneOf(settings, name, parseSwitch) ?? false;
}

/** The value of a setting with choices; `fallback` is the first choice unless given. */
export function choiceOf<const C extends string>(
  settings: Settings,
  name: string,
  choices: readonly [C, ...C[]],
  fallback: C = choices[0],
): C {
  const parse = (text: string): Parsed<C> => {
    const choice = choices.find((one) => one === text);
    return choice === undefined
      ? { problem: `${JSON.stringify(text)} is no choice`, allowed: choices.join(", "), example: fallback }
      : { value: choice };
  };
  return oneOf(settings, name, parse) ?? fallback;
}

/** The text of a setting that has a pattern. */
export function matching(settings: Settings, name: string, pattern: RegExp, allowed: string, example: string): string | undefined {
  return oneOf(settings, name, (text) =>
    pattern.test(text) ? { value: text } : { problem: `${JSON.stringify(text)} is not right`, allowed, example },
  );
}

/** One setting, read by `parse`. */
export function parsed<T>({ origin, text }: Setting, parse: (text: string) => Parsed<T>): T {
  return parsedOrThrow(origin, parse(text));
}
