import { spawn } from "node:child_process";
import { once } from "node:events";
import net from "node:net";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { rawRequest } from "../support/raw-request.ts";
import { answering, startRawUpstream } from "../support/raw-upstream.ts";
import { until } from "./open-request.ts";

const GET = "GET /latest/meta-data/ami-id HTTP/1.1\r\nHost: a\r\n\r\n";
const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi";
const CLI = join(import.meta.dirname, "../../src/cli.ts");

/** Plays the service manager: holds a socket that listens on descriptor 3, and starts a gateway, one after the other, for each line on stdin. */
const MANAGER = `while read -r _; do sh -c 'echo "pid $$"; LISTEN_FDS=1 LISTEN_PID=$$ exec "$@"' - "$@"; echo "ended $?"; done`;

interface Manager {
  readonly port: number;
  /** Starts a gateway and waits until it is ready; gives what ends it, and waits until it has ended. */
  start(): Promise<() => Promise<void>>;
  /** Starts a gateway that is to fail; gives what it says, with its exit code at the end. */
  fail(): Promise<string>;
}

async function startManager(upstream: string, listenAt = (port: number) => `127.0.0.1:${port}`): Promise<Manager> {
  const server = net.createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  const port = address !== null && typeof address === "object" ? address.port : 0;
  const handle: unknown = Reflect.get(server, "_handle");
  const descriptor = typeof handle === "object" && handle !== null ? Number(Reflect.get(handle, "fd")) : -1;
  const settings = ["--rules", "none", "--runtime", "none", "--region", "eu-central-1", "--account", "111122223333"];
  const gateway = [process.execPath, CLI, "run", "--listen", listenAt(port), "--upstream", upstream, ...settings];
  const child = spawn("sh", ["-c", MANAGER, "-", ...gateway], { stdio: ["pipe", "pipe", "pipe", descriptor], detached: true });
  onTestFinished(() => void process.kill(-(child.pid ?? 0), "SIGKILL"));
  // From now on the manager alone holds it.
  server.close();
  let said = "";
  for (const stream of [child.stdout, child.stderr]) stream?.setEncoding("utf8").on("data", (text: string) => (said += text));
  const hears = async (pattern: RegExp) => {
    await until(() => pattern.test(said));
    return pattern.exec(said)?.[1] ?? "";
  };
  return {
    port,
    async start() {
      said = "";
      child.stdin?.write("\n");
      await hears(/^ready 127/m);
      const pid = Number(await hears(/^pid (\d+)$/m));
      return async () => {
        process.kill(pid);
        await hears(/^ended 0$/m);
      };
    },
    async fail() {
      child.stdin?.write("\n");
      await hears(/^ended \d+$/m);
      return said;
    },
  };
}

test("a socket that was left to the gateway keeps what is asked while none runs, and refuses nothing", async () => {
  const upstream = await startRawUpstream(() => answering(OK));
  const manager = await startManager(`http://127.0.0.1:${upstream.endpoint.port}`);
  const gateway = { host: "127.0.0.1", port: manager.port };
  for (let count = 0; count < 3; count += 1) {
    const early = rawRequest(gateway, GET);
    const stop = await manager.start();
    expect((await early).bytes.toString()).toBe(OK);
    expect((await rawRequest(gateway, GET)).bytes.toString()).toBe(OK);
    await stop();
  }
});

test("a socket that is not where the configuration wants it is a clear error", async () => {
  const manager = await startManager("http://127.0.0.1:9", () => "127.0.0.1:1");
  const said = await manager.fail();
  expect(said).toContain(`the sockets of the socket unit are 127.0.0.1:${manager.port}, the configuration says --listen 127.0.0.1:1: `);
  expect(said).toMatch(/\[LISTEN_FAILED\]\n[\s\S]*^ended 1$/m);
});
