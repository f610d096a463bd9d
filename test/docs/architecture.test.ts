import { globSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { pageAt, ROOT } from "./pages.ts";

test("docs/architecture.md says what each file of src/ is for, and names none that is not there", () => {
  const [, everyFile = ""] = /\n## Every file\n([\s\S]*?)\n## /.exec(pageAt("docs/architecture.md").text) ?? [];
  const named = everyFile.split(/^### /m).flatMap((part) => {
    const [, folder = ""] = /`src\/(\S*?)\/?`/.exec(part) ?? [];
    const rows = part.split("\n").filter((line) => line.startsWith("- "));
    return rows.flatMap((row) =>
      [...(row.split(": ")[0] ?? "").matchAll(/`([\w-]+\.ts)`/g)].map(([, name = ""]) => join("src", folder, name)),
    );
  });
  expect(named.toSorted()).toEqual(globSync("src/**/*.ts", { cwd: ROOT }).toSorted());
});
