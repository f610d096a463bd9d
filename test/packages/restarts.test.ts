import { expect, test } from "vitest";
import { type DebianHost, packageFile } from "./debian-host.ts";
import { debianWithGateway, restarted, whileAsked } from "./debian-stage.ts";

const RESTARTS = 50;
const KILLS = 10;

test(`${RESTARTS} restarts under load refuse no connection, and every answer is the right one`, async () => {
  const host = await debianWithGateway();
  const { told } = await whileAsked(host, async () => {
    for (let count = 0; count < RESTARTS; count += 1) await host.sh("systemctl restart imdsgate");
  });
  expect(Object.keys(told)).toEqual(["200 web-role"]);
}, 180_000);

test(`${KILLS} times killed under load, it refuses no connection: what it was about to answer is cut`, async () => {
  const host = await debianWithGateway();
  const { told } = await whileAsked(host, async () => {
    for (let count = 1; count <= KILLS; count += 1) {
      await host.sh("systemctl kill --signal KILL --kill-whom main imdsgate");
      await restarted(host, count);
    }
  });
  const { "200 web-role": right = 0, ECONNRESET: cut = 0, closed = 0, ...others } = told;
  expect(others).toEqual({});
  expect(cut + closed).toBeLessThanOrEqual(4 * KILLS);
  expect(right).toBeGreaterThan(cut + closed);
}, 120_000);

const LOG = "journalctl --unit imdsgate --output cat --no-pager";

/** What the gateways told after `cursor`, in whatever order, once one of them has told that it stops. */
async function eventsUntilStop(host: DebianHost, cursor: string): Promise<readonly string[]> {
  const read = `${LOG} --after-cursor '${cursor}'`;
  const journal = await host.sh(`for i in $(seq 100); do ${read} | grep -q imdsgate.stopping && break; sleep 0.1; done; ${read}`);
  return [...journal.matchAll(/"event\.name":"imdsgate\.([a-z-]+)"/g)].map(([, name = ""]) => name).sort();
}

test("a newer .deb takes its place under load without a failed request or a call to STS, and the rules stay", async () => {
  const host = await debianWithGateway();
  await host.sh(
    `dpkg-deb -R ${packageFile("deb")} /tmp/newer && sed -i 's/^Version: .*/Version: 99.0.0-1/' /tmp/newer/DEBIAN/control && dpkg-deb -Znone -b /tmp/newer /tmp/newer.deb`,
  );
  const started = "systemctl show -P ExecMainStartTimestampMonotonic imdsgate";
  const before = await host.sh(started);
  const [, cursor = ""] = /^-- cursor: (.*)$/m.exec(await host.sh(`${LOG} --show-cursor`)) ?? [];
  const { told } = await whileAsked(host, async () => void (await host.sh("dpkg -i /tmp/newer.deb")));
  expect(Object.keys(told)).toEqual(["200 web-role"]);
  expect(Number(await host.sh(started))).toBeGreaterThan(Number(before));
  expect(await host.sh("dpkg-query -W imdsgate")).toBe("imdsgate\t99.0.0-1\n");
  // Nothing was closed meanwhile, and nobody asked who this host is: the one before knew.
  const events = ["handover", "handover", "host-facts", "rules-applied", "rules-chosen", "starting", "stopping"];
  expect(await eventsUntilStop(host, cursor)).toEqual(events);
  // The one that took over is a main process like any other: answers that are under way at its stop are brought to their end.
  const { told: later } = await whileAsked(host, async () => void (await host.sh("systemctl restart imdsgate")));
  expect(Object.keys(later)).toEqual(["200 web-role"]);
}, 120_000);
