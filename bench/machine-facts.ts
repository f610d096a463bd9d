import { readFileSync } from "node:fs";
import os from "node:os";
import { nginxVersion } from "./nginx.ts";

/** The machine and the versions, with the load that was on it before the run. */
export function machineFacts(now: Date): readonly string[] {
  const cpus = os.cpus();
  const { version }: { version: string } = JSON.parse(
    readFileSync(new URL("../node_modules/http-proxy-3/package.json", import.meta.url), "utf8"),
  );
  const load = os.loadavg().map((average) => average.toFixed(2));
  return [
    `${now.toISOString().slice(0, 10)}; Linux ${os.release()}, ${os.arch()}; ${cpus.length} cores (${cpus[0]?.model.trim() ?? "unknown"})`,
    `Node ${process.versions.node}; nginx ${nginxVersion() ?? "not on this machine"}; http-proxy-3 ${version}`,
    `load averages before the run: ${load.join(", ")} (1, 5 and 15 minutes)`,
  ];
}
