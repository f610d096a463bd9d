import { describe, expect, test } from "vitest";
import { obstacleFor, rehearse } from "../../src/demo/obstacle.ts";
import type { RunCommand } from "../../src/run-command.ts";

const PROBE = { isRoot: false, missing: [], failure: "unshare: unshare failed: Operation not permitted", switches: {} };

describe("what is in the way", () => {
  test.for([
    {
      title: "a missing program, and the package that brings it",
      probe: { ...PROBE, missing: ["ip", "nft or iptables"] },
      obstacle: {
        reason: "this machine has no ip and no nft or iptables",
        remedy: "sudo apt-get install -y iproute2 nftables && ./scripts/demo",
      },
    },
    {
      title: "a limit of no namespace at all",
      probe: { ...PROBE, switches: { "user.max_user_namespaces": "0", "kernel.apparmor_restrict_unprivileged_userns": "1" } },
      obstacle: { reason: "this machine forbids namespaces (user.max_user_namespaces=0)", remedy: "sudo ./scripts/demo" },
    },
    {
      title: "AppArmor's restriction of ordinary users",
      probe: { ...PROBE, switches: { "user.max_user_namespaces": "15000", "kernel.apparmor_restrict_unprivileged_userns": "1" } },
      obstacle: {
        reason: "this machine lets only root use user namespaces (kernel.apparmor_restrict_unprivileged_userns=1)",
        remedy: "sudo ./scripts/demo",
      },
    },
    {
      title: "Debian's switch for ordinary users",
      probe: { ...PROBE, switches: { "kernel.unprivileged_userns_clone": "0" } },
      obstacle: {
        reason: "this machine lets only root make user namespaces (kernel.unprivileged_userns_clone=0)",
        remedy: "sudo ./scripts/demo",
      },
    },
    {
      title: "what unshare said, where no switch explains it: root in a container",
      probe: { ...PROBE, isRoot: true, switches: { "kernel.unprivileged_userns_clone": "0" } },
      obstacle: {
        reason: "this machine gives no namespaces of one's own (unshare: unshare failed: Operation not permitted)",
        remedy: "./scripts/demo, on the machine itself or in a container that was started with --privileged",
      },
    },
  ])("names $title", ({ probe, obstacle }) => {
    expect(obstacleFor(probe, "./scripts/demo")).toEqual(obstacle);
  });
});

describe("the rehearsal", () => {
  const OK = { exitCode: 0, stdout: "", stderr: "", isMissing: false };

  /** Answers like a machine where only words with `isAllowed` succeed. */
  function machine(isAllowed: (words: string) => boolean): RunCommand {
    return async (program, args) =>
      isAllowed([program, ...args].join(" ")) ? OK : { ...OK, exitCode: 1, stderr: "no: not allowed\nmore\n" };
  }

  test("as root needs no user namespace", async () => {
    expect(
      await rehearse(
        machine(() => true),
        true,
        "demo",
      ),
    ).toEqual("unshare --pid --fork --kill-child --net --mount --".split(" "));
  });

  test("as root takes a user namespace where nothing else is given", async () => {
    const found = await rehearse(
      machine((words) => words.includes("--user")),
      true,
      "demo",
    );
    expect(found).toEqual("unshare --user --map-root-user --pid --fork --kill-child -- unshare --net --mount --".split(" "));
  });

  test("tells in the machine's own words why there is none", async () => {
    const found = await rehearse(
      machine((words) => !words.includes("mount")),
      true,
      "demo",
    );
    expect(found).toMatchObject({ reason: expect.stringContaining("no: not allowed") });
  });

  test("does not begin where a program is missing", async () => {
    const begun: string[] = [];
    const run: RunCommand = async (program, args) => {
      if (args.includes("sh")) begun.push(program);
      return program === "ip" ? { ...OK, exitCode: undefined, isMissing: true } : OK;
    };
    expect(await rehearse(run, false, "demo")).toEqual({
      reason: "this machine has no ip",
      remedy: "sudo apt-get install -y iproute2 && demo",
    });
    expect(begun).toEqual([]);
  });
});
