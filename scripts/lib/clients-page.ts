import { ABSENT } from "../../test/clients/absent.ts";
import { type Client, obstacleOf } from "../../test/clients/clients.ts";
import type { Trial } from "../../test/clients/trial.ts";

const INTRODUCTION = `# Clients

<!-- Made by \`npm run clients -- --all\` from a run. Do not edit. -->

Unmodified AWS clients on the real path: each runs in a Docker container's network namespace, asks \`169.254.169.254\`, is redirected by the
kernel and answered by \`imdsgate run\`. The metadata service behind it, STS and S3 are simulated (\`src/sim/\`, \`test/clients/s3-stub.ts\`).
`;

const EXPLANATION = `- **Tokens optional**, **tokens required**: the client's own call of STS, or of S3, was made with the container's role. STS was asked
  who the caller is.
- **Over an expiry**: one process (for the command-line tools, one after the other) goes on with new keys when the first have ended; STS and S3 refuse ended ones.
  *Short lease*: STS gives sessions of 12 seconds, used eleven times in 20 seconds. *Moved clock*: sessions of an hour, every clock of the scene moved on by ten
  minutes a step, two hours in all. That is for clients that do not believe in a short life: botocore takes for 17 to 25 minutes what ends sooner.
- **Direct**, **through**: the median time in which the client has credentials anew, from the host straight to the simulated service and from the container
  through imdsgate, with the lease there. Measured on a machine of two cores that had other work, so the difference is an upper bound.
`;

/** The page docs/clients.md. `trials` has the clients that could be tried. */
export function clientsPage(clients: readonly Client[], trials: ReadonlyMap<string, Trial>): string {
  const head = ["client", "version", "tokens optional", "tokens required", "over an expiry", "direct, ms", "through, ms", "notes"];
  const rows = clients.flatMap((client) => {
    const trial = trials.get(client.name);
    return trial === undefined ? [] : [rowOf(client, trial)];
  });
  const table = [head, head.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |\n`).join("");
  const untried = clients.flatMap((client) => {
    const obstacle = obstacleOf(client);
    return obstacle === undefined ? [] : [`- ${client.name}: ${obstacle}.\n`];
  });
  const absent = [...untried, ...ABSENT.map(({ name, reason }) => `- ${name}: ${reason}.\n`)].join("");
  return [INTRODUCTION, table, EXPLANATION, "## Not tried\n", absent].join("\n");
}

function rowOf(client: Client, trial: Trial): readonly string[] {
  const expiry = client.expiry === "none" ? "it takes none" : trial.expiry === "ok" ? `yes, ${client.expiry}` : verdict(trial.expiry);
  const times = [trial.directMs, trial.throughMs].map((ms) => ms?.toFixed(ms < 100 ? 1 : 0) ?? "");
  return [client.name, trial.version, verdict(trial.optional), verdict(trial.required), expiry, ...times, client.note ?? ""];
}

function verdict(text: string): string {
  return text === "ok" ? "yes" : text.replaceAll("|", "\\|");
}
