import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { type RunningProgram, startProgram } from "../../test/support/docker-host/running-program.ts";
import { ROOT } from "./test-programs.ts";
import { TAP } from "./vm-outside.ts";

/** A booted machine that can be typed at. */
export interface Machine {
  /** Runs a line of shell as root there; gives what it printed, both streams, without the last line break. Rejects with that when its exit code is not 0. */
  readonly sh: (line: string) => Promise<string>;
  /** Runs a line that ends this boot, and waits for the next one. */
  readonly reboot: (line: string) => Promise<void>;
  /** What the kernel and systemd said on the console. */
  readonly console: () => string;
}

/** How a virtual machine computes: by this machine's processor, or by QEMU's own. */
export type Accelerator = "kvm" | "tcg";

interface MachinePlace {
  /** For its sockets, its log and what it writes to its disk. */
  readonly folder: string;
  /** The image of a file system that it sees at /opt/story, read-only. */
  readonly story: string;
  readonly accelerator: Accelerator;
}

const FILES = join(ROOT, ".tools/vm");
const BOOT_LIMIT_MS = 600_000;
const LINE_LIMIT_MS = 600_000;
const PROBE_LIMIT_MS = 15_000;
const KERNEL = ["-kernel", join(FILES, "vmlinuz")];
/** What TCG computes by itself: Node's WebAssembly wants SSE 4.1, and more than this only makes it slower. */
const PROCESSOR: Readonly<Record<Accelerator, readonly string[]>> = {
  kvm: ["-accel", "kvm", "-cpu", "host"],
  tcg: ["-accel", "tcg,thread=multi", "-cpu", "Nehalem"],
};

/** Defences against other guests cost a computed processor half of its speed, and systemd's limits are for a machine that hangs, not for a slow one. */
const SLOW_KERNEL = "mitigations=off systemd.default_timeout_start_sec=300 systemd.default_device_timeout_sec=300";

/** `kvm` where a kernel really starts by it: a /dev/kvm that opens may still run nothing. */
export async function probeAccelerator(): Promise<Accelerator> {
  if (!existsSync("/dev/kvm")) return "tcg";
  const args = [...PROCESSOR.kvm, ...BARE, "-m", "256", "-serial", "stdio", "-no-reboot", ...KERNEL, "-append", "console=ttyS0 panic=-1"];
  const probe = startProgram({ program: "qemu-system-x86_64", args });
  try {
    await probe.printed(/Linux version/, PROBE_LIMIT_MS);
    return "kvm";
  } catch {
    return "tcg";
  } finally {
    await probe.stop("SIGKILL");
  }
}

const BARE = ["-nodefaults", "-no-user-config", "-display", "none"];

/** Boots the disk of .tools/vm, which stays as it is: what the machine writes goes to a file in `folder`. It ends with this process. */
export async function bootMachine(place: MachinePlace): Promise<Machine> {
  const consoleLog = join(place.folder, "console.log");
  const socketPath = join(place.folder, "story.socket");
  const qemu = startProgram({ program: "qemu-system-x86_64", args: machineArgs(place, socketPath, consoleLog) });
  const console = (): string => (existsSync(consoleLog) ? readFileSync(consoleLog, "utf8") : "");
  for (let tries = 0; !existsSync(socketPath) && tries < 100; tries += 1) await delay(50);
  const channel = await openChannel(socketPath, qemu);
  let boot = await channel.booted("");
  return {
    sh: channel.sh,
    console,
    async reboot(line) {
      channel.type(line);
      boot = await channel.booted(boot);
    },
  };
}

function machineArgs({ folder, story, accelerator }: MachinePlace, socketPath: string, consoleLog: string): readonly string[] {
  return [
    ...[...PROCESSOR[accelerator], ...BARE, "-machine", "q35", "-smp", "2", "-m", "1536", ...KERNEL, "-initrd", join(FILES, "initrd.img")],
    ...["-append", `root=/dev/vda rw console=ttyS0 loglevel=4 ${accelerator === "tcg" ? SLOW_KERNEL : ""}`],
    ...["-drive", `file=${join(folder, "disk.qcow2")},if=virtio,cache=unsafe`, "-drive", `file=${story},format=raw,if=virtio,readonly=on`],
    ...["-netdev", `tap,id=uplink,ifname=${TAP},script=no,downscript=no`, "-device", "virtio-net-pci,netdev=uplink"],
    ...["-chardev", `socket,id=story,path=${socketPath},server=on,wait=off`, "-device", "virtio-serial-pci"],
    ...["-device", "virtserialport,chardev=story,name=story", "-device", "virtio-rng-pci", "-serial", `file:${consoleLog}`],
  ];
}

interface Channel {
  readonly sh: Machine["sh"];
  /** Sends a line without waiting for its end. */
  readonly type: (line: string) => void;
  /** Waits for a boot that is another than `before`, and gives its id. */
  readonly booted: (before: string) => Promise<string>;
}

async function openChannel(socketPath: string, qemu: RunningProgram): Promise<Channel> {
  const socket: Socket = connect(socketPath);
  await once(socket, "connect").catch((cause: unknown) => {
    throw new Error(`QEMU did not start: ${qemu.stderr()}`, { cause });
  });
  let received = "";
  let watcher: () => void = () => undefined;
  let number = 0;
  socket.setEncoding("latin1").on("data", (text: string) => {
    received += text;
    watcher();
  });
  socket.on("close", () => watcher());

  const waitFor = async (pattern: RegExp, what: string, limitMs: number): Promise<RegExpMatchArray> => {
    const { promise, resolve, reject } = Promise.withResolvers<RegExpMatchArray>();
    watcher = () => {
      const match = received.match(pattern);
      if (match) resolve(match);
      else if (socket.closed || socket.destroyed) reject(new Error(`the machine ended: ${qemu.stderr()}`));
    };
    const timer = setTimeout(() => reject(new Error(`${what}: not within ${limitMs / 1000} s`)), limitMs);
    watcher();
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
    }
  };
  const type = (line: string): void => {
    number += 1;
    socket.write(`${number} ${Buffer.from(line).toString("base64")}\n`);
  };
  return {
    type,
    async booted(before) {
      const [, boot = ""] = await waitFor(new RegExp(`ready (?!${before || "none"})(\\S+)\\n`), "the machine did not boot", BOOT_LIMIT_MS);
      received = "";
      return boot;
    },
    async sh(line) {
      type(line);
      const [, code, printed = ""] = await waitFor(new RegExp(`(?:^|\\n)${number} (\\d+) (\\S*)\\n`), line, LINE_LIMIT_MS);
      received = "";
      const text = Buffer.from(printed, "base64").toString().replace(/\n$/, "");
      if (code !== "0") throw new Error(`on the machine: ${line}\nexit code ${code}: ${text}`);
      return text;
    },
  };
}
