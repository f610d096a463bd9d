// Healthy is a gateway whose listeners stand and whose event loop takes connections from them. A request cannot tell: the rules close the port
// to all but redirected ones. So the kernel is asked for the listening sockets of this container's processes, and whether connections wait there.
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";

const LISTENING = "0A";

function socketsOfThisContainer() {
  const sockets = new Set();
  for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    try {
      for (const fd of readdirSync(`/proc/${pid}/fd`)) {
        const [, inode] = /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`)) ?? [];
        if (inode) sockets.add(inode);
      }
    } catch {
      // it has ended, or is not ours
    }
  }
  return sockets;
}

function listeners() {
  const own = socketsOfThisContainer();
  const lines = ["tcp", "tcp6"].flatMap((name) => {
    try {
      return readFileSync(`/proc/self/net/${name}`, "utf8").split("\n").slice(1);
    } catch {
      return []; // a kernel without IPv6
    }
  });
  const rows = lines.map((line) => line.trim().split(/\s+/));
  return rows.filter((row) => row[3] === LISTENING && own.has(row[9])).map((row) => Number.parseInt(row[4].split(":")[1], 16));
}

async function isHealthy() {
  if (listeners().length === 0) return false;
  // those that wait right now may be taken a moment later
  for (let tries = 0; tries < 10; tries += 1) {
    if (listeners().every((waiting) => waiting === 0)) return true;
    await delay(100);
  }
  return false;
}

process.exit((await isHealthy()) ? 0 : 1);
