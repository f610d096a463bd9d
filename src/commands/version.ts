import type { Argv } from "yargs";
import { readVersion } from "../version.ts";
import type { Command } from "./command.ts";

/** `imdsgate version [--json]`. */
export const versionCommand: Command<{ json: boolean }> = {
  builder: (yargs: Argv) => yargs.option("json", { type: "boolean", default: false, describe: "one JSON document" }),
  async run({ json }, io) {
    const document = { schema: "imdsgate/version/v1", version: readVersion(), node: process.version };
    io.out(json ? `${JSON.stringify(document)}\n` : `imdsgate ${document.version} (node ${document.node})\n`);
    return 0;
  },
};
