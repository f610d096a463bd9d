import { readdirSync, readFileSync } from "node:fs";

/** Clock ticks a second in /proc/PID/stat (proc_pid_stat(5)): 100 on every Linux that Node runs on. */
const TICKS = 100;

/** CPU time, user and system, that `pid` and its descendants have taken so far, in microseconds; a tick is 10 ms. */
export function cpuMicrosOf(pid: number): number {
  return microsOf(treeOf(pid).flatMap((one) => statFields(one).slice(11, 13)));
}

/** As `cpuMicrosOf`, with what descendants took that have ended by now. */
export function cpuMicrosWithEnded(pid: number): number {
  return microsOf(treeOf(pid).flatMap((one) => statFields(one).slice(11, 15)));
}

function microsOf(ticks: readonly string[]): number {
  return (ticks.reduce((sum, count) => sum + Number(count), 0) * 1_000_000) / TICKS;
}

/** Resident memory of `pid` and its descendants in MiB: now, what of it are pages of files, and each one's highest so far added up. */
export function memoryOf(pid: number): { readonly nowMib: number; readonly fileMib: number; readonly peakMib: number } {
  const kib = { nowMib: 0, fileMib: 0, peakMib: 0 };
  for (const one of treeOf(pid)) {
    const status = readFileSync(`/proc/${one}/status`, "latin1");
    kib.nowMib += Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1] ?? 0);
    kib.fileMib += Number(/^RssFile:\s+(\d+)/m.exec(status)?.[1] ?? 0);
    kib.peakMib += Number(/^VmHWM:\s+(\d+)/m.exec(status)?.[1] ?? 0);
  }
  return { nowMib: kib.nowMib / 1_024, fileMib: kib.fileMib / 1_024, peakMib: kib.peakMib / 1_024 };
}

function treeOf(pid: number): readonly number[] {
  const parents = new Map<number, number>();
  for (const name of readdirSync("/proc")) {
    if (/^\d+$/.test(name)) parents.set(Number(name), Number(statFields(Number(name))[1] ?? 0));
  }
  const tree = [pid];
  for (const member of tree) for (const [child, parent] of parents) if (parent === member) tree.push(child);
  return tree;
}

/** The fields after the command's name; that may hold blanks and parentheses. Empty when the process is gone. */
function statFields(pid: number): readonly string[] {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  } catch {
    return [];
  }
}
