import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type DockerHost, startDockerHost } from "../support/docker-host/docker-host.ts";
import { startRealImds, startSts } from "../support/docker-host/gateway.ts";
import { requestFor } from "../support/docker-host/metadata.ts";
import type { RunningProgram } from "../support/docker-host/running-program.ts";

const LIMIT_MS = 120_000;
const ROLE = "asker-role";
const CLI = join(import.meta.dirname, "../../src/cli.ts");

/** Plays the service manager: listens, and becomes the program that is named. */
const MANAGER = `
import os, socket, sys
listeners = []
for family, address in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):
    listener = socket.socket(family, socket.SOCK_STREAM)
    if family == socket.AF_INET6:
        listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    listener.bind((address, 18169))
    listener.listen(1024)
    listeners.append(listener)
for number, listener in enumerate(listeners):
    os.dup2(listener.fileno(), 20 + number)
for number in (0, 1):
    os.dup2(20 + number, 3 + number)
os.environ.update(LISTEN_FDS="2", LISTEN_PID=str(os.getpid()))
os.execv(sys.argv[1], sys.argv[1:])
`;

/** Stands for systemd-notify: notes who said what. While /run/deaf is there it fails for who wants to be the main process. */
const NOTIFIER = `#!/bin/sh
echo "$PPID $*" >>/run/notes
case "$*" in MAINPID*) [ ! -e /run/deaf ] ;; esac
`;

/** Asks for its role again and again, and counts what it is told. */
const ASKER = `
import collections, json, os, socket, time
told = collections.Counter()
while True:
    try:
        with socket.create_connection(("169.254.169.254", 80), 5) as connection:
            connection.sendall(${JSON.stringify(requestFor("/latest/meta-data/iam/security-credentials/"))}.encode())
            answer = b""
            while received := connection.recv(65536):
                answer += received
        said = answer.decode().split("\\r\\n\\r\\n")[-1] if b" 200 " in answer else "no role"
    except OSError as error:
        said = str(error)
    told[said] += 1
    with open("/told/new", "w") as file:
        json.dump(told, file)
    os.rename("/told/new", "/told/roles")
    time.sleep(0.01)
`;

describe("a gateway that hands over, with the bridge guard and a container that asks", () => {
  let host: DockerHost;
  let gateway: RunningProgram;
  const sh = (script: string) => host.run("bash", ["-c", script]);
  const log = () => gateway.stdout() + gateway.stderr();
  /** The process that said last that it is ready, once `count` of them have. */
  const mainPid = async (count: number) => {
    for (let k = 0; k < 12; k += 1) {
      const text = await sh(
        `for i in {1..40}; do [ "$(grep -c READY=1 /run/notes)" = ${count} ] && break; sleep 0.1; done; cat /run/notes`,
      );
      const lines = text.split("\n").filter((line) => line.includes("READY=1"));
      if (lines.length === count) return Number(lines.at(-1)?.split(" ")[0]);
    }
    throw new Error(`nobody became ready: ${log()}`);
  };
  /** By the address of a container in it. */
  const guardStands = () =>
    sh(
      "for i in {1..30}; do nft list table bridge imdsgate 2>/dev/null | grep -q 'elements = { 172' && echo stands && exit; sleep 0.1; done; echo gone",
    );

  beforeAll(async () => {
    host = await startDockerHost();
    await startRealImds(host);
    const sts = await startSts(host, "Canary0fTheTests");
    await sh("mkdir -p /run/told /run/bin && touch /run/notes");
    await host.run("bash", ["-c", "cat >/run/bin/systemd-notify && chmod +x /run/bin/systemd-notify"], NOTIFIER);
    const settings = ["--bind", `name:asker=${ROLE}`, "--account", "123456789012", "--sts-endpoint", sts, "--log-format", "json"];
    gateway = host.start("python3", ["-c", MANAGER, process.execPath, CLI, "run", ...settings], {
      PATH: `/run/bin:${process.env["PATH"]}`,
      NOTIFY_SOCKET: "/nowhere",
    });
    await gateway.printed(/"event":"ready"/);
    await host.docker("run", "--detach", "--volume", "/run/told:/told", "--name", "asker", "imdsgate-test", "python3", "-c", ASKER);
    await sh(`for i in {1..600}; do grep -q '${ROLE}' /run/told/roles 2>/dev/null && exit; sleep 0.05; done; exit 1`);
    expect(await guardStands()).toBe("stands\n");
  }, LIMIT_MS);
  afterAll(() => host.stop());

  test("no request fails, rules and guard stand, and nobody has to repair them", { timeout: LIMIT_MS }, async () => {
    const first = await mainPid(1);
    await sh(`kill -USR2 ${first}`);
    const second = await mainPid(2);
    await sh(`for i in {1..200}; do [ -e /proc/${first} ] || exit 0; sleep 0.05; done; exit 1`);
    expect(await guardStands()).toBe("stands\n");
    expect(log()).not.toContain("imdsgate.handover-failed");
    await sh(`touch /run/deaf; kill -USR2 ${second}`);
    await gateway.printed(/imdsgate.handover-failed/);
    expect(await guardStands()).toBe("stands\n");
    await sh(`kill -0 ${second}`);
    expect(Object.keys(JSON.parse(await sh("cat /run/told/roles")))).toEqual([ROLE]);
    expect(log()).not.toContain("rules-repaired");
    // Who does not get so far must not end the unit either.
    expect(await sh("cat /run/notes")).not.toContain("STOPPING");
  });
});
