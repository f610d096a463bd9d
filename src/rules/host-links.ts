import { canonicalAddress } from "../address.ts";
import { type Fields, isFields } from "../fields.ts";
import type { RunCommand } from "../run-command.ts";
import { runTool } from "./tool.ts";

/** One interface of this host, as `ip -j address` tells it. */
export interface HostLink {
  readonly name: string;
  /** The interface at its other end, by the index that it has in its own namespace. */
  readonly peerIndex: number | undefined;
  /** This host's number for the namespace of the other end; undefined where that is this very namespace. */
  readonly peerNamespace: number | undefined;
  /** The bridge that it belongs to. */
  readonly bridge: string | undefined;
  readonly addresses: readonly { readonly address: string; readonly block: string }[];
}

/** Lists the interfaces of this host. Throws RULES_TOOL_MISSING or RULES_FAILED. */
export async function listHostLinks(run: RunCommand): Promise<readonly HostLink[]> {
  return parseHostLinks(await runTool(run, { program: "ip", args: ["-j", "address", "show"] }));
}

/** Parses the JSON of `ip -j address`. What is odd in it is left out; text that is no JSON has no links. */
export function parseHostLinks(text: string): readonly HostLink[] {
  return itemsIn(text).flatMap((item) => {
    const name = item["ifname"];
    if (typeof name !== "string") return [];
    return [
      {
        name,
        peerIndex: numberIn(item, "link_index"),
        peerNamespace: numberIn(item, "link_netnsid"),
        bridge: typeof item["master"] === "string" ? item["master"] : undefined,
        addresses: addressesIn(item["addr_info"]),
      },
    ];
  });
}

function itemsIn(text: string): readonly Fields[] {
  try {
    const items: unknown = JSON.parse(text);
    return Array.isArray(items) ? items.filter(isFields) : [];
  } catch {
    return [];
  }
}

function addressesIn(value: unknown): HostLink["addresses"] {
  const items = Array.isArray(value) ? value.filter(isFields) : [];
  return items.flatMap((item) => {
    const address = canonicalAddress(typeof item["local"] === "string" ? item["local"] : "");
    const length = numberIn(item, "prefixlen");
    return address === undefined || length === undefined ? [] : [{ address, block: `${address}/${length}` }];
  });
}

function numberIn(fields: Fields, key: string): number | undefined {
  const value = fields[key];
  return typeof value === "number" ? value : undefined;
}
