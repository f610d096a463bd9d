import { expect, test } from "vitest";
import { debianWithGateway, whileAsked } from "./debian-stage.ts";

const RESTARTS = 50;

test(`${RESTARTS} restarts under load refuse no connection, and every answer is the right one`, async () => {
  const host = await debianWithGateway();
  const { told } = await whileAsked(host, async () => {
    for (let count = 0; count < RESTARTS; count += 1) await host.sh("systemctl restart imdsgate");
  });
  expect(Object.keys(told)).toEqual(["200 web-role"]);
}, 180_000);
