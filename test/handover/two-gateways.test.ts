import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { CANARY, SETTINGS, startUnitStage, type UnitStage, until } from "./unit-stage.ts";

const LIMIT_MS = 120_000;

/** The roles that STS was asked for since it was last told to forget. */
function assumed({ sts }: UnitStage): readonly string[] {
  return sts.calls.flatMap(({ parameters }) => parameters["RoleArn"]?.split("/").slice(-1) ?? []);
}

/** Starts a gateway whose workload has a lease; STS forgets that it was asked. */
async function serving(): Promise<{ stage: UnitStage; pid: number; accessKeyId: string }> {
  const stage = await startUnitStage();
  const pid = await stage.start();
  const accessKeyId = await stage.accessKeyId();
  expect(accessKeyId).toMatch(/^ASIA/);
  expect(assumed(stage)).toEqual(["web-role"]);
  stage.sts.forget();
  return { stage, pid, accessKeyId };
}

/** The process that said it is the main one now. */
function successorOf(stage: UnitStage): number {
  const [, pid = ""] = /^(\d+) MAINPID=\1 READY=1 /m.exec(stage.notes().join("\n")) ?? [];
  return Number(pid);
}

describe("a gateway that is asked to by SIGUSR2", () => {
  test(
    "hands port and leases to a new process: the same keys, no call to STS, no secret anywhere",
    async () => {
      const { stage, pid, accessKeyId } = await serving();
      process.kill(pid, "SIGUSR2");
      await stage.hears(/^ended 0$/m);
      const successor = successorOf(stage);
      expect(successor).toBeGreaterThan(1);
      expect(successor).not.toBe(pid);
      expect(await stage.accessKeyId()).toBe(accessKeyId);
      expect(stage.sts.calls).toEqual([]);
      expect(stage.notes().filter((note) => /STOPPING/.test(note))).toEqual([]);
      const proc = ["cmdline", "environ"].map((name) => readFileSync(`/proc/${successor}/${name}`, "latin1"));
      expect([stage.said(), ...stage.notes(), ...proc].filter((text) => text.includes(CANARY))).toEqual([]);
      // The old one's end did not make the stream of the log block again.
      const [, flags = ""] = /^flags:\t(\d+)$/m.exec(readFileSync(`/proc/${successor}/fdinfo/2`, "latin1")) ?? [];
      expect(Number.parseInt(flags, 8) & 0o4000).toBe(0o4000);
    },
    LIMIT_MS,
  );

  test(
    "hands over twice: the third process has the same keys",
    async () => {
      const { stage, pid, accessKeyId } = await serving();
      process.kill(pid, "SIGUSR2");
      await stage.hears(/^ended 0$/m);
      const second = successorOf(stage);
      process.kill(second, "SIGUSR2");
      await until(() => stage.notes().some((note) => /MAINPID/.test(note) && !note.startsWith(`${second} `)));
      await stage.hears(/another gateway has taken its place[\s\S]*another gateway has taken its place/);
      expect(await stage.accessKeyId()).toBe(accessKeyId);
      expect(stage.sts.calls).toEqual([]);
    },
    LIMIT_MS,
  );

  test(
    "goes on as before where the new process cannot read its settings",
    async () => {
      const { stage, pid, accessKeyId } = await serving();
      stage.configure("bind: [nonsense]\n");
      process.kill(pid, "SIGUSR2");
      await stage.hears(/"imdsgate.handover-failed"/);
      expect(stage.said()).toMatch(/CONFIG_INVALID/);
      expect(stage.said()).toContain("no other gateway takes this one's place: the next gateway ended before it served");
      expect(await stage.accessKeyId()).toBe(accessKeyId);
      expect(successorOf(stage)).toBe(0);
      process.kill(pid, 0);
    },
    LIMIT_MS,
  );

  test(
    "hands over no lease that the new settings do not ask for",
    async () => {
      const { stage, pid } = await serving();
      stage.configure(SETTINGS.replace("web-role", "other/web-role"));
      process.kill(pid, "SIGUSR2");
      await stage.hears(/^ended 0$/m);
      expect(await stage.accessKeyId()).toMatch(/^ASIA/);
      expect(stage.sts.calls.map(({ parameters }) => parameters["RoleArn"])).toEqual(["arn:aws:iam::111122223333:role/other/web-role"]);
    },
    LIMIT_MS,
  );
});

test(
  "a gateway that is started anew has no leases: it asks STS",
  async () => {
    const { stage, pid } = await serving();
    process.kill(pid, "SIGTERM");
    await stage.hears(/^ended 0$/m);
    await stage.start();
    expect(await stage.accessKeyId()).toMatch(/^ASIA/);
    expect(assumed(stage)).toEqual(["web-role"]);
  },
  LIMIT_MS,
);
