import { existsSync, readlinkSync, writeFileSync } from "node:fs";
import type { Endpoint } from "../address.ts";
import { endpointText } from "../address.ts";
import { runCommand } from "../run-command.ts";
import { CONTAINER_PROGRAM } from "./container.ts";
import { demoFailed } from "./failure.ts";
import { startImdsgate } from "./imdsgate-program.ts";
import { askInTurn } from "./question.ts";
import type { Speaker, Stage } from "./stage.ts";

const IMDS: Endpoint = { host: "169.254.169.254", port: 80 };
const STS: Endpoint = { host: "10.0.0.1", port: 80 };
const HOST_ADDRESS = "10.0.0.10";

/** Which network namespace this process is in. */
export function networkNamespace(): string {
  return readlinkSync("/proc/self/ns/net");
}

/**
 * Makes a container host out of this process's own network and mount namespaces, which must be new and empty, with containers and AWS in
 * further ones:
 *
 *     fluentd 172.31.0.2 ┐
 *     php     172.31.0.3 ┼ containers 172.31.0.1 ─ host ─ uplink 10.0.0.10 ── aws 10.0.0.1 (STS), 169.254.169.254 (IMDS)
 *     cron    172.31.0.4 ┘
 *
 * All of it ends with this process. Throws DEMO_FAILED.
 */
export async function setNamespaceStage(): Promise<Stage> {
  await using made = new AsyncDisposableStack();
  // For the lock of iptables and the names of namespaces.
  await must(["mount", "-t", "tmpfs", "tmpfs", "/run"]);
  await must(["ip", "-batch", "-"], HOST_NETWORK);
  writeFileSync("/proc/sys/net/ipv4/ip_forward", "1");
  await Promise.all([
    must(inside("aws", ["ip", "-batch", "-"]), AWS_NETWORK),
    ...Object.values(ADDRESSES).map(({ name, address }) => must(inside(name, ["ip", "-batch", "-"]), containerNetwork(address))),
  ]);
  for (const [service, at] of [
    ["imds", IMDS],
    ["sts", STS],
  ] as const) {
    made.use(await startImdsgate(["sim", service, "--listen", endpointText(at)], inside("aws", [])));
  }

  const owned = made.move();
  return {
    hasRedirect: true,
    containers: { fluentd: containerAt(ADDRESSES.fluentd), php: containerAt(ADDRESSES.php), cron: containerAt(ADDRESSES.cron) },
    host: { name: "the host", address: HOST_ADDRESS, ask: askInTurn },
    imds: IMDS,
    sts: STS,
    // Without IPv6 there is nothing to listen on for it.
    flags: existsSync("/proc/net/if_inet6") ? [] : ["--listen", "0.0.0.0:18169"],
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

const ADDRESSES = {
  fluentd: { name: "fluentd", address: "172.31.0.2" },
  php: { name: "php", address: "172.31.0.3" },
  cron: { name: "cron", address: "172.31.0.4" },
} as const;

const HOST_NETWORK = [
  "link set lo up",
  "netns add aws",
  "link add name uplink type veth peer name eth0 netns aws",
  `addr add ${HOST_ADDRESS}/24 dev uplink`,
  "link set uplink up",
  `route add default via ${STS.host}`,
  "link add name containers type bridge",
  "addr add 172.31.0.1/24 dev containers",
  "link set containers up",
  ...Object.values(ADDRESSES).flatMap(({ name }) => [
    `netns add ${name}`,
    `link add name to-${name} type veth peer name eth0 netns ${name}`,
    `link set to-${name} master containers up`,
  ]),
].join("\n");

const AWS_NETWORK = [
  "link set lo up",
  `addr add ${IMDS.host}/32 dev lo`,
  `addr add ${STS.host}/24 dev eth0`,
  "link set eth0 up",
  `route add 172.31.0.0/24 via ${HOST_ADDRESS}`,
].join("\n");

function containerNetwork(address: string): string {
  return ["link set lo up", `addr add ${address}/24 dev eth0`, "link set eth0 up", "route add default via 172.31.0.1"].join("\n");
}

function containerAt({ name, address }: { readonly name: string; readonly address: string }): Speaker {
  return {
    name,
    address,
    async ask(questions) {
      const answers = await must(inside(name, [process.execPath, CONTAINER_PROGRAM]), JSON.stringify(questions));
      return JSON.parse(answers);
    },
  };
}

/** By the file that `ip netns` made, so that /proc need not be of these namespaces. */
function inside(name: string, words: readonly string[]): readonly string[] {
  return ["nsenter", `--net=/run/netns/${name}`, ...words];
}

async function must([program = "", ...args]: readonly string[], input?: string): Promise<string> {
  const { exitCode, stdout, stderr } = await runCommand(program, args, input);
  if (exitCode === 0) return stdout;
  throw demoFailed(`"${[program, ...args].join(" ")}" failed: ${stderr.trim() || `exit code ${exitCode}`}`);
}
