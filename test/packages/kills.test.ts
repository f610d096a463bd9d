import { expect, test } from "vitest";
import { debianWithGateway, restarted, whileAsked } from "./debian-stage.ts";

const KILLS = 50;

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
}, 300_000);
