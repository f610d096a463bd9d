import { type Scenario, TOOLS, wantedFrom } from "../../test/kernel/scenario.ts";

/** The scenarios as a table of Markdown: what its tests assert, in words. */
export function scenariosTable(scenarios: readonly Scenario[]): string {
  return [
    `| who asks | without rules | ${TOOLS.map(({ name }) => name).join(" | ")} |`,
    `|---|---|${TOOLS.map(() => "---|").join("")}`,
    ...scenarios.map((scenario) => {
      const cells = [scenario.without, ...TOOLS.map(({ name }) => wantedFrom(scenario, name))].map(answersInWords);
      return `| ${scenario.name}${scenario.needsRoot ? " (tried by root alone)" : ""} | ${cells.join(" | ")} |`;
    }),
  ].join("\n");
}

/** Who answered, with the sources that he saw: `gateway (172.30.0.2, fd88:1::2)`. Throws for an answer that has no words. */
function answersInWords(answers: readonly string[]): string {
  const heard = Map.groupBy(answers.map(heardIn), ({ who }) => who);
  return [...heard].map(([who, said]) => `${who}${sourcesInWords(said.flatMap(({ source }) => source ?? []))}`).join(", ");
}

function sourcesInWords(sources: readonly string[]): string {
  return sources.length === 0 ? "" : ` (${[...new Set(sources)].join(", ")})`;
}

const WHO: Readonly<Record<string, string>> = {
  decoy: "real service",
  decoy6: "real service",
  "decoy-other": "real service",
  gateway: "gateway",
  gateway6: "gateway",
  theirs: "that host",
  embedded: "service of the host",
};
const NOBODY: Readonly<Record<string, string>> = { silence: "nothing", refused: "refused", "no way": "no route" };

function heardIn(answer: string): { readonly who: string; readonly source?: string | undefined } {
  const [, name = "", source] = /^(\S+) saw (\S+) on \S+$/.exec(answer) ?? [];
  const who = WHO[name] ?? NOBODY[answer];
  if (who === undefined) throw new Error(`there are no words for the answer "${answer}"`);
  return { who, source };
}
