import { expect, test } from "vitest";
import { IAM, NOT_FOUND, request, startIamGateway } from "../../gateway/iam-gateway.ts";
import { eventsOf } from "../scripted.ts";
import { configFile } from "./config-file.ts";
import { WITHHELD } from "./withheld-rows.ts";

const DOCUMENT = `${IAM}/security-credentials`;

const BINDINGS = ["bind:", "  - name:web=web-role", "  - name:other=other-role"];

test.for(WITHHELD)("$title: not found, though there are leases ($rule)", async ({ source, paths, config = [], workloads = [], reason }) => {
  const workload = ["web=127.0.0.1", "other=127.0.0.2", ...workloads];
  const { ask, sts, events } = await startIamGateway({
    flags: { config: configFile([...BINDINGS, ...config]), bind: undefined, workload },
  });
  const leases = [await ask(request(`${DOCUMENT}/web-role`)), await ask(request(`${DOCUMENT}/other-role`), "127.0.0.2")];
  for (const lease of leases) expect(lease).toContain('"Code" : "Success"');
  const calls = sts.calls.length;

  for (const path of paths) expect(await ask(request(`${IAM}${path}`), source)).toBe(NOT_FOUND);
  expect(eventsOf(events, "refuse").map((event) => event.reason)).toEqual(paths.map(() => reason));
  expect(sts.calls).toHaveLength(calls);
  expect([await ask(request(`${DOCUMENT}/web-role`)), await ask(request(`${DOCUMENT}/other-role`), "127.0.0.2")]).toEqual(leases);
});
