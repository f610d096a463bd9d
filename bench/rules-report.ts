import type { ForeignTraffic } from "./foreign-traffic.ts";
import { type Goal, goalTable } from "./goals.ts";
import type { KeptIdle, RulesCost } from "./rules.ts";
import type { Change } from "./rules-changes.ts";
import { table } from "./table.ts";

/** As many containers as the goals are for. */
const GOAL_CONTAINERS = 1_000;
/** A keeper looks each half minute though nothing has changed. */
const WHOLE_IDLE_MS = 30_000;
/** Less than what two measurements of the same differ in on a quiet machine cannot be told. */
const NOT_MEASURABLE = 1.05;

/** What the kernel's side costs, as Markdown: the machine, the goals, what they are made of. */
export function renderRules(cost: RulesCost, facts: readonly string[]): string {
  const { nft, legacy, foreign } = cost;
  const hosts = [nft, ...(legacy ? [legacy] : [])];
  return [
    facts.map((fact) => `- ${fact}`).join("\n"),
    "### Goals of the rules",
    goalTable(rulesGoals(cost)),
    "### What a change takes",
    changeTable(hosts),
    "### The programs of a change",
    programTable(nft),
    "### A keeper that nobody disturbs",
    idleTable(hosts),
    "### Requests that are none of imdsgate's",
    foreignTable(foreign),
  ].join("\n\n");
}

/** What the kernel's side may cost, and what it did. Nothing counts that was measured with fewer containers or for less time than it is for. */
export function rulesGoals({ nft, legacy, foreign }: RulesCost): readonly Goal[] {
  const { containers, apply, guardAll, addOne } = nft.changes;
  const isWhole = containers === GOAL_CONTAINERS;
  const idle = (host: KeptIdle | undefined) => (isWhole && host && host.idleMs >= WHOLE_IDLE_MS ? host.coreShare * 100 : undefined);
  const all = (which: "wholeMs" | "transactionMs") => (isWhole && guardAll ? apply[which] + guardAll[which] : undefined);
  return [
    {
      name: "rules and 1,000 endpoints, their transactions",
      atMost: 100,
      measured: all("transactionMs"),
      unit: "ms",
    },
    { name: "rules and 1,000 endpoints, until all is held", atMost: 100, measured: all("wholeMs"), unit: "ms" },
    { name: "one endpoint more, its transaction", atMost: 5, measured: isWhole ? addOne?.transactionMs : undefined, unit: "ms" },
    { name: "one endpoint more, until it is held", atMost: 5, measured: isWhole ? addOne?.wholeMs : undefined, unit: "ms" },
    { name: "the keeper when idle, nftables, of a core", atMost: 0.1, measured: idle(nft), unit: "%" },
    { name: "the keeper when idle, iptables-legacy, of a core", atMost: 0.5, measured: idle(legacy), unit: "%" },
    {
      name: "a request that is not ours, p50 with the rules ÷ without",
      atMost: NOT_MEASURABLE,
      measured: isWhole && foreign.failures === 0 ? foreign.rulesRatio : undefined,
      unit: "",
    },
  ];
}

function changeTable(hosts: readonly KeptIdle[]): string {
  const rows = hosts.flatMap(({ changes }) => {
    const { backend, containers, apply, guardAll, addOne, interfacesMs, startMs } = changes;
    const changed = (what: string, change: Change | undefined) => {
      if (change === undefined) return [backend, what, "no guard here", "–", "–", "–"];
      const { wholeMs, transactionMs, ran } = change;
      const programsMs = ran.reduce((sum, { ms }) => sum + ms, 0);
      return [backend, what, wholeMs.toFixed(1), transactionMs.toFixed(1), String(ran.length), programsMs.toFixed(1)];
    };
    return [
      changed("all rules anew", apply),
      changed(`the guard, from none to ${containers} containers`, guardAll),
      changed(`the guard, one more than ${containers}`, addOne),
      [backend, "of each change of the guard: interfaces read in /proc", interfacesMs.toFixed(1), "–", "0", "–"],
      [backend, "for comparison: a program that does nothing", startMs.toFixed(1), "–", "1", startMs.toFixed(1)],
    ];
  });
  return table(["backend", "what", "ms", "of it transactions, ms", "programs", "their ms, also side by side"], rows);
}

function programTable({ changes }: KeptIdle): string {
  const rows = (["apply", "guardAll", "addOne"] as const).flatMap((which) =>
    (changes[which]?.ran ?? []).map(({ command, ms }) => [WORDS[which], `\`${command}\``, ms.toFixed(1)]),
  );
  return table(["change", "program", "ms"], rows);
}

const WORDS = { apply: "all rules", guardAll: "all containers", addOne: "one more" } as const;

function idleTable(hosts: readonly KeptIdle[]): string {
  return table(
    ["backend", "containers", "s left alone", "CPU ms", "% of a core"],
    hosts.map(({ changes, idleMs, cpuMs, coreShare }) => [
      changes.backend,
      String(changes.containers),
      (idleMs / 1_000).toFixed(0),
      cpuMs.toFixed(0),
      (coreShare * 100).toFixed(2),
    ]),
  );
}

function foreignTable({ requests, withoutMs, rulesRatio, guardRatio, againRatio, failures }: ForeignTraffic): string {
  return table(
    ["one container asks another", "requests", "p50 ÷ without"],
    [
      [`without anything of ours (p50 ${withoutMs.toFixed(3)} ms)`, String(requests), "1.00"],
      ["without, once more", String(requests), againRatio.toFixed(2)],
      ["with the rules", String(requests), rulesRatio.toFixed(2)],
      ["with the rules and the guard of all containers", String(requests), guardRatio.toFixed(2)],
      ["failed", String(failures), "–"],
    ],
  );
}
