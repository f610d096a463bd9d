import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";

/** A file of settings with `lines`, that goes with the test. Gives its path. */
export function configFile(lines: readonly string[]): string {
  const folder = mkdtempSync(join(tmpdir(), "imdsgate-faults-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const path = join(folder, "config.yaml");
  writeFileSync(path, `${lines.join("\n")}\n`);
  return path;
}
