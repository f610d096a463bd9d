import { expect, test } from "vitest";
import { listUplinks } from "../../src/rules/default-route.ts";
import { scriptedRun } from "./scripted-run.ts";

const V4 = "ip -j -4 route show table all default";
const V6 = "ip -j -6 route show table all default";

test("uplinks are the interfaces of every default route of both families, of multipath routes and of other tables", async () => {
  const { run } = scriptedRun({
    [V4]: {
      stdout: `[{"dst":"default","gateway":"10.0.0.1","dev":"ens6","table":"10001"},{"type":"unreachable","dst":"default","table":"200"},
               {"dst":"default","gateway":"10.0.0.1","dev":"ens5"}]`,
    },
    [V6]: { stdout: `[{"dst":"default","nexthops":[{"dev":"ens5"},{"dev":"wg0"}]},{"type":"unreachable","dst":"default","dev":"lo"}]` },
  });
  expect(await listUplinks(run)).toEqual(["ens5", "ens6", "wg0"]);
});

test("a host without IPv6, where ip prints nothing, still has its IPv4 uplinks", async () => {
  const { run } = scriptedRun({ [V4]: { stdout: '[{"dst":"default","dev":"eth0"}]' }, [V6]: { stdout: "" } });
  expect(await listUplinks(run)).toEqual(["eth0"]);
});

test("a host without ip is told what to install", async () => {
  await expect(listUplinks(scriptedRun({}).run)).rejects.toMatchObject({
    code: "RULES_TOOL_MISSING",
    message:
      'There is no program "ip" on this host. Install the package "iproute2" (Red Hat: "iproute"), or choose the other tool with --rules.',
  });
});
