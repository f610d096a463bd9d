import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { rawRequest } from "../test/support/raw-request.ts";
import { startDockerStub } from "./docker-stub.ts";
import type { Lab } from "./lab.ts";
import { PATH } from "./own-network.ts";
import { spawnOwned, startProgram } from "./program.ts";
import { ROLE_NAME } from "./stated-answers.ts";

/** One server that is asked, each in a process of its own. */
export interface Contender {
  readonly name: ContenderName;
  readonly pid: number;
  readonly port: number;
  /** The addresses that it is asked from. */
  readonly from: readonly string[];
}

export type ContenderName = "direct" | "nginx" | "http-proxy" | "imdsgate" | "imdsgate, static workload";

/** What the contenders need: who asks, a directory that is removed afterwards, and who ends them. */
export interface Stage {
  readonly lab: Lab;
  readonly directory: string;
  readonly owner: AsyncDisposableStack;
}

const CLI = fileURLToPath(new URL("../src/cli.ts", import.meta.url));
const UPSTREAM = fileURLToPath(new URL("upstream.ts", import.meta.url));
const FORWARDER = fileURLToPath(new URL("http-proxy-forwarder.ts", import.meta.url));
const NGINX = "nginx";
const START_TRIES = 200;
const START_STEP_MS = 25;

/** Starts all of them behind one another's back: the metadata service, and what stands in front of it. Without nginx on this machine it is left out. */
export async function startContenders(stage: Stage): Promise<readonly Contender[]> {
  const { lab, owner } = stage;
  const upstream = await startProgram({ command: [process.execPath, UPSTREAM, lab.serverHost] }, owner);
  const target = `http://${lab.serverHost}:${upstream.port}`;
  const forwarder = [process.execPath, FORWARDER, "exact", lab.serverHost, target];
  const httpProxy = await startProgram({ command: forwarder }, owner);
  const nginx = await startNginx(stage, target);
  const imdsgate = await startImdsgate(stage, target);

  const from = lab.containerAddresses.length > 0 ? lab.containerAddresses : lab.staticAddresses;
  const isContainer = from === lab.containerAddresses;
  return [
    { name: "direct", ...upstream, from },
    ...(nginx ? [{ name: "nginx" as const, ...nginx, from }] : []),
    { name: "http-proxy", ...httpProxy, from },
    ...(isContainer ? [{ name: "imdsgate" as const, ...imdsgate, from }] : []),
    { name: isContainer ? "imdsgate, static workload" : "imdsgate", ...imdsgate, from: lab.staticAddresses },
  ];
}

/** The version of the nginx on this machine; undefined where there is none. */
export function nginxVersion(): string | undefined {
  const { status, stderr } = spawnSync(NGINX, ["-v"], { env: { PATH }, encoding: "utf8" });
  return status === 0 ? /nginx\/(\S+)/.exec(stderr)?.[1] : undefined;
}

/** A plain reverse proxy: one process, no access log, and as IMDS does, one request a connection. */
async function startNginx({ lab, directory, owner }: Stage, target: string): Promise<{ pid: number; port: number } | undefined> {
  if (nginxVersion() === undefined) return undefined;
  const port = await freePort(lab.serverHost);
  const places = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((name) => `${name}_temp_path ${directory}/nginx-${name};`);
  const lines = [
    "user root; daemon off; master_process off; pid nginx.pid; error_log stderr;",
    "events { worker_connections 1024; }",
    "http {",
    ...places,
    "access_log off; keepalive_timeout 0;",
    `server { listen ${lab.serverHost}:${port} backlog=1024; location / { proxy_pass ${target}; } }`,
    "}",
  ];
  writeFileSync(`${directory}/nginx.conf`, lines.join("\n"));
  const command = [NGINX, "-p", directory, "-c", `${directory}/nginx.conf`, "-e", "stderr"];
  const logPath = `${directory}/nginx.log`;
  const { pid } = spawnOwned({ command, environment: { PATH }, logPath }, owner);
  for (let attempt = 0; attempt < START_TRIES; attempt += 1) {
    const { ending, bytes } = await rawRequest({ host: lab.serverHost, port }, "GET / HTTP/1.0\r\n\r\n");
    if (ending === "end" && bytes.length > 0) return { pid: pid ?? 0, port };
    await sleep(START_STEP_MS);
  }
  throw new Error(`nginx does not listen: ${readFileSync(logPath, "utf8").slice(-2_000)}`);
}

/** The daemon as on a host, its containers told of by a Docker socket and attested by the kernel; its log, with a line for each vend, goes to a file. */
async function startImdsgate({ lab, directory, owner }: Stage, target: string): Promise<{ pid: number; port: number }> {
  const sts = await startProgram({ command: [process.execPath, CLI, "sim", "sts", "--listen", "127.0.0.1:0"] }, owner);
  const socketPath = `${directory}/docker.sock`;
  const isContainer = lab.containerAddresses.length > 0;
  if (isContainer) await startDockerStub(socketPath, { name: "web", pid: lab.clientPid, addresses: lab.containerAddresses }, owner);
  const flags: readonly (readonly [string, string])[] = [
    ["--rules", "none"],
    ...(isContainer ? ([["--docker-socket", socketPath]] as const) : ([["--runtime", "none"]] as const)),
    ["--listen", `${lab.serverHost}:0`],
    ["--upstream", target],
    ["--sts-endpoint", `http://127.0.0.1:${sts.port}`],
    ["--account", "111111111111"],
    ["--region", "eu-central-1"],
    ["--bind", `name:web*=${ROLE_NAME}`],
    ["--log-format", "json"],
    ...lab.staticAddresses.map((address, index) => ["--workload", `web-static-${index}=${address}`] as const),
  ];
  const command = [process.execPath, CLI, "run", ...flags.flat(), ...(isContainer ? ["--listen-unprotected"] : [])];
  const environment = { PATH, AWS_ACCESS_KEY_ID: "AKIABENCHMARK0000000", AWS_SECRET_ACCESS_KEY: "base", AWS_EC2_METADATA_DISABLED: "true" };
  return startProgram({ command, environment, logPath: `${directory}/imdsgate.log` }, owner);
}

async function freePort(host: string): Promise<number> {
  const server = createServer().listen(0, host);
  await once(server, "listening");
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return address !== null && typeof address === "object" ? address.port : 0;
}
