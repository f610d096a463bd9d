import { closeSync, openSync, readSync } from "node:fs";
import { canonicalAddress } from "../address.ts";

/** The answer where the kernel could not be asked at this moment: no descriptor is free, or no permission. It proves nothing either way. */
export const UNREADABLE = Symbol("unreadable");
type Unreadable = typeof UNREADABLE;

/** What the kernel says of processes. Every answer is of this moment; undefined means there is no such process. */
export interface ProcessTable {
  /** The start time of `pid` in clock ticks since boot: with the pid it names one process for ever (proc_pid_stat(5), field 22). */
  startTime(pid: number): string | undefined | Unreadable;
  /** The addresses that the network namespace of `pid` owns, in canonical text, loopback and IPv6 link-local left out. */
  ownedAddresses(pid: number): ReadonlySet<string> | undefined | Unreadable;
}

/**
 * The process table of a mounted /proc. It reads synchronously: that is five to ten times cheaper here than a trip through the
 * thread pool, and nothing can come between two reads of one check.
 */
export function procProcessTable(procRoot: string): ProcessTable {
  return {
    startTime(pid) {
      const stat = readProcFile(`${procRoot}/${pid}/stat`);
      return typeof stat === "string" ? parseStartTime(stat) : stat;
    },
    ownedAddresses(pid) {
      const fibTrie = readProcFile(`${procRoot}/${pid}/net/fib_trie`);
      if (typeof fibTrie !== "string") return fibTrie;
      // A kernel without IPv6 has no such file.
      const ifInet6 = readProcFile(`${procRoot}/${pid}/net/if_inet6`) ?? "";
      if (ifInet6 === UNREADABLE) return UNREADABLE;
      return new Set([...parseFibTrie(fibTrie), ...parseIfInet6(ifInet6)]);
    },
  };
}

/** Field 22 of a `stat` line. The command's name (field 2) may hold spaces, parentheses and line ends, so count from its last `)`. */
export function parseStartTime(stat: string): string | undefined {
  const fields = stat
    .slice(stat.lastIndexOf(")") + 1)
    .trim()
    .split(" ");
  const startTime = fields[22 - 3];
  return startTime !== undefined && /^\d+$/.test(startTime) ? startTime : undefined;
}

/** The IPv4 addresses that a `fib_trie` lists as the namespace's own (`/32 host LOCAL`), without 127.0.0.0/8. */
export function parseFibTrie(text: string): ReadonlySet<string> {
  const addresses = new Set<string>();
  let leaf = "";
  for (const line of text.split("\n")) {
    const mark = line.indexOf("|-- ");
    if (mark !== -1) leaf = line.slice(mark + 4);
    else if (line.endsWith("/32 host LOCAL") && !leaf.startsWith("127.")) addresses.add(leaf);
  }
  return addresses;
}

/** The IPv6 addresses of global scope (`00`, unique local ones too) in an `if_inet6`, in canonical text. */
export function parseIfInet6(text: string): ReadonlySet<string> {
  const addresses = new Set<string>();
  for (const line of text.split("\n")) {
    const [hex = "", , , scope, , device] = line.trim().split(/\s+/);
    if (scope !== "00" || device === "lo" || !/^[0-9a-f]{32}$/.test(hex)) continue;
    const address = canonicalAddress(hex.replace(/(.{4})(?!$)/g, "$1:"));
    if (address !== undefined) addresses.add(address);
  }
  return addresses;
}

const CHUNK_BYTES = 16_384;
const chunk = Buffer.allocUnsafe(CHUNK_BYTES);

/** One read of a /proc file gives about 4 KiB at most, however much was asked for: read until there is no more. */
function readProcFile(path: string): string | undefined | Unreadable {
  let descriptor: number | undefined;
  try {
    descriptor = openSync(path, "r");
    let text = "";
    for (;;) {
      const length = readSync(descriptor, chunk, 0, CHUNK_BYTES, null);
      if (length === 0) return text;
      text += chunk.toString("latin1", 0, length);
    }
  } catch (error) {
    return isGone(error) ? undefined : UNREADABLE;
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
}

/** No such file, or no such process any more. Every other failure is about us, and says nothing of the process. */
function isGone(error: unknown): boolean {
  return error instanceof Error && "code" in error && (error.code === "ENOENT" || error.code === "ESRCH");
}
