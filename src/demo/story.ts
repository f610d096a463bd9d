import { endpointText } from "../address.ts";
import { runCommand } from "../run-command.ts";
import { SIM_INSTANCE_ROLE } from "../sim/instance-facts.ts";
import { demoFailed } from "./failure.ts";
import { type Gateway, runWords, startGateway } from "./gateway.ts";
import { imdsgateWords } from "./imdsgate-program.ts";
import { auditLogScene, hostSecrets, leakScene } from "./log-scenes.ts";
import { isKeys, isSilence, isText } from "./outcomes.ts";
import type { Page } from "./page.ts";
import { questionFor } from "./question.ts";
import { CREDENTIALS, everythingElseScene, nothingOfOthersScene, ownRolesScene } from "./role-scenes.ts";
import type { Stage } from "./stage.ts";
import { createTelling, type Telling } from "./telling.ts";

/**
 * Plays the whole demonstration on `stage` and writes it on `page`. Throws DEMO_FAILED naming all that was not as told, and the signal's
 * reason when that aborts.
 */
export async function tellStory(stage: Stage, page: Page, signal: AbortSignal): Promise<void> {
  const telling = createTelling(stage, page, signal);
  telling.secrets.push(...hostSecrets());
  introduce(telling);
  await withoutImdsgateScene(telling);
  const before = [...telling.received];
  telling.forget();

  await using gateway = await startScene(telling, signal);
  const keys = await ownRolesScene(telling, gateway.metadata);
  await everythingElseScene(telling, gateway.metadata);
  await nothingOfOthersScene(telling, gateway.metadata);
  if (stage.hasRedirect) await hostScene(telling);
  await auditLogScene(telling, gateway, keys);
  leakScene(telling, before, gateway.output());
  if (stage.hasRedirect) {
    await stopScene(telling, gateway);
    await removeScene(telling);
  }
  const { faults } = telling;
  if (faults.length > 0) throw demoFailed(`not all went as told:\n${faults.map((fault) => `  ${fault}`).join("\n")}`);
}

function introduce({ page, stage }: Telling): void {
  const { fluentd, php, cron } = stage.containers;
  page.list([
    ["fluentd", fluentd.address, "a container, bound to fluentd-role"],
    ["php", php.address, "a container, bound to php-role"],
    ["cron", cron.address, "a container, bound to no role"],
    [
      "the host",
      stage.host.address,
      `has ${SIM_INSTANCE_ROLE.name}, by the metadata service at ${endpointText(stage.imds).replace(/:80$/, "")}`,
    ],
  ]);
}

async function withoutImdsgateScene(telling: Telling): Promise<void> {
  telling.page.scene("Without imdsgate");
  await telling.tell(linesOfHostRole(telling, "fluentd"));
  telling.page.say("The keys of the host: whatever the host may do, every container on it may do.");
}

/** The two requests by which an SDK finds the credentials of the instance. */
function linesOfHostRole({ stage }: Telling, name: "fluentd" | "host") {
  const speaker = name === "host" ? stage.host : stage.containers[name];
  return [
    { speaker, question: questionFor(stage.imds, `GET ${CREDENTIALS}`), outcome: isText(SIM_INSTANCE_ROLE.name) },
    { speaker, question: questionFor(stage.imds, `GET ${CREDENTIALS}${SIM_INSTANCE_ROLE.name}`), outcome: isKeys },
  ];
}

async function startScene({ page, stage }: Telling, signal: AbortSignal): Promise<Gateway> {
  page.scene("imdsgate starts");
  page.command(["imdsgate", ...runWords(stage)].join(" "));
  const gateway = await startGateway(stage, signal);
  page.quote(gateway.ready);
  if (stage.hasRedirect)
    page.say("The kernel now leads what containers ask of 169.254.169.254 to the gateway, and lets nothing else of it through.");
  return gateway;
}

async function hostScene(telling: Telling): Promise<void> {
  telling.page.scene("The host's own processes keep the host's role");
  await telling.tell(linesOfHostRole(telling, "host"));
}

async function stopScene(telling: Telling, gateway: Gateway): Promise<void> {
  const { page, stage } = telling;
  page.scene("imdsgate stops: containers get no metadata at all");
  const exitCode = await gateway.stop();
  telling.claim(exitCode === 0, "imdsgate", `ended with exit code ${exitCode}`);
  await telling.tell(
    Object.values(stage.containers).map((speaker) => ({
      speaker,
      question: questionFor(stage.imds, `GET ${CREDENTIALS}`),
      outcome: isSilence,
    })),
  );
  page.say("The rules stay in the kernel: no gateway, no metadata. It fails closed.");
}

async function removeScene(telling: Telling): Promise<void> {
  const { page } = telling;
  page.scene("It was the rules: without them the same request reaches the real service");
  page.command("imdsgate rules remove");
  const [program = "", ...args] = imdsgateWords(["rules", "remove"]);
  const { exitCode } = await runCommand(program, args);
  telling.claim(exitCode === 0, "imdsgate", `ended with exit code ${exitCode}`);
  await telling.tell(linesOfHostRole(telling, "fluentd"));
}
