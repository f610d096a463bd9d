import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import type { NetConnectOpts } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";
import { vi } from "vitest";
import { startEcho } from "./echo.ts";

/** One HTTP implementation that reads what the gateway would forward. */
export interface Reader {
  readonly name: string;
  /** Its program; undefined where it is this process. */
  readonly program: string | undefined;
  /** Starts it on loopback or on a socket in a folder of its own; `stack` ends it. */
  readonly start: (stack: AsyncDisposableStack) => Promise<NetConnectOpts>;
}

export const NODE: Reader = {
  name: "node:http",
  program: undefined,
  async start(stack) {
    return { host: "127.0.0.1", port: await echoPort(stack) };
  },
};

export const GO: Reader = {
  name: "Go's net/http",
  program: "go",
  async start(stack) {
    const binary = join(folderOf(stack), "echo");
    const environment = { ...process.env, GOTOOLCHAIN: "local", GOPROXY: "off", GO111MODULE: "off" };
    await promisify(execFile)("go", ["build", "-o", binary, join(import.meta.dirname, "go-echo.go")], { env: environment });
    return { host: "127.0.0.1", port: await portToldBy(run(stack, binary, [])) };
  },
};

export const PYTHON: Reader = {
  name: "Python's http.server",
  program: "python3",
  async start(stack) {
    return { host: "127.0.0.1", port: await portToldBy(run(stack, "python3", ["-B", join(import.meta.dirname, "python-echo.py")])) };
  },
};

export const NGINX: Reader = {
  name: "nginx",
  program: "nginx",
  async start(stack) {
    const folder = folderOf(stack);
    const port = await echoPort(stack);
    writeFileSync(join(folder, "nginx.conf"), nginxConfig(folder, port));
    run(stack, "nginx", ["-p", folder, "-c", join(folder, "nginx.conf"), "-e", join(folder, "error.log")]);
    return listeningAt(join(folder, "front.sock"));
  },
};

export const HAPROXY: Reader = {
  name: "haproxy",
  program: "haproxy",
  async start(stack) {
    const folder = folderOf(stack);
    writeFileSync(join(folder, "haproxy.cfg"), haproxyConfig(folder, await echoPort(stack)));
    run(stack, "haproxy", ["-db", "-q", "-f", join(folder, "haproxy.cfg")]);
    return listeningAt(join(folder, "front.sock"));
  },
};

const PATH = `${process.env["PATH"]}:/usr/local/go/bin:/usr/local/sbin:/usr/sbin:/sbin`;

/** Whether the reader's program is on this machine. */
export function isInstalled({ program }: Reader): boolean {
  return program === undefined || PATH.split(":").some((folder) => existsSync(join(folder, program)));
}

/** nginx tells its own reading to the echo server behind it: the target as it came, and the path by which it chooses a location. */
function nginxConfig(folder: string, echo: number): string {
  return `
daemon off;
master_process off;
pid ${folder}/nginx.pid;
events { worker_connections 64; }
http {
  access_log off;
  client_body_temp_path ${folder}/body;
  proxy_temp_path ${folder}/proxy;
  fastcgi_temp_path ${folder}/fastcgi;
  uwsgi_temp_path ${folder}/uwsgi;
  scgi_temp_path ${folder}/scgi;
  large_client_header_buffers 4 32k;
  server {
    listen unix:${folder}/front.sock;
    location / {
      proxy_http_version 1.1;
      proxy_pass_request_headers off;
      proxy_set_header X-Front-Target $request_uri;
      proxy_set_header X-Front-Path $uri;
      proxy_pass http://127.0.0.1:${echo}/fixed;
    }
  }
}
`;
}

/** haproxy does likewise; it chooses by the path as it came. */
function haproxyConfig(folder: string, echo: number): string {
  return `
global
  maxconn 64
defaults
  mode http
  timeout connect 5s
  timeout client 5s
  timeout server 5s
frontend front
  bind unix@${folder}/front.sock
  http-request set-header X-Front-Target %[url]
  http-request set-uri /fixed
  http-request set-header Host echo
  default_backend echo
backend echo
  server echo 127.0.0.1:${echo}
`;
}

async function echoPort(stack: AsyncDisposableStack): Promise<number> {
  const echo = await startEcho();
  stack.defer(() => echo.close());
  return echo.port;
}

function folderOf(stack: AsyncDisposableStack): string {
  const folder = mkdtempSync(join(tmpdir(), "imdsgate-garden-"));
  stack.defer(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Starts a program that ends with the stack. */
function run(stack: AsyncDisposableStack, program: string, args: readonly string[]): ChildProcess {
  const child = spawn(program, args, { env: { ...process.env, PATH }, stdio: ["ignore", "pipe", "ignore"] });
  child.on("error", () => {});
  stack.defer(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const exit = once(child, "exit");
    child.kill("SIGKILL");
    await exit;
  });
  return child;
}

async function portToldBy({ stdout }: ChildProcess): Promise<number> {
  if (stdout) for await (const line of createInterface({ input: stdout })) return Number(line);
  throw new Error("the echo server ended before it said its port");
}

async function listeningAt(path: string): Promise<NetConnectOpts> {
  await vi.waitUntil(() => existsSync(path), { timeout: 10_000, interval: 20 });
  return { path };
}
