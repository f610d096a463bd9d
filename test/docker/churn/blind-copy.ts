import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A copy of a checkout that is removed when it is disposed of. */
export interface BlindCopy extends Disposable {
  readonly folder: string;
}

const SIGNATURE = /export function freshnessOf\([^{]*(\{[^}]*\})?[^{]*\): Freshness \{/;

/** Copies the checkout `tree`, with one rule taken out: whatever the runtime once said counts as proven. */
export function blindCopy(tree: string): BlindCopy {
  const folder = mkdtempSync(join(tmpdir(), "imdsgate-blind-"));
  const remove = () => rmSync(folder, { recursive: true, force: true });
  try {
    cpSync(join(tree, "src"), join(folder, "src"), { recursive: true });
    cpSync(join(tree, "package.json"), join(folder, "package.json"));
    symlinkSync(join(tree, "node_modules"), join(folder, "node_modules"));
    blind(join(folder, "src/identity/freshness.ts"));
    return { folder, [Symbol.dispose]: remove };
  } catch (error) {
    remove();
    throw error;
  }
}

function blind(path: string): void {
  const source = readFileSync(path, "utf8");
  const signature = SIGNATURE.exec(source)?.[0];
  if (signature === undefined) throw new Error(`there is no freshnessOf in ${path}`);
  writeFileSync(path, source.replace(signature, `${signature} return "fresh";`));
}
