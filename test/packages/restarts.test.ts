import { expect, test } from "vitest";
import { packageFile } from "./debian-host.ts";
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

test("a newer .deb takes its place under load without a failed request, and the rules stay", async () => {
  const host = await debianWithGateway();
  await host.sh(
    `dpkg-deb -R ${packageFile("deb")} /tmp/newer && sed -i 's/^Version: .*/Version: 99.0.0-1/' /tmp/newer/DEBIAN/control && dpkg-deb -Znone -b /tmp/newer /tmp/newer.deb`,
  );
  const started = "systemctl show -P ExecMainStartTimestampMonotonic imdsgate";
  const before = await host.sh(started);
  const { told } = await whileAsked(host, async () => void (await host.sh("dpkg -i /tmp/newer.deb")));
  expect(Object.keys(told)).toEqual(["200 web-role"]);
  expect(Number(await host.sh(started))).toBeGreaterThan(Number(before));
  expect(await host.sh("dpkg-query -W imdsgate")).toBe("imdsgate\t99.0.0-1\n");
}, 120_000);
