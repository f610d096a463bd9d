import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { BREAKAGES } from "./all-breakages.ts";

const ROOT = join(import.meta.dirname, "../..");

describe("the list of breakages (npm run breakages)", () => {
  test("has at least 30, each with a name of its own", () => {
    expect(BREAKAGES.length).toBeGreaterThanOrEqual(30);
    expect(new Set(BREAKAGES.map(({ name }) => name)).size).toBe(BREAKAGES.length);
  });

  test.for(BREAKAGES)("$name: what it replaces stands once in $file, and its tests are there", ({ file, search, replace, tests }) => {
    expect(readFileSync(join(ROOT, file), "utf8").split(search).length - 1).toBe(1);
    expect(search).not.toBe(replace);
    expect(tests.filter((one) => !existsSync(join(ROOT, one)))).toEqual([]);
  });
});
