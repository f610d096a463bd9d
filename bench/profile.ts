import { readFileSync } from "node:fs";
import { hrtime } from "node:process";
import { type Stage, startUpstream } from "./contenders.ts";
import { type ProfileSummary, summarize } from "./cpu-profile.ts";
import { requireGuard } from "./guard-check.ts";
import { type Imdsgate, startImdsgate, startSurroundings } from "./imdsgate.ts";
import { type RequestName, stated } from "./stated-answers.ts";
import { table } from "./table.ts";

const CONNECTIONS = 16;
const TOP = 12;

/** Profiles imdsgate under `requests` questions for cached credentials after as many unprofiled ones, and renders where its time went. */
export async function profileReport(stage: Stage, requests: number, facts: readonly string[]): Promise<string> {
  const upstream = await startUpstream(stage);
  const { lab, directory, owner } = stage;
  const surroundings = await startSurroundings(lab, directory, `http://${lab.serverHost}:${upstream.port}`, owner);
  const parts: string[] = [];
  for (const request of ["cached credentials", "pass-through"] as const) {
    parts.push(renderProfile(request, await profileOf(request)));
  }
  return [facts.map((fact) => `- ${fact}`).join("\n"), ...parts].join("\n\n");

  async function profileOf(request: RequestName): Promise<ProfileSummary> {
    const name = `${request.replaceAll(" ", "-")}.cpuprofile`;
    const ask = ({ host, port }: Imdsgate) => lab.web.load({ host, port, ...stated(request), connections: CONNECTIONS, count: requests });
    const [from, to] = await (async () => {
      await using imdsgateOwner = new AsyncDisposableStack();
      const flags = ["--cpu-prof", `--cpu-prof-dir=${directory}`, `--cpu-prof-name=${name}`];
      const imdsgate = await startImdsgate(surroundings, imdsgateOwner, flags);
      await requireGuard(lab);
      await ask(imdsgate);
      const startedAt = monotonicMicros();
      await ask(imdsgate);
      return [startedAt, monotonicMicros()];
    })();
    return summarize(JSON.parse(readFileSync(`${directory}/${name}`, "utf8")), from, to);
  }

  function renderProfile(request: RequestName, { functions, groups, busyMicros }: ProfileSummary): string {
    const perRequest = (micros: number) => [(micros / requests).toFixed(1), ((micros * 100) / busyMicros).toFixed(1)];
    return [
      `### ${request}, ${requests} requests, ${CONNECTIONS} at once`,
      table(
        ["group", "µs a request", "% of the busy time"],
        [...groups.map(({ group, micros }) => [group, ...perRequest(micros)]), ["all", ...perRequest(busyMicros)]],
      ),
      table(
        [`own time, the first ${TOP}`, "where", "group", "µs a request", "% of the busy time"],
        functions.slice(0, TOP).map(({ name, where, group, micros }) => [`\`${name}\``, where, group, ...perRequest(micros)]),
      ),
    ].join("\n\n");
  }
}

/** The clock of V8's profiles. */
function monotonicMicros(): number {
  return Number(hrtime.bigint() / 1_000n);
}
