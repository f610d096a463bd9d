import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { rawRequest } from "../test/support/raw-request.ts";
import type { Stage } from "./contenders.ts";
import { PATH } from "./own-network.ts";
import { spawnOwned } from "./program.ts";

const NGINX = "nginx";
const START_TRIES = 200;
const START_STEP_MS = 25;

/** The version of the nginx on this machine; undefined where there is none. */
export function nginxVersion(): string | undefined {
  const { status, stderr } = spawnSync(NGINX, ["-v"], { env: { PATH }, encoding: "utf8" });
  return status === 0 ? /nginx\/(\S+)/.exec(stderr)?.[1] : undefined;
}

/** A plain reverse proxy to `target`: one process, no access log, and as IMDS does, one request a connection. */
export async function startNginx({ lab, directory, owner }: Stage, target: string): Promise<{ pid: number; port: number } | undefined> {
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

async function freePort(host: string): Promise<number> {
  const server = createServer().listen(0, host);
  await once(server, "listening");
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return address !== null && typeof address === "object" ? address.port : 0;
}
