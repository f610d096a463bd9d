import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { onTestFinished } from "vitest";
import { endpointText } from "../../src/address.ts";
import { systemClock } from "../../src/clock.ts";
import type { RunningSts } from "../../src/sim/sts.ts";
import { rawRequest } from "../support/raw-request.ts";
import { testImds, testSts } from "../support/sims.ts";

/** A text that every secret of the stage's STS has in it. */
export const CANARY = "CanaryOfTheHandover";
const ROLE = "arn:aws:iam::111122223333:role/web-role";
const CLI = join(import.meta.dirname, "../../src/cli.ts");
/** Plays the service manager: a socket that listens is on descriptor 3; each line on stdin starts the program anew. */
const MANAGER = `while read -r _; do sh -c 'LISTEN_FDS=1 LISTEN_PID=$$ exec "$@"' - "$@"; echo "ended $?"; done`;
const ASK = "GET /latest/meta-data/iam/security-credentials/web-role HTTP/1.1\r\nHost: 169.254.169.254\r\n\r\n";

/** A gateway under a service manager that is played here, with an STS that counts. Its workload is this process. */
export interface UnitStage {
  readonly sts: RunningSts;
  /** Everything that the programs printed. */
  said(): string;
  /** What systemd-notify was told, a line each. */
  notes(): readonly string[];
  /** Starts the program, and waits until it is ready; gives its pid. */
  start(): Promise<number>;
  /** Waits for what `pattern` matches in what was said. */
  hears(pattern: RegExp): Promise<void>;
  /** The access key id that the workload is given now. */
  accessKeyId(): Promise<string>;
  /** The settings of the gateway that is started next, by anybody. */
  configure(yaml: string): void;
}

export const SETTINGS = `bind:
  - name:web=${ROLE}
workload:
  - web=127.0.0.1
`;

export async function startUnitStage(): Promise<UnitStage> {
  const sts = await testSts({ clock: systemClock, canary: CANARY });
  const imds = await testImds();
  const { port, descriptor, close } = await listeningSocket();
  const directory = mkdtempSync(join(tmpdir(), "imdsgate-unit-"));
  const settings = join(directory, "imdsgate.yaml");
  writeFileSync(settings, SETTINGS);
  writeNotifier(directory);
  const flags = ["--config", settings, "--listen", `127.0.0.1:${port}`, "--upstream", `http://${endpointText(imds.endpoint)}`];
  const surroundings = ["--rules", "none", "--runtime", "none", "--region", "eu-central-1", "--log-format", "json"];
  const program = [process.execPath, CLI, "run", ...flags, ...surroundings, "--sts-endpoint", `http://${endpointText(sts.endpoint)}`];
  const child = spawn("sh", ["-c", MANAGER, "-", ...program], {
    stdio: ["pipe", "pipe", "pipe", descriptor],
    detached: true,
    env: {
      PATH: `${directory}:${process.env["PATH"]}`,
      NOTIFY_SOCKET: "/nowhere",
      AWS_ACCESS_KEY_ID: "AKIAIOSFODNN7EXAMPLE",
      AWS_SECRET_ACCESS_KEY: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    },
  });
  onTestFinished(() => {
    process.kill(-(child.pid ?? 0), "SIGKILL");
    rmSync(directory, { recursive: true });
  });
  close();
  let said = "";
  for (const stream of [child.stdout, child.stderr]) stream?.setEncoding("utf8").on("data", (text: string) => (said += text));
  const notes = () => readFileSync(join(directory, "notes"), "utf8").split("\n").filter(Boolean);
  const hears = (pattern: RegExp) => until(() => pattern.test(said));
  return {
    sts,
    said: () => said,
    notes,
    hears,
    async start() {
      child.stdin?.write("\n");
      const before = notes().length;
      await until(() =>
        notes()
          .slice(before)
          .some((note) => note.includes("READY=1")),
      );
      const [, pid = ""] = /^(\d+) /.exec(notes()[before] ?? "") ?? [];
      return Number(pid);
    },
    async accessKeyId() {
      const { bytes } = await rawRequest({ host: "127.0.0.1", port }, ASK);
      return /"AccessKeyId" *: *"(\w+)"/.exec(bytes.toString())?.[1] ?? bytes.toString();
    },
    configure: (yaml) => writeFileSync(settings, yaml),
  };
}

/** Resolves when `seen` holds. Who waits for other processes leaves them the machine; the test's own limit ends a wait for ever. */
export async function until(seen: () => boolean): Promise<void> {
  while (!seen()) await delay(20);
}

async function listeningSocket() {
  const server = net.createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  const handle: unknown = Reflect.get(server, "_handle");
  return {
    port: address !== null && typeof address === "object" ? address.port : 0,
    descriptor: typeof handle === "object" && handle !== null ? Number(Reflect.get(handle, "fd")) : -1,
    /** From then on the manager alone holds it. */
    close: () => void server.close(),
  };
}

/** Stands for systemd-notify: notes who said what. */
function writeNotifier(directory: string): void {
  const file = join(directory, "systemd-notify");
  writeFileSync(join(directory, "notes"), "");
  writeFileSync(file, `#!/bin/sh\necho "$PPID $*" >>"${directory}/notes"\n`);
  chmodSync(file, 0o755);
}
