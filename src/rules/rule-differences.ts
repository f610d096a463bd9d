/** A chain of one tool, as it stands or as it should. */
export interface ListedChain {
  /** As the tool names it: `inet imdsgate forward`, `ip mangle FORWARD`. */
  readonly name: string;
  /** What it serves: the closed part, or the redirect. */
  readonly part: "closed" | "redirect";
  /** In order, without counters; of a chain that is not ours only up to the last rule of ours. */
  readonly rules: readonly string[];
}

/** One way in which the kernel is not as wanted. */
export interface RuleDifference {
  /** `misplaced`: it stands, but something that should come after it comes before. */
  readonly kind: "missing" | "foreign" | "misplaced";
  readonly part: ListedChain["part"];
  readonly chain: string;
  readonly rule: string;
}

/** Compares what stands with what is wanted, in the order of the wanted chains; none where they are equal. */
export function ruleDifferences(wanted: readonly ListedChain[], standing: readonly ListedChain[]): readonly RuleDifference[] {
  const standingRules = new Map(standing.map(({ name, rules }) => [name, rules]));
  const unwanted = standing.filter(({ name }) => !wanted.some((chain) => chain.name === name));
  return [
    ...wanted.flatMap((chain) => chainDifferences(chain, standingRules.get(chain.name) ?? [])),
    ...unwanted.flatMap(({ name, part, rules }) => {
      const all = rules.length === 0 ? ["(an empty chain)"] : rules;
      return all.map((rule) => ({ kind: "foreign" as const, part, chain: name, rule }));
    }),
  ];
}

function chainDifferences({ name, part, rules: wanted }: ListedChain, standing: readonly string[]): RuleDifference[] {
  const differ = (kind: RuleDifference["kind"], rules: readonly string[]) => rules.map((rule) => ({ kind, part, chain: name, rule }));
  const differences = [...differ("missing", without(wanted, standing)), ...differ("foreign", without(standing, wanted))];
  if (differences.length > 0) return differences;
  return differ(
    "misplaced",
    wanted.filter((rule, index) => rule !== standing[index]),
  );
}

/** The `rules` that have no counterpart among `others`, each of which is one rule's counterpart only. */
function without(rules: readonly string[], others: readonly string[]): readonly string[] {
  const left = [...others];
  return rules.filter((rule) => {
    const index = left.indexOf(rule);
    if (index >= 0) left.splice(index, 1);
    return index < 0;
  });
}

const SIGNS = { missing: "-", foreign: "+", misplaced: "~" } as const;

/** One line for people: `- missing    inet imdsgate forward: ip daddr … drop`. */
export function differenceLine({ kind, chain, rule }: RuleDifference): string {
  return `${SIGNS[kind]} ${kind.padEnd(9)}  ${chain}: ${rule}`;
}

/** How many chains a sentence names before it only counts. */
const NAMED = 3;

/** What differs, chain by chain, as a short sentence without a full stop. */
export function differencesInWords(differences: readonly RuleDifference[]): string {
  const chains = [...Map.groupBy(differences, ({ kind, chain }) => `${kind} in ${chain}`).entries()];
  const named = chains.slice(0, NAMED).map(([where, [first, ...others]]) => {
    return others.length === 0 ? `${where}: ${first?.rule}` : `${where}: ${others.length + 1} rules`;
  });
  const more = chains.length - named.length;
  return [...named, ...(more > 0 ? [`and ${more} more`] : [])].join("; ");
}
