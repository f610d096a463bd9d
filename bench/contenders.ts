import { fileURLToPath } from "node:url";
import { requireGuard } from "./guard-check.ts";
import { type Surroundings, startImdsgate } from "./imdsgate.ts";
import type { Lab, Place } from "./lab.ts";
import { startNginx } from "./nginx.ts";
import { startProgram } from "./program.ts";
import type { RequestName } from "./stated-answers.ts";

/** One server that is asked, each in a process of its own. */
export interface Contender {
  readonly name: ContenderName;
  readonly pid: number;
  /** Where it is asked. */
  readonly host: string;
  readonly port: number;
  /** Who asks it. */
  readonly from: Place;
  readonly asked: readonly RequestName[];
}

export type ContenderName = "direct" | "nginx" | "http-proxy" | "node:http" | "imdsgate" | "imdsgate, static workload";

/** What the contenders need: who asks, a directory that is removed afterwards, and who ends them. */
export interface Stage {
  readonly lab: Lab;
  readonly directory: string;
  readonly owner: AsyncDisposableStack;
}

const script = (name: string) => fileURLToPath(new URL(name, import.meta.url));

/** Starts the metadata service behind all of them, and gives its pid and port. */
export function startUpstream({ lab, owner }: Stage): Promise<{ readonly pid: number; readonly port: number }> {
  return startProgram({ command: [process.execPath, script("upstream.ts"), lab.serverHost] }, owner);
}

/** Starts all that stands in front of `upstream`. Without nginx on this machine it is left out. */
export async function startContenders(
  stage: Stage,
  upstream: { readonly pid: number; readonly port: number },
  surroundings: Surroundings,
): Promise<readonly Contender[]> {
  const { lab, owner } = stage;
  const start = (name: string, ...args: readonly string[]) => startProgram({ command: [process.execPath, script(name), ...args] }, owner);
  const httpProxy = await start("http-proxy-forwarder.ts", "exact", lab.serverHost, surroundings.target);
  const document = await start("bare-http.ts", "document", lab.serverHost);
  const forwarder = await start("bare-http.ts", "forwarder", lab.serverHost, `${upstream.port}`);
  const nginx = await startNginx(stage, surroundings.target);
  const imdsgate = await startImdsgate(surroundings, owner);
  await requireGuard(lab);

  const { web, statics, unbound } = lab;
  const both = ["cached credentials", "pass-through"] as const;
  const [firstStatic] = statics;
  const others = { host: lab.askedHost };
  const isContainer = firstStatic !== undefined && web !== firstStatic;
  return [
    { name: "direct", ...others, ...upstream, from: web, asked: both },
    ...(nginx ? [{ name: "nginx" as const, ...others, ...nginx, from: web, asked: both }] : []),
    { name: "http-proxy", ...others, ...httpProxy, from: web, asked: both },
    { name: "node:http", ...others, ...document, from: web, asked: ["cached credentials"] },
    { name: "node:http", ...others, ...forwarder, from: web, asked: ["pass-through"] },
    { name: "imdsgate", ...imdsgate, from: web, asked: [...both, "refused path"] },
    { name: "imdsgate", ...imdsgate, from: unbound, asked: ["refused, no role"] },
    ...(isContainer
      ? [{ name: "imdsgate, static workload" as const, ...imdsgate, from: firstStatic, asked: ["cached credentials"] as const }]
      : []),
  ];
}
