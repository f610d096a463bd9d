import { prettyLine } from "../observability/pretty-line.ts";
import { SIM_INSTANCE_ROLE } from "../sim/instance-facts.ts";
import type { Gateway, LogRecord } from "./gateway.ts";
import { leaksIn, type Received, type Secret } from "./leaks.ts";
import type { RoleKeys } from "./role-scenes.ts";
import type { Telling } from "./telling.ts";

/** Texts that nobody but the host may see, as the embedded service tells them. */
export function hostSecrets(): readonly Secret[] {
  const { name, credentials } = SIM_INSTANCE_ROLE;
  return [
    { what: "the name of the host's role", text: name, allowed: ["the log"] },
    { what: "the access key id of the host", text: credentials.accessKeyId, allowed: ["the log"] },
    { what: "the secret key of the host", text: credentials.secretAccessKey, allowed: [] },
    { what: "the session token of the host", text: credentials.sessionToken, allowed: [] },
  ];
}

/** The lines that were written about this run, as they are in the log. */
export async function auditLogScene(telling: Telling, gateway: Gateway, keys: readonly RoleKeys[]): Promise<void> {
  const { page } = telling;
  page.scene("The audit log has a line for each");
  page.say("Some of them, as a terminal shows them:");
  const wanted: readonly LogRecord[] = [
    ...keys.map(({ container, accessKeyId }) => ({
      "event.name": "imdsgate.vend",
      "imdsgate.workload": container,
      "imdsgate.access_key_id": accessKeyId,
    })),
    { "event.name": "imdsgate.refuse", "imdsgate.workload": "cron", "imdsgate.reason": "no-binding" },
    { "event.name": "imdsgate.refuse", "imdsgate.workload": "php", "imdsgate.reason": "wrong-role" },
    { "event.name": "imdsgate.refuse", "imdsgate.reason": "ambiguous-path" },
  ];
  for (const fields of wanted) {
    const line = await gateway.logged(fields);
    if (line === undefined) telling.claim(false, "the log", `has a line with ${JSON.stringify(fields)}`);
    else page.quote(prettyLine(line).trim());
  }
}

/** Searches all that was received, and the log, for what must not be there. `before` is what containers received without imdsgate. */
export function leakScene(telling: Telling, before: readonly Received[], log: string): void {
  const { page, received, secrets } = telling;
  page.scene("Nothing leaked");
  const leaks = leaksIn([...received, { by: "the log", text: log }], secrets);
  for (const leak of leaks) telling.claim(false, "leak", leak);
  const bytes = received.reduce((sum, { text }) => sum + text.length, 0);
  telling.claim(
    leaks.length === 0,
    "all",
    `${received.length} answers to containers, ${bytes} bytes: no key of another, and nothing of host-role`,
  );
  telling.claim(leaks.length === 0, "log", `${log.split("\n").length} lines: no secret key and no token of anybody`);
  const isFound = leaksIn(before, secrets).length > 0;
  telling.claim(isFound, "search", "the same search does find host-role in what fluentd received in scene 1");
}
