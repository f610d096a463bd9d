import { accessSync, constants, existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { tryProgram } from "../support/docker-host/running-program.ts";

const ROOT = join(import.meta.dirname, "../..");
const FILE = join(ROOT, "Vagrantfile");
const RUBY = "/usr/bin/ruby";

test.skipIf(!existsSync(RUBY))("the Vagrantfile is Ruby", async () => {
  expect(await tryProgram({ program: RUBY, args: ["-wc", FILE] })).toEqual({ code: 0, stdout: "Syntax OK\n", stderr: "" });
});

test("the program that it provisions with is there, and can be run", () => {
  const [, program = "none"] = /inline: "\/imdsgate\/(\S+)"/.exec(readFileSync(FILE, "utf8")) ?? [];
  accessSync(join(ROOT, program), constants.X_OK);
  expect(program).toBe("scripts/vagrant-provision");
});
