import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { expect, test } from "vitest";
import type { Endpoint } from "../../src/address.ts";
import { systemClock } from "../../src/clock.ts";
import { rawRequest } from "../support/raw-request.ts";
import { CASES } from "./conformance-cases.ts";
import { caseFaults } from "./expectations.ts";
import { observe, prefetched, runFlags, type Sims, sourceOf, startSims } from "./harness.ts";

/** One of each way that a request can end: own documents, other partition, nothing, relayed, withheld, malformed. */
const SMOKE = new Set([
  "cred-doc",
  "cred-doc-odd-raw",
  "iam-info-cn",
  "cred-list-none",
  "gate-404-00",
  "pass-raw-target",
  "pass-userdata",
  "frame-bare-lf",
]);

test.for(CASES.filter(({ id }) => SMOKE.has(id)))("$id: $title; SIGTERM ends it with 0", async (conformanceCase) => {
  const { context } = conformanceCase;
  await using stack = new AsyncDisposableStack();
  const sims = await startSims(systemClock, stack);
  sims.imds.setTokenUse(context.imdsTokens);
  const command = spawnRun(sims, stack);
  const gateway = await readyEndpoint(command);
  await prefetched(sims);
  sims.sts.forget();
  const send = (bytes: string) => rawRequest(gateway, bytes, sourceOf(context));
  const observed = await observe(conformanceCase, sims, { clock: systemClock, send });
  expect(observed.flatMap((one) => caseFaults(one, conformanceCase))).toEqual([]);
  command.kill("SIGTERM");
  expect(await once(command, "exit")).toEqual([0, null]);
});

/** Starts `imdsgate run` for `of`; the stack ends it. */
function spawnRun(of: Sims, owner: AsyncDisposableStack): ChildProcess {
  const words = Object.entries(runFlags(of)).flatMap(([name, value]) => [value].flat().flatMap((one) => [`--${name}`, one]));
  const command = spawn(process.execPath, ["src/cli.ts", "run", ...words, "--log-format", "json"], {
    env: { AWS_ACCESS_KEY_ID: "AKIAFIXTUREBASE00000", AWS_SECRET_ACCESS_KEY: "base", AWS_EC2_METADATA_DISABLED: "true" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  owner.defer(() => void command.kill("SIGKILL"));
  return command;
}

/** The endpoint of the `ready` line, the only line on stdout. Throws with all of stderr when the command ends before it. */
async function readyEndpoint({ stdout, stderr }: ChildProcess): Promise<Endpoint> {
  const said: string[] = [];
  stderr?.setEncoding("utf8").on("data", (text: string) => said.push(text));
  if (stdout) {
    for await (const line of createInterface({ input: stdout })) {
      const [, port] = /^\{"event":"ready","listen":\["127\.0\.0\.1:(\d+)"\],"rules":"none","version":"[^"]+"\}$/.exec(line) ?? [];
      if (port === undefined) throw new Error(`not the ready line: ${line}`);
      stdout.resume();
      return { host: "127.0.0.1", port: Number(port) };
    }
  }
  throw new Error(`imdsgate run ended before it was ready: ${said.join("")}`);
}
