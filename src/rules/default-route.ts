import type { RunCommand } from "../run-command.ts";
import { runTool } from "./tool.ts";

/**
 * The interfaces that lead out of this host: those of every default route, of both families and of every routing table
 * (second network cards of EC2 have theirs in a table of their own). Sorted. Throws RULES_TOOL_MISSING or RULES_FAILED.
 */
export async function listUplinks(run: RunCommand): Promise<readonly string[]> {
  const texts = await Promise.all(
    ["-4", "-6"].map((family) => runTool(run, { program: "ip", args: ["-j", family, "route", "show", "table", "all", "default"] })),
  );
  return [...new Set(texts.flatMap(devicesOf))].filter((name) => name !== "lo").sort();
}

function devicesOf(text: string): string[] {
  // A kernel without IPv6 makes `ip -6` print nothing at all.
  const routes: unknown = text.trim() === "" ? [] : JSON.parse(text);
  return Array.isArray(routes) ? routes.flatMap(devicesOfRoute) : [];
}

function devicesOfRoute(route: unknown): string[] {
  if (typeof route !== "object" || route === null) return [];
  const device = "dev" in route && typeof route.dev === "string" ? [route.dev] : [];
  const hops = "nexthops" in route && Array.isArray(route.nexthops) ? route.nexthops : [];
  return [...device, ...hops.flatMap(devicesOfRoute)];
}
