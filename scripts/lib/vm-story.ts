import { SIM_INSTANCE_ROLE } from "../../src/sim/instance-facts.ts";
import { buildOnHost } from "./vm-builds.ts";
import { type Containers, startContainers } from "./vm-containers.ts";
import type { Accelerator, Machine } from "./vm-machine.ts";
import { STS } from "./vm-outside.ts";

/** Does one step of the story; what it shows comes back, a line or a few. It rejects where that is not as it should be. */
export type TellStep = (name: string, act: () => Promise<string>) => Promise<void>;

const KILLS = 2;
const ANSWERS = 3;
const RESTARTS = "systemctl show --property NRestarts --value imdsgate";
const CONFIG = `bind:
  - name:fluentd=fluentd-role
  - name:php=php-role
  - name:agent=agent-role
stsEndpoint: http://${STS}
`;
/** The computed processor is so slow that the units' limits, meant for a machine that hangs, would end what works. */
const PATIENCE: Readonly<Record<string, string>> = {
  imdsgate: "TimeoutStartSec=300\\nWatchdogSec=120",
  "imdsgate-rules": "TimeoutStartSec=300",
};

const RULES = [
  "nft --stateless list ruleset",
  ...["iptables-save", "ip6tables-save", "iptables-legacy-save", "ip6tables-legacy-save"].map(
    (save) => `${save} 2>/dev/null | grep -v '^#' | sed 's/\\[.*\\]//'`,
  ),
  "ip rule",
  "ip -4 route",
  "ip -6 route | grep -v veth | sed 's/ expires .*//'",
  "sysctl net.ipv4.ip_forward net.ipv6.conf.all.forwarding net.ipv4.conf.all.route_localnet net.ipv4.conf.default.route_localnet",
].join("; ");
const FILES = "find /boot /etc /usr /var/lib/imdsgate /run/imdsgate -xdev ! -path '/etc/*-' 2>/dev/null | sort";
const ACCOUNTS = "cat /etc/passwd /etc/group /etc/shadow /etc/gshadow";
/** What a host is to imdsgate: its rules, files and accounts, each in a file of its own below /root. */
const look = (when: string): string =>
  Object.entries({ rules: RULES, files: FILES, accounts: ACCOUNTS })
    .map(([what, lines]) => `{ ${lines}; } >/root/${what}.${when}`)
    .join("; ");

/** The story of one host, from its first boot to the one after imdsgate is gone. */
export async function tellStory(machine: Machine, accelerator: Accelerator, step: TellStep): Promise<void> {
  await step("the machine", () => describe(machine, accelerator));
  let containers: Containers | undefined;
  await step("four containers, one on the host's network, no imdsgate: they have the host's role", async () => {
    containers = await startContainers(machine);
    return containers.served(ANSWERS, "the real service", 0);
  });
  await step("a build on the host's network has it too", () => buildOnHost(machine, "the real service"));
  if (!containers) return;
  await tellInstallation(machine, containers, step);
  await tellTroubles(machine, containers, step);
  await tellRemoval(machine, containers, step);
}

async function describe(machine: Machine, accelerator: Accelerator): Promise<string> {
  await machine.sh("systemctl is-system-running --wait || { systemctl --failed --no-legend; exit 1; }");
  if (accelerator === "tcg")
    for (const [unit, lines] of Object.entries(PATIENCE)) {
      const folder = `/etc/systemd/system/${unit}.service.d`;
      await machine.sh(`mkdir -p ${folder} && printf '[Service]\\n${lines}\\n' >${folder}/patience.conf`);
    }
  return machine.sh("uname -r; systemctl --version | head -n 1; docker --version; nft --version; systemd-analyze | head -n 1");
}

async function tellInstallation(machine: Machine, containers: Containers, step: TellStep): Promise<void> {
  await step("install the .deb", async () => {
    await machine.sh(look("before"));
    await machine.sh("dpkg --install /opt/story/imdsgate.deb");
    await expectText(machine, "systemctl is-active imdsgate imdsgate.socket imdsgate-rules | xargs", "inactive inactive inactive");
    return machine.sh("dpkg-query --show imdsgate; imdsgate version");
  });
  await step("configure and start it", async () => {
    await machine.sh(`cat >/etc/imdsgate/imdsgate.yaml <<'END'\n${CONFIG}END`);
    await machine.sh("systemctl enable --now imdsgate-rules imdsgate");
    await containers.skip();
    return machine.sh("systemctl show --property StatusText --value imdsgate");
  });
  await step("fluentd, php and the agent have their roles, cron none", async () => {
    const said = await containers.served(ANSWERS, "imdsgate");
    const credentials = await documents(machine);
    return `${said}\n${credentials}`;
  });
  await step("a build on the host's network has none", () => buildOnHost(machine, "imdsgate"));
}

/** What the containers are given when they ask for the credentials of a role, theirs and the host's. */
async function documents(machine: Machine): Promise<string> {
  const keyOf = async (name: string, role: string): Promise<string> => {
    const request = `GET /latest/meta-data/iam/security-credentials/${role} HTTP/1.1\\r\\nHost: 169.254.169.254\\r\\n\\r\\n`;
    const asking = `exec 3<>/dev/tcp/169.254.169.254/80; printf '${request}' >&3; cat <&3`;
    const answer = await machine.sh(`docker exec ${name} bash -c "${asking}"`);
    return /"AccessKeyId" ?: ?"(\w+)"/.exec(answer)?.[1] ?? answer.slice(9, 12);
  };
  const keys = [
    await keyOf("fluentd", "fluentd-role"),
    await keyOf("php", "php-role"),
    await keyOf("cron", SIM_INSTANCE_ROLE.name),
  ] as const;
  const [fluentd, php, cron] = keys;
  const areGood =
    [fluentd, php].every((key) => key.startsWith("ASIA") && key !== SIM_INSTANCE_ROLE.credentials.accessKeyId) && fluentd !== php;
  if (!areGood || cron !== "404") throw new Error(`the containers were given ${keys.join(", ")}`);
  return `access keys: fluentd ${fluentd}, php ${php}; cron asked for the host's and was told ${cron}`;
}

async function tellTroubles(machine: Machine, containers: Containers, step: TellStep): Promise<void> {
  await step("reboot: the rules stand before the first container", async () => {
    await machine.reboot("systemctl reboot");
    const said = await containers.served(ANSWERS, "imdsgate", await bootedAt(machine));
    return `${said}\n${await orderAtBoot(machine)}`;
  });
  await step(`kill -9, ${KILLS} times`, async () => {
    for (let count = 1; count <= KILLS; count += 1) {
      const restarts = Number(await machine.sh(RESTARTS));
      await machine.sh("systemctl kill --signal KILL --kill-whom main imdsgate");
      const isBack = `[ "$(${RESTARTS})" -gt ${restarts} ] && [ "$(systemctl show --property SubState --value imdsgate)" = running ]`;
      await machine.sh(`for i in $(seq 200); do ${isBack} && exit 0; sleep 0.5; done; systemctl status imdsgate; exit 1`);
      await containers.served(1, "imdsgate");
    }
    return containers.served(ANSWERS, "imdsgate");
  });
  await step("upgrade to a newer .deb, while they ask", async () => {
    const started = "systemctl show --property ExecMainStartTimestampMonotonic --value imdsgate";
    const before = await machine.sh(started);
    await machine.sh("dpkg --install /opt/story/newer.deb");
    if (Number(await machine.sh(started)) <= Number(before)) throw new Error("the upgrade did not start it anew");
    const said = await containers.served(ANSWERS, "imdsgate");
    return `${await machine.sh("dpkg-query --show imdsgate")}; ${said}`;
  });
}

async function tellRemoval(machine: Machine, containers: Containers, step: TellStep): Promise<void> {
  await step("all that they were told while it was there", async () => {
    await containers.served(1, "imdsgate");
    return containers.summary();
  });
  await step("remove it: the host is as before, and they have the host's role", async () => {
    await machine.sh("dpkg --purge imdsgate");
    await machine.sh(look("after"));
    await machine.sh("for what in rules files accounts; do diff /root/$what.before /root/$what.after || exit 1; done");
    const sizes = await machine.sh("cd /root && wc -l rules.after files.after | head -n 2 | xargs");
    return `${await containers.served(ANSWERS, "the real service")}\nnothing differs: ${sizes}`;
  });
  await step("reboot without it: they have the host's role from the first moment", async () => {
    await machine.reboot("systemctl reboot");
    return containers.served(ANSWERS, "the real service", await bootedAt(machine));
  });
}

/** When the machine began to boot, by its own clock in milliseconds. */
async function bootedAt(machine: Machine): Promise<number> {
  return Number(await machine.sh("sed -n 's/^btime //p' /proc/stat")) * 1000;
}

/** When each came after the kernel's start, in seconds. Throws when the rules were not the first. */
async function orderAtBoot(machine: Machine): Promise<string> {
  await machine.sh("systemctl is-system-running --wait || { systemctl --failed --no-legend; exit 1; }");
  const monotonic = async (unit: string, property: string): Promise<number> =>
    Number(await machine.sh(`systemctl show --property ${property}TimestampMonotonic --value ${unit}`)) / 1e6;
  const rules = await monotonic("imdsgate-rules", "ActiveEnter");
  const docker = await monotonic("docker", "ExecMainStart");
  const gateway = await monotonic("imdsgate", "ActiveEnter");
  const now = Number(await machine.sh("awk '{ print $1 }' /proc/uptime")) * 1000;
  const clock = Number(await machine.sh("date +%s%3N"));
  const started = await machine.sh("docker inspect --format '{{.State.StartedAt}}' fluentd php cron agent");
  const container = (Math.min(...started.split("\n").map((text) => Date.parse(text))) - clock + now) / 1000;
  const said = `after the kernel's start: rules ${rules.toFixed(1)} s, dockerd ${docker.toFixed(1)} s, first container ${container.toFixed(1)} s, gateway ready ${gateway.toFixed(1)} s`;
  if (!(rules > 0 && rules <= docker && docker < container)) throw new Error(said);
  return said;
}

async function expectText(machine: Machine, line: string, wanted: string): Promise<void> {
  const said = await machine.sh(line);
  if (said !== wanted) throw new Error(`${line}: "${said}", where "${wanted}" is expected`);
}
