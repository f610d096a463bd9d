import type { Argv } from "yargs";
import { parseConfig } from "../config/config.ts";
import { type Finding, findingsOf } from "../doctor/findings.ts";
import { lookAtHost } from "../doctor/look.ts";
import { runCommand } from "../run-command.ts";
import { createWorld } from "../world.ts";
import type { Command } from "./command.ts";

/** What `doctor` is told on the command line; all but `json` are settings of `run`. */
export interface DoctorArguments {
  readonly json: boolean;
  readonly [flag: string]: unknown;
}

/** `imdsgate doctor`: looks at this host and says what is wrong, and what helps. */
export const doctorCommand: Command<DoctorArguments> = {
  builder: buildDoctor,
  async run({ json, ...flags }, io) {
    // No listener is opened here, so none can be unprotected.
    const config = parseConfig({ flags: { ...flags, "listen-unprotected": true }, environment: io.environment });
    const { runtime, clock } = createWorld(config);
    const host = await lookAtHost(config, { run: runCommand, clock, runtime, signal: io.signal, node: process.versions.node });
    const findings = findingsOf(host);
    const failed = findings.filter(({ outcome }) => outcome === "fail").length;
    const warned = findings.filter(({ outcome }) => outcome === "warn").length;
    const document = { schema: "imdsgate/doctor/v1", checks: findings, failed, warned };
    io.out(json ? `${JSON.stringify(document)}\n` : `${findings.map(textOf).join("")}${failed} failed, ${warned} to look at\n`);
    return failed === 0 ? 0 : 1;
  },
};

function buildDoctor(yargs: Argv): Argv<DoctorArguments> {
  const text = (describe: string) => ({ type: "string", requiresArg: true, describe }) as const;
  return yargs
    .usage(
      "imdsgate doctor\n\nLooks at this host and says, check by check, what is right, what to look at and what is wrong, with what helps.\nIt changes nothing. Exit code 1 when a check failed.",
    )
    .option("json", { type: "boolean", default: false, describe: "One JSON document" })
    .option("rules", text("BACKEND: auto, nftables, iptables, external or none, as imdsgate run is given it [default: auto]"))
    .option("interface", { ...text("GLOB: as imdsgate run is given it. Repeatable"), array: true })
    .option("runtime", text("NAME: docker, podman or none [default: docker]"))
    .option(
      "docker-socket",
      text(
        "PATH: the unix socket of Docker, or of Podman [default: /var/run/docker.sock, or DOCKER_HOST; with --runtime podman /run/podman/podman.sock]",
      ),
    )
    .option("host-role", { ...text("SELECTOR: as imdsgate run is given it. Repeatable"), array: true })
    .option("proc-root", text("DIR: where the host's /proc is [default: /proc]"))
    .option("config", text("The file that imdsgate run is given"))
    .example("sudo $0 doctor", "everything; without root the kernel's rules can not be seen")
    .example("$0 doctor --json | jq '.checks[] | select(.outcome != \"ok\")'", "what is not right, for a program");
}

/** One check as people read it: outcome, code, what was found, and below it what helps. */
function textOf({ code, outcome, detail, fix }: Finding): string {
  const label = outcome === "fail" ? "FAIL" : outcome;
  return [`${label.padEnd(5)} ${code.padEnd(15)} ${detail}`, ...fix.map((line) => `      fix  ${line}`), ""].join("\n");
}
