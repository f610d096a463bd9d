import { expect, onTestFinished, test } from "vitest";
import { selftestCommand } from "../../src/commands/selftest.ts";
import { CORPUS } from "../../src/selftest/corpus.ts";
import { SIM_INSTANCE_ROLE } from "../../src/sim/instance-facts.ts";
import { startFuzzStage } from "../fuzz/fuzz-stage.ts";
import { HOST_MARKER } from "../fuzz/speakers.ts";
import { testImds } from "../support/sims.ts";

async function selftest(args: { gateway: string; from?: string; hostRole?: string; ownRole?: string }) {
  const said: string[] = [];
  const io = {
    out: (text: string) => void said.push(text),
    err: (text: string) => void said.push(text),
    isTerminal: false,
    signal: new AbortController().signal,
    environment: {},
  };
  const { gateway, from, hostRole, ownRole } = args;
  const words = { _: [], $0: "imdsgate", gateway, from, "host-role": hostRole, hostRole, "own-role": ownRole, ownRole };
  const exitCode = await selftestCommand.run(words, io);
  return { exitCode, lines: said.join("").trimEnd().split("\n") };
}

test("a gateway that holds every attack is exit code 0, with a line for each", async () => {
  const stage = await startFuzzStage();
  onTestFinished(() => stage[Symbol.asyncDispose]());
  const gateway = `127.0.0.1:${stage.gateway.port}`;
  const good = await selftest({ gateway, from: "127.0.101.1", hostRole: "host-role", ownRole: "alpha-role" });
  expect(good.lines.at(-1)).toBe(`${CORPUS.length + 1} held, 0 leaked, 0 unclear`);
  expect(good.lines.length).toBe(CORPUS.length + 3);
  expect(good.lines.slice(0, 3)).toEqual([
    `${CORPUS.length} hostile requests to ${gateway}, with an IMDS token`,
    "held    200  own-role                the role that this container gets: alpha-role",
    "held    404  plain-01                GET /latest/meta-data/iam/security-credentials/host-role HTTP/1.1\\r\\n\\r\\n",
  ]);
  expect(good.exitCode).toBe(0);

  const other = await selftest({ gateway, from: "127.0.101.1", ownRole: "none" });
  expect(other.lines[1]).toBe("LEAK    200  own-role                the role that this container gets: alpha-role  <- it is not none");
  expect(other.exitCode).toBe(1);
});

test("a service that can be fooled, with nothing before it, leaks", async () => {
  const imds = await testImds({ behaviour: "victim", leakMarker: HOST_MARKER });
  const { exitCode, lines } = await selftest({ gateway: `127.0.0.1:${imds.endpoint.port}`, hostRole: `${HOST_MARKER}-instance-role` });
  const leaks = lines.filter((line) => line.startsWith("LEAK"));
  expect(leaks.length).toBeGreaterThan(CORPUS.length / 2);
  expect(exitCode).toBe(1);
});

test("the real service with nothing before it is told by what it answers to other spellings, and by its role's name", async () => {
  const imds = await testImds({ role: SIM_INSTANCE_ROLE });
  const { exitCode, lines } = await selftest({ gateway: `127.0.0.1:${imds.endpoint.port}`, hostRole: "host-role" });
  expect(lines[1]).toMatch(/^LEAK .*<- it is the host's$/);
  expect(exitCode).toBe(1);
});

test("where nobody answers nothing is judged", async () => {
  const imds = await testImds();
  await imds.close();
  const { exitCode, lines } = await selftest({ gateway: `127.0.0.1:${imds.endpoint.port}` });
  expect(lines).toEqual([
    expect.stringMatching(/^imdsgate selftest: no metadata service answers at 127\.0\.0\.1:\d+, so nothing can be judged/),
  ]);
  expect(exitCode).toBe(1);
});
