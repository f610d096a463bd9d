import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test } from "vitest";
import { parseConfig } from "../src/config/config.ts";
import { createDaemon } from "../src/daemon.ts";
import type { ImdsgateEvent } from "../src/events.ts";
import type { RunCommand } from "../src/run-command.ts";
import { createWorld } from "../src/world.ts";
import { rawRequest } from "./support/raw-request.ts";
import { startRawUpstream } from "./support/raw-upstream.ts";
import { startTestDaemon } from "./support/test-daemon.ts";

const CLI = fileURLToPath(new URL("../src/cli.ts", import.meta.url));

/** Starts `imdsgate run` with `flags`, and gives what it printed when it has ended. */
async function runToItsEnd(flags: readonly string[]): Promise<{ exitCode: number | null; stdout: string; stderr: string }> {
  const child = spawn(process.execPath, [CLI, "run", ...flags], { stdio: ["ignore", "pipe", "pipe"] });
  onTestFinished(() => void child.kill("SIGKILL"));
  const text = { stdout: "", stderr: "" };
  child.stdout.on("data", (bytes: Buffer) => (text.stdout += bytes));
  child.stderr.on("data", (bytes: Buffer) => (text.stderr += bytes));
  await once(child, "close");
  return { exitCode: child.exitCode, ...text };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  return address !== null && typeof address === "object" ? address.port : 0;
}

test("an upstream that is the gateway itself is a start error", async () => {
  const port = await freePort();
  const flags = ["--rules", "none", "--runtime", "none", "--listen", `127.0.0.1:${port}`, "--upstream", `http://127.0.0.1:${port}`];
  const { exitCode, stdout, stderr } = await runToItsEnd([...flags, "--region", "eu-central-1", "--account", "111122223333"]);
  expect(exitCode).toBe(1);
  expect(stdout).toBe("");
  expect(stderr).toContain(
    `imdsgate: --upstream http://127.0.0.1:${port} leads back to this gateway: name the real IMDS there  [UPSTREAM_IS_SELF]`,
  );
});

test("a runtime that is not there is no start error: it is told, and nobody is known", async () => {
  const upstream = await startRawUpstream(() => () => {});
  const daemon = await startTestDaemon({
    upstream: `http://127.0.0.1:${upstream.endpoint.port}`,
    runtime: "docker",
    "docker-socket": "/nowhere/docker.sock",
  });
  while (!daemon.events.some(({ kind }) => kind === "runtime-disconnected")) await new Promise((resolve) => setImmediate(resolve));
  expect(daemon.events.filter(({ kind }) => kind.startsWith("runtime"))).toEqual([
    { kind: "runtime-disconnected", runtime: "docker", message: expect.stringContaining("/nowhere/docker.sock") },
  ]);
});

test("the log of a run stands in the order of its life", async () => {
  const daemon = await startTestDaemon({ duration: "900" });
  await daemon.stop();
  expect(daemon.events.map(({ kind }) => kind)).toEqual(["starting", "config-warning", "host-facts", "stopping"]);
});

test("asked to stop while the rules go in, it ends after that step: no room begins, and nothing is listened to", async () => {
  const loading = Promise.withResolvers<void>();
  const loaded = Promise.withResolvers<void>();
  const scripts: string[] = [];
  const runCommand: RunCommand = async (program, args, input) => {
    if (program === "nft" && args[0] === "-f") {
      scripts.push(input ?? "");
      loading.resolve();
      await loaded.promise;
    }
    const isMissing = !["nft", "ip"].includes(program);
    return { exitCode: isMissing ? undefined : 0, stdout: program === "ip" ? "[]" : "", stderr: "", isMissing };
  };
  const config = parseConfig({
    flags: { rules: "nftables", runtime: "none", upstream: "http://127.0.0.1:9", region: "eu-central-1" },
    environment: {},
  });
  const events: ImdsgateEvent[] = [];
  const daemon = createDaemon(config, { ...createWorld(config), runCommand }, (event) => events.push(event), "0.0.0");
  const started = daemon.start();
  await loading.promise;
  const stopped = daemon.stop("asked to");
  loaded.resolve();
  await Promise.all([started, stopped]);
  expect(events.map(({ kind }) => kind)).toEqual(["starting", "rules-chosen", "stopping", "rules-applied"]);
  expect(scripts).toHaveLength(1);
  expect(daemon.listening()).toEqual([]);
});

test("a log that nobody reads keeps it neither from answering nor from ending with 0", async () => {
  const upstream = await startRawUpstream(() => () => {});
  const flags = [
    "--rules",
    "none",
    "--runtime",
    "none",
    "--listen",
    "127.0.0.1:0",
    "--upstream",
    `http://127.0.0.1:${upstream.endpoint.port}`,
  ];
  const child = spawn(process.execPath, [CLI, "run", ...flags, "--region", "eu-central-1"], { stdio: ["ignore", "pipe", "pipe"] });
  onTestFinished(() => void child.kill("SIGKILL"));
  const [ready] = await once(child.stdout, "data");
  const [, port] = /^ready 127\.0\.0\.1:(\d+) /.exec(String(ready)) ?? [];
  const path = `/latest/../${"x".repeat(200)}`;
  for (let k = 0; k < 500; k++) {
    const { bytes } = await rawRequest({ host: "127.0.0.1", port: Number(port) }, `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`);
    expect(bytes.subarray(0, 12).toString()).toBe("HTTP/1.1 404");
  }
  child.kill("SIGTERM");
  expect(await once(child, "exit")).toEqual([0, null]);
});
