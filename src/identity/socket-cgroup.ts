import { canonicalAddress, type Endpoint } from "../address.ts";
import type { RunCommand } from "../run-command.ts";
import { meantEndpoints, type Source } from "./source.ts";

/** Where the kernel has a socket in the cgroup2 tree: by its path, or by the kernel's number where `ss` may not find the path. */
export type CgroupPlace = { readonly path: string } | { readonly id: bigint };

/** The states in which there is still somebody who can read an answer. */
const STATES = ["established", "fin-wait-1", "fin-wait-2"].flatMap((state) => ["state", state]);

/**
 * The cgroup in which the far end's socket was made, which is a socket of this very host: its path in the cgroup2 tree, without a leading
 * slash (the empty text is the root). Where `ss` sees no such tree it tells the kernel's number alone, which `pathOf` finds the path of.
 * Undefined where it cannot be found out: no such socket any more, or an `ss` that is missing or too old (before iproute2 5.8). It never
 * rejects.
 */
export async function socketCgroup(
  run: RunCommand,
  source: Source,
  pathOf: (id: bigint) => string | undefined,
): Promise<string | undefined> {
  const { exitCode, stdout } = await run("ss", ["-Htn", "--cgroup", ...STATES, "sport", "=", `:${source.port}`]);
  if (exitCode !== 0) return undefined;
  const place = parseSocketCgroup(stdout, { host: source.address, port: source.port }, meantEndpoints(source));
  if (place === undefined) return undefined;
  return "path" in place ? place.path : pathOf(place.id);
}

/**
 * The socket from `from` to one of `to` in what `ss -Htn --cgroup` printed. Another connection may have the same source, so both ends
 * count. Undefined where it is not there, where its cgroup is not told, and where two such lines do not agree.
 */
export function parseSocketCgroup(text: string, from: Endpoint, to: readonly Endpoint[]): CgroupPlace | undefined {
  const places = text.split("\n").flatMap((line) => {
    const [, local = "", peer = "", rest = ""] = /^\s*(?:[A-Z][\w-]*\s+)?\d+\s+\d+\s+(\S+)\s+(\S+)(.*)$/.exec(line) ?? [];
    const isWanted = isAt(local, from) && to.some((end) => isAt(peer, end));
    return isWanted ? [/(?:^|\s)cgroup:(.*?)\s*$/.exec(rest)?.[1]] : [];
  });
  const [place] = places;
  if (place === undefined || places.some((other) => other !== place)) return undefined;
  const [, id] = /^unreachable:([0-9a-f]+)$/.exec(place) ?? [];
  if (id !== undefined) return { id: BigInt(`0x${id}`) };
  return place.startsWith("/") ? { path: place.slice(1) } : undefined;
}

/** Whether `text`, as `10.0.0.1:80` or `[fd00::1%eth0]:80`, is that end. */
function isAt(text: string, { host, port }: Endpoint): boolean {
  const colon = text.lastIndexOf(":");
  const address = text
    .slice(0, colon)
    .replace(/^\[|\]$/g, "")
    .replace(/%.*$/, "");
  return text.slice(colon + 1) === String(port) && canonicalAddress(address) === host;
}
