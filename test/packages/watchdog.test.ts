import { expect, test } from "vitest";
import { askFrom, debianWithGateway, ROLES, restarted } from "./debian-stage.ts";

test("the unit restarts a gateway that hangs: the watchdog was told before, and is not any more", async () => {
  const host = await debianWithGateway();
  const folder = "/run/systemd/system/imdsgate.service.d";
  await host.sh(`mkdir -p ${folder} && printf '[Service]\\nWatchdogSec=1\\n' >${folder}/quick.conf`);
  await host.sh("systemctl daemon-reload && systemctl restart imdsgate");
  const told = "systemctl show -P WatchdogTimestampMonotonic imdsgate";
  await host.sh(`first=$(${told}); for i in $(seq 100); do [ $(${told}) -gt $((first + 2000000)) ] && exit 0; sleep 0.05; done; exit 1`);
  expect(await host.sh("systemctl show -P NRestarts imdsgate")).toBe("0\n");
  await host.sh("kill -STOP $(systemctl show -P MainPID imdsgate)");
  await restarted(host, 1);
  expect(await askFrom(host, "web", ROLES)).toBe("200 web-role");
});
