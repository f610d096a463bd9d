import { expect, test } from "vitest";
import { type DebianHost, packageFile } from "./debian-host.ts";
import { askFrom, debianWithGateway, ROLES, whileAsked } from "./debian-stage.ts";

const UPGRADES = 50;
const CREDENTIALS = `${ROLES}web-role`;
const LOG = "journalctl --unit imdsgate --output cat --no-pager";

/** What the gateways tell from now on but for each answer with credentials, in whatever order, once `stops` of them have told that they stop. */
async function eventsFrom(host: DebianHost): Promise<{ readonly untilStops: (stops: number) => Promise<readonly string[]> }> {
  const [, cursor = ""] = /^-- cursor: (.*)$/m.exec(await host.sh(`${LOG} --show-cursor --lines 1`)) ?? [];
  const read = `${LOG} --after-cursor '${cursor}'`;
  return {
    async untilStops(stops) {
      const isOver = `[ "$(${read} | grep -c imdsgate.stopping)" -ge ${stops} ]`;
      const journal = await host.sh(`for i in $(seq 100); do ${isOver} && break; sleep 0.1; done; ${read}`);
      const names = [...journal.matchAll(/"event\.name":"imdsgate\.([a-z-]+)"/g)].map(([, name = ""]) => name);
      return names.filter((name) => name !== "vend").sort();
    },
  };
}

/** Gives what installs the same package under another version. */
async function packageAnew(host: DebianHost): Promise<(version: string) => Promise<void>> {
  await host.sh(`dpkg-deb -R ${packageFile("deb")} /tmp/newer`);
  const build = "dpkg-deb -Znone -b /tmp/newer /tmp/newer.deb";
  return async (version) => {
    await host.sh(`sed -i 's/^Version: .*/Version: ${version}/' /tmp/newer/DEBIAN/control && ${build} && dpkg -i /tmp/newer.deb`);
  };
}

/** Each event so many times. */
function times(count: number, events: readonly string[]): readonly string[] {
  return events.flatMap((event) => Array.from({ length: count }, () => event));
}

// Nothing was closed meanwhile, and nobody asked who this host is or called STS: the one before knew.
const EVENTS_OF_ONE = ["handover", "handover", "host-facts", "rules-applied", "rules-chosen", "starting", "stopping"];

test("a newer .deb takes its place, and the program that took over is a main process like any other: its stop brings answers to their end", async () => {
  const host = await debianWithGateway();
  const install = await packageAnew(host);
  const started = "systemctl show -P ExecMainStartTimestampMonotonic imdsgate";
  const before = await host.sh(started);
  const events = await eventsFrom(host);
  await install("99.0.0-1");
  expect(Number(await host.sh(started))).toBeGreaterThan(Number(before));
  expect(await host.sh("dpkg-query -W imdsgate")).toBe("imdsgate\t99.0.0-1\n");
  expect(await events.untilStops(1)).toEqual(EVENTS_OF_ONE);
  const { told } = await whileAsked(host, async () => void (await host.sh("systemctl restart imdsgate")));
  expect(Object.keys(told)).toEqual(["200 web-role"]);
}, 120_000);

test("an .rpm that is installed over one that runs takes its place in the same way, without a failed request", async () => {
  const host = await debianWithGateway("rpm");
  const events = await eventsFrom(host);
  const { told } = await whileAsked(host, async () => void (await host.sh(`rpm -U --nodeps --force ${packageFile("rpm")}`)));
  expect(Object.keys(told)).toEqual(["200 web-role"]);
  expect(await events.untilStops(1)).toEqual(EVENTS_OF_ONE);
}, 120_000);

test(`${UPGRADES} times a newer .deb takes its place under load without a failed request or a call to STS, and the rules stay`, async () => {
  const host = await debianWithGateway();
  const install = await packageAnew(host);
  expect(await askFrom(host, "web", CREDENTIALS)).toBe("200");
  const events = await eventsFrom(host);
  const upgrade = async () => {
    for (let count = 1; count <= UPGRADES; count += 1) await install(`99.0.${count}-1`);
  };
  const { told } = await whileAsked(host, upgrade, CREDENTIALS);
  // The same session all the time: another one would be another answer here.
  expect(Object.keys(told)).toEqual([expect.stringMatching(/^200 ASIA\w+$/)]);
  expect(await host.sh("dpkg-query -W imdsgate")).toBe(`imdsgate\t99.0.${UPGRADES}-1\n`);
  expect(await events.untilStops(UPGRADES)).toEqual(times(UPGRADES, EVENTS_OF_ONE));
}, 400_000);
