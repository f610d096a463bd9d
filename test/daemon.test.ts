import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test } from "vitest";
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
