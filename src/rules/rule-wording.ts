import { differenceLine, type RuleDifference } from "./rule-differences.ts";

/**
 * What a rule cannot be said without: negations, names, numbers, addresses, the end of the connection that it looks at, the verdict.
 * The rest of its words (`meta l4proto tcp`, `counter`) a tool may say or not.
 */
const SAID_BY_ALL =
  /!|"[^"]*"|(?<!\S)-[iods] \S+|(?<![\w-])[:-]?\d[\w.:]*|\b[\da-f]*:[\da-f:]+|\b(?:[sd]addr|[sd]port)\b|\b(?:accept|drop|reject|return|redirect)\b|IMDSGATE-\w+/gi;

/**
 * Whether the differences are nothing but another way to print the same: in each chain as many rules are missing as are foreign, and in
 * the same order they name the same addresses, ports and interfaces, and end in the same word.
 */
export function isSameInOtherWords(differences: readonly RuleDifference[]): boolean {
  const cores = (kind: RuleDifference["kind"]) =>
    differences.filter((difference) => difference.kind === kind).map(({ chain, rule }) => `${chain}: ${coreOf(rule)}`);
  const missing = cores("missing");
  return missing.length > 0 && 2 * missing.length === differences.length && missing.join("\n") === cores("foreign").join("\n");
}

function coreOf(rule: string): string {
  const words = rule.replace(/\/(?:32|128)(?=\s)/g, "").replace(/(?<=port )http\b/g, "80");
  return [...(words.match(SAID_BY_ALL) ?? []), words.replace(/^.* /, "")].join(" ");
}

/**
 * The differences without `wording`, those of a tool that lists our rules in its own words. In a chain where one of these is gone no other is
 * excused: a rule that is listed otherwise and one that is deleted are both missing, and only its twin tells which it is.
 */
export function withoutWording(differences: readonly RuleDifference[], wording: readonly RuleDifference[]): readonly RuleDifference[] {
  return [...Map.groupBy(differences, ({ chain }) => chain)].flatMap(([name, found]) => {
    const excused = wording.filter(({ chain }) => chain === name).map(differenceLine);
    const left = found.filter((difference) => {
      const index = excused.indexOf(differenceLine(difference));
      // One line excuses one difference: what stands twice is one too many.
      if (index >= 0) excused.splice(index, 1);
      return index < 0;
    });
    return excused.length === 0 ? left : found;
  });
}
