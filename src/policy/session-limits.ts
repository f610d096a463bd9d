import type { Parsed } from "../parsed.ts";

/** Reads an external id (docs/contract.md, S4). */
export function parseExternalId(text: string): Parsed<string> {
  if (/^[\w+=,.@:/-]{2,1224}$/.test(text)) return { value: text };
  return {
    problem: `${JSON.stringify(text)} is no external id`,
    allowed: "2 to 1224 letters, digits and +=,.@:/_-",
    example: "app=partner-7f3a",
  };
}

/** Reads how long a session lasts, in seconds (docs/contract.md, N8). */
export function parseDuration(text: string): Parsed<number> {
  const seconds = Number(text);
  if (/^\d{1,5}$/.test(text) && seconds >= 900 && seconds <= 43_200) return { value: seconds };
  return { problem: `${JSON.stringify(text)} is no duration of a session`, allowed: "900 to 43200 seconds", example: "3600" };
}

/** What to tell an operator who chose sessions of `seconds`; undefined when there is nothing to say (docs/contract.md, N8). */
export function durationWarning(seconds: number): string | undefined {
  if (seconds >= 3600) return undefined;
  return `sessions of ${seconds} s are renewed all the time and leave less room for an outage of STS: some SDKs need 25 minutes of life; 3600 is right for most`;
}
