import { onTestFinished } from "vitest";
import { bootDebian, CHECKOUT_NODE, type DebianHost, packageFile } from "./debian-host.ts";

/** The listing of roles, whose name is what a container is told of its own. */
export const ROLES = "/latest/meta-data/iam/security-credentials/";

const CONFIG = `bind:
  - name:web=web-role
workload:
  - web=172.30.0.2
  - batch=172.30.0.3
runtime: none
stsEndpoint: http://10.77.0.254:8090
`;

/** A Debian that has booted, ended with the test. */
export async function bareDebian(): Promise<DebianHost> {
  const host = await bootDebian();
  onTestFinished(host.stop);
  return host;
}

/** A Debian on which the package is installed and configured: `web` has a role, `batch` none. Nothing is started. */
export async function debianWithPackage(format: "deb" | "rpm" = "deb"): Promise<DebianHost> {
  const host = await bareDebian();
  await installPackage(host, format);
  await startSims(host);
  await host.sh(`cat >/etc/imdsgate/imdsgate.yaml <<'END'\n${CONFIG}END`);
  return host;
}

/** The same, with everything started as the page says. */
export async function debianWithGateway(format: "deb" | "rpm" = "deb"): Promise<DebianHost> {
  const host = await debianWithPackage(format);
  await host.sh("systemctl enable --now imdsgate-rules imdsgate");
  return host;
}

/** Gives what was said. The .rpm is made for others than Debian, whose packages have other names: `--nodeps`. */
export function installPackage(host: DebianHost, format: "deb" | "rpm"): Promise<string> {
  return host.sh(format === "deb" ? `dpkg -i ${packageFile("deb")}` : `rpm -i --nodeps ${packageFile("rpm")}`);
}

/** The real metadata service and STS, both simulated, outside of the host; run by the checkout, not by the package. */
async function startSims(host: DebianHost): Promise<void> {
  const sims = ["imds --listen 169.254.169.254:80", "sts --listen 10.77.0.254:8090"];
  const command = `exec ip netns exec outside ${CHECKOUT_NODE} /opt/checkout/src/cli.ts sim`;
  await Promise.all(sims.map((words) => host.start(`${command} ${words}`).printed(/"event":"ready"/)));
}

/** What the metadata service tells whoever is in the namespace of that name: the status, with a body that is one word; or why there was none. */
export async function askFrom(host: DebianHost, namespace: string, path: string): Promise<string> {
  const request = `GET ${path} HTTP/1.1\\r\\nHost: 169.254.169.254\\r\\nConnection: close\\r\\n\\r\\n`;
  const asking = `exec 3<>/dev/tcp/169.254.169.254/80 && printf '${request}' >&3 && cat <&3`;
  const { code, stdout } = await host.attempt(`exec timeout 2 ip netns exec ${namespace} bash -c "${asking}"`);
  if (code !== 0) return code === 124 ? "silence" : "no connection";
  const [head = "", body = ""] = stdout.split("\r\n\r\n");
  return `${head.slice(9, 12)} ${/^\S*$/.test(body) ? body : ""}`.trim();
}

/** What the askers were told, by how often. */
export interface Told {
  readonly told: Readonly<Record<string, number>>;
  readonly longestMs: number;
}

/** Has four askers in `web` ask for `path` without end while `act` runs. */
export async function whileAsked(host: DebianHost, act: () => Promise<void>, path = ROLES): Promise<Told> {
  const asker = host.start(
    `mkfifo /tmp/asking; exec ip netns exec web ${CHECKOUT_NODE} /opt/checkout/test/packages/asker.ts 4 ${path} <>/tmp/asking`,
  );
  await asker.printed(/^asking$/m);
  await act();
  await host.sh("echo >/tmp/asking");
  const [line] = await asker.printed(/^\{"told".*\}$/m);
  await host.sh("rm /tmp/asking");
  return JSON.parse(line);
}

/** Waits until the gateway has been restarted by systemd `times` times, and is ready again. */
export async function restarted(host: DebianHost, times: number): Promise<void> {
  const state = "systemctl show -P NRestarts -P SubState imdsgate | xargs";
  await host.sh(`for i in $(seq 200); do [ "$(${state})" = "${times} running" ] && exit 0; sleep 0.05; done; ${state}; exit 1`);
}
