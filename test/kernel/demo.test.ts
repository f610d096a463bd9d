import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { runDemo, withoutChance } from "../demo/demo-program.ts";

const isRoot = process.getuid?.() === 0;
/** As uid 65534, who finds the checkout at /mnt, since root's may lie where nobody else may look. */
const AS_ORDINARY_USER = [
  ...["unshare", "--mount", "sh", "-c"],
  'mount --bind "$0" /mnt && cd / && exec setpriv --reuid=65534 --regid=65534 --clear-groups --inh-caps=-all -- "$@"',
  join(import.meta.dirname, "../.."),
];
/** A user namespace in which no other namespace can be made. */
const WITHOUT_NAMESPACES = [
  ...["unshare", "--user", "--map-current-user", "--keep-caps", "bash", "-c"],
  'for limit in /proc/sys/user/max_*_namespaces; do echo 0 >"$limit"; done; exec setpriv --inh-caps=-all --ambient-caps=-all --bounding-set=-all -- "$@"',
  "-",
];

describe("in namespaces", () => {
  test("the story is told with the kernel's rules, and nothing is left of it", async () => {
    const { stdout, ...rest } = await runDemo({ args: ["--mode", "namespaces"] });
    expect(rest).toEqual({ exitCode: 0, stderr: "", left: [] });
    await expect(withoutChance(stdout)).toMatchFileSnapshot("../demo/story-in-namespaces.txt");
  });

  test("an ordinary user is told the same", async () => {
    const { stdout, ...rest } = await runDemo({
      args: ["--mode", "namespaces"],
      ...(isRoot ? { wrapper: AS_ORDINARY_USER, checkout: "/mnt" } : {}),
    });
    expect(rest).toEqual({ exitCode: 0, stderr: "", left: [] });
    await expect(withoutChance(stdout)).toMatchFileSnapshot("../demo/story-in-namespaces.txt");
  });

  test.for(["itself", "group"] as const)("an interrupt of %s ends it, and nothing is left", async (whom) => {
    const { exitCode, stderr, left } = await runDemo({ args: ["--mode", "namespaces"], interrupt: { at: "imdsgate starts", whom } });
    expect({ exitCode, stderr, left }).toEqual({ exitCode: 130, stderr: "imdsgate demo: interrupted; nothing of it is left\n", left: [] });
  });
});

describe("where namespaces are forbidden", () => {
  test("the story is told on loopback, and the reason with it", async () => {
    const { exitCode, stdout, left } = await runDemo({ args: [], wrapper: WITHOUT_NAMESPACES });
    expect({ exitCode, left }).toEqual({ exitCode: 0, left: [] });
    expect(stdout).toContain("since this machine forbids namespaces (user.max_user_namespaces=0)");
    expect(stdout.replaceAll(/\s+/g, " ")).toContain(
      "Not shown: the redirect of 169.254.169.254 in the kernel, and that nothing gets through",
    );
  });

  test("whoever insists on them is told the reason", async () => {
    const { exitCode, stdout, stderr } = await runDemo({ args: ["--mode", "namespaces"], wrapper: WITHOUT_NAMESPACES });
    expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: "" });
    expect(stderr).toContain("this machine forbids namespaces (user.max_user_namespaces=0)");
  });
});
