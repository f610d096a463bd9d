import { statSync } from "node:fs";
import { dirname, join } from "node:path";

const READ_AND_ENTER = 0o005;

/** Whether any user of this machine may read the checkout: in root's home, say, nobody else may. */
export const CAN_OTHERS_READ = foldersAbove(join(import.meta.dirname, "../..")).every(
  (folder) => (statSync(folder).mode & READ_AND_ENTER) === READ_AND_ENTER,
);

function foldersAbove(folder: string): readonly string[] {
  const above = dirname(folder);
  return above === folder ? [folder] : [folder, ...foldersAbove(above)];
}
