import { nftBridgeGuard } from "../../src/rules/bridge-guard.ts";
import type { RuleSet } from "../../src/rules/rule-set.ts";
import type { Namespace } from "./namespace.ts";
import { decoyCount, GATEWAY_PORT, type Network, timeoutFor } from "./network.ts";
import { type Arranged, type Question, type Scenario, type Tool, wantedFrom } from "./scenario.ts";

/** What came of a scenario: what was answered, and how many connections the decoy IMDS has seen of it. */
interface Outcome {
  readonly without: Answered;
  readonly under: Answered;
}

interface Answered {
  readonly answers: readonly string[];
  readonly decoySaw: number;
}

/** What must come of it. */
export function outcomeWanted(scenario: Scenario, { name }: Tool): Outcome {
  return { without: seenAt(scenario.without), under: seenAt(wantedFrom(scenario, name)) };
}

function seenAt(answers: readonly string[]): Answered {
  return { answers, decoySaw: answers.filter((answer) => answer.startsWith("decoy")).length };
}

/** Plays a scenario on a network without rules of ours, once without and once under those of `tool`, and leaves the network as it was. */
export async function playScenario(network: Network, tool: Tool, scenario: Scenario): Promise<Outcome> {
  await using after = new AsyncDisposableStack();
  const arrange = async (): Promise<Arranged> => (await scenario.arrange?.({ network, foreign: tool.foreign, after })) ?? {};
  const wanted = wantedFrom(scenario, tool.name);
  if (scenario.isLate) {
    await using rules = await putIn({ network, tool, scenario, arranged: {} });
    const play = { network, tool, scenario, arranged: await arrange() };
    const under = await askAll(play, wanted);
    await rules.disposeAsync();
    return { without: await askAll(play, scenario.without), under };
  }
  const play = { network, tool, scenario, arranged: await arrange() };
  const without = await askAll(play, scenario.without);
  await openAll(play);
  await using _rules = await putIn(play);
  return { without, under: await askAll(play, wanted) };
}

interface Play {
  readonly network: Network;
  readonly tool: Tool;
  readonly scenario: Scenario;
  readonly arranged: Arranged;
}

/** Puts the rules in, and the guard where one is arranged, until they are disposed of. */
async function putIn({ network: { host }, tool, scenario, arranged }: Play): Promise<AsyncDisposableStack> {
  await using made = new AsyncDisposableStack();
  const { guard, hostNetwork } = arranged;
  const ruleSet: RuleSet = {
    parts: scenario.parts ?? "all",
    gatewayPort: GATEWAY_PORT,
    uplinkInterfaces: ["eth0"],
    workloadInterfaces: [],
    hostNetwork,
  };
  const backend = tool.make(host.run);
  made.defer(async () => void (await backend.remove()));
  await backend.apply(ruleSet);
  if (guard !== undefined) {
    const bridgeGuard = nftBridgeGuard(host.run);
    made.defer(async () => void (await bridgeGuard.remove()));
    await bridgeGuard.put(guard);
  }
  return made.move();
}

/** The name of a connection that was opened before the rules. */
const keyOf = (index: number) => `old-${index}`;

async function openAll(play: Play): Promise<void> {
  for (const [index, question] of play.scenario.questions.entries()) {
    if (!question.isOld) continue;
    const said = await placeOf(play, question).ask({ act: "open", key: keyOf(index), host: question.host, port: 80 });
    if (said !== "open") throw new Error(`no connection could be opened before the rules: ${said}`);
  }
}

/** Asks all questions at the same time. */
async function askAll(play: Play, wanted: readonly string[]): Promise<Answered> {
  const isUnderRules = wanted !== play.scenario.without;
  const before = await decoyCount(play.network);
  const answers = await Promise.all(
    play.scenario.questions.map(async (question, index) => {
      const { host, port = 80, source, isOld } = question;
      const timeoutMs = timeoutFor(wanted[index] ?? "");
      const place = placeOf(play, question);
      if (isOld && isUnderRules) return said(await place.ask({ act: "speak", key: keyOf(index), timeoutMs }));
      return said(await place.ask({ act: "request", host, port, source, timeoutMs }));
    }),
  );
  return { answers, decoySaw: (await decoyCount(play.network)) - before };
}

function placeOf({ network, arranged }: Play, { from }: Question): Namespace {
  const { host, lan, ca, cb } = network;
  const place = new Map(Object.entries({ host, lan, ca, cb, ...arranged.places })).get(from);
  if (place === undefined) throw new Error(`there is nobody called "${from}"`);
  return place;
}

/** Whether the kernel drops what comes over an old connection or ends it is the same to who waits for an answer. */
function said(heard: string): string {
  return heard === "read ECONNRESET" ? "silence" : heard.replace(/^connect ENETUNREACH .*/, "no way");
}
