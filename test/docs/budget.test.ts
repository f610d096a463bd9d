import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import manifest from "../../package.json" with { type: "json" };
import { codeSpansOf, pageAt, ROOT } from "./pages.ts";

interface LockedPackage {
  readonly dev?: boolean;
  readonly optional?: boolean;
  readonly hasInstallScript?: boolean;
}

const lock: { readonly packages: Readonly<Record<string, LockedPackage>> } = JSON.parse(
  readFileSync(join(ROOT, "package-lock.json"), "utf8"),
);
const SHIPPED = Object.entries(lock.packages).filter(([path, { dev }]) => path !== "" && dev !== true);

describe("what imdsgate runs on", () => {
  test("is at most nine packages of its own choice and 90 in all", () => {
    expect(Object.keys(manifest.dependencies).length).toBeLessThanOrEqual(9);
    expect(SHIPPED.length).toBeGreaterThan(Object.keys(manifest.dependencies).length);
    expect(SHIPPED.length).toBeLessThanOrEqual(90);
  });

  test("runs nothing when it is installed", () => {
    expect(SHIPPED.filter(([, { hasInstallScript }]) => hasInstallScript === true)).toEqual([]);
  });

  test("has no native code", () => {
    const native = SHIPPED.flatMap(([path]) =>
      globSync(["binding.gyp", "**/*.node"], { cwd: join(ROOT, path), exclude: ["node_modules"] }),
    );
    expect(native).toEqual([]);
  });

  test("is the same for every reader: versions are exact", () => {
    const versions = Object.values({ ...manifest.dependencies, ...manifest.devDependencies });
    expect(versions.filter((version) => !/^\d+\.\d+\.\d+$/.test(version))).toEqual([]);
  });
});

test("the README has every package, with how many there are in all", () => {
  const page = pageAt("README.md");
  const [, table = ""] = /^## Dependencies\n([\s\S]*?)^## /m.exec(page.text) ?? [];
  const rows = [...table.matchAll(/^\| `([^`]+)` \| \S/gm)].map(([, name = ""]) => name);
  expect(rows.sort()).toEqual(Object.keys(manifest.dependencies).sort());
  expect(table).toContain(`at run time, ${SHIPPED.length} packages with all that they bring`);
  const named = codeSpansOf({ ...page, text: table });
  expect(Object.keys(manifest.devDependencies).filter((name) => !named.includes(name))).toEqual([]);
});
