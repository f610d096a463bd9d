import { existsSync, readlinkSync, writeFileSync } from "node:fs";
import type { Endpoint } from "../address.ts";
import { endpointText } from "../address.ts";
import { runCommand } from "../run-command.ts";
import type { Answer, Question } from "./question.ts";
import { ask } from "./question.ts";
import { CONTAINER_PROGRAM, demoFailed, type Speaker, type Stage, startImdsgate } from "./stage.ts";

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
  const services = await Promise.allSettled([startService("imds", IMDS), startService("sts", STS)]);
  for (const service of services) if (service.status === "fulfilled") made.defer(() => void service.value.stop());
  for (const service of services) if (service.status === "rejected") throw service.reason;

  const owned = made.move();
  return {
    about: "The containers are network namespaces, made for this demonstration and gone with it. No AWS, no Docker, no root.",
    hasRedirect: true,
    containers: { fluentd: containerAt(ADDRESSES.fluentd), php: containerAt(ADDRESSES.php), cron: containerAt(ADDRESSES.cron) },
    host: { name: "the host", address: HOST_ADDRESS, ask: askFromHere },
    imds: IMDS,
    metadataAt: () => IMDS,
    sts: STS,
    flags: [
      ...Object.values(ADDRESSES).flatMap(({ name, address }) => ["--workload", `${name}=${address}`]),
      ...["--runtime", "none", "--sts-endpoint", `http://${endpointText(STS)}`],
      ...(existsSync("/proc/net/if_inet6") ? [] : ["--listen", "0.0.0.0:18169"]),
    ],
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
  "link add uplink type veth peer name eth0 netns aws",
  `addr add ${HOST_ADDRESS}/24 dev uplink`,
  "link set uplink up",
  `route add default via ${STS.host}`,
  "link add containers type bridge",
  "addr add 172.31.0.1/24 dev containers",
  "link set containers up",
  ...Object.values(ADDRESSES).flatMap(({ name }) => [
    `netns add ${name}`,
    `link add to-${name} type veth peer name eth0 netns ${name}`,
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

function startService(service: "imds" | "sts", at: Endpoint) {
  return startImdsgate(["sim", service, "--listen", endpointText(at)], inside("aws", [])).then(({ program }) => program);
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

async function askFromHere(questions: readonly Question[]): Promise<readonly Answer[]> {
  const answers: Answer[] = [];
  for (const question of questions) answers.push(await ask(question));
  return answers;
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
