import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import {
  type ProcessTable,
  parseCgroup,
  parseDevMcast,
  parseFibTrie,
  parseIfInet6,
  parseStartTime,
  procProcessTable,
  UNREADABLE,
} from "../../src/identity/process-table.ts";

const AFTER_NAME = "S 1 42 42 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 987654 8192 1 18446744073709551615";

const FIB_TRIE = `Main:
  +-- 0.0.0.0/0 3 0 5
     |-- 0.0.0.0
        /0 universe UNICAST
     +-- 127.0.0.0/8 2 0 2
        +-- 127.0.0.0/31 1 0 0
           |-- 127.0.0.0
              /8 host LOCAL
           |-- 127.0.0.1
              /32 host LOCAL
        |-- 127.255.255.255
           /32 link BROADCAST
     +-- 172.17.0.0/16 2 0 2
        +-- 172.17.0.0/30 2 0 2
           |-- 172.17.0.0
              /16 link UNICAST
           |-- 172.17.0.2
              /32 host LOCAL
        |-- 172.17.255.255
           /32 link BROADCAST
Local:
  +-- 172.18.0.0/16 2 0 2
     |-- 172.17.0.2
        /32 host LOCAL
     |-- 172.18.0.9
        /32 link UNICAST
        /32 host LOCAL
`;

const IF_INET6 = `00000000000000000000000000000001 01 80 10 80       lo
fd880077000100060000000000000002 1b 40 00 82     eth0
20010db8000000000000000000000001 1b 40 00 80     eth0
fe80000000000000004200fffe110002 1b 40 20 80     eth0
fd000000000000000000000000000009 01 80 00 80       lo
garbage
`;

describe("the start time", () => {
  test.for([
    { name: "an ordinary name", stat: `42 (nginx) ${AFTER_NAME}\n`, startTime: "987654" },
    { name: "a name with spaces and parentheses", stat: `42 (a (b) c) S 1) ${AFTER_NAME}\n`, startTime: "987654" },
    { name: "a name with a line end", stat: `42 (a\nb) ${AFTER_NAME}\n`, startTime: "987654" },
    { name: "a line cut short", stat: "42 (nginx) S 1 42", startTime: undefined },
    { name: "nothing", stat: "", startTime: undefined },
  ])("$name", ({ stat, startTime }) => expect(parseStartTime(stat)).toBe(startTime));
});

test("the IPv4 addresses are the host's own, each once, without loopback, broadcast and routes", () => {
  expect([...parseFibTrie(FIB_TRIE)]).toEqual(["172.17.0.2", "172.18.0.9"]);
});

test("the IPv6 addresses are those of global scope, without loopback and link-local", () => {
  expect([...parseIfInet6(IF_INET6)]).toEqual(["fd88:77:1:6::2", "2001:db8::1"]);
});

describe("the place in a tree of cgroups", () => {
  test.for([
    { name: "a host with that tree alone", text: "0::/system.slice/docker-ab.scope\n", cgroup: "system.slice/docker-ab.scope" },
    {
      name: "a host with trees of both versions",
      text: "12:memory:/docker/ab\n1:name=systemd:/docker/ab\n0::/system.slice/containerd.service\n",
      cgroup: "system.slice/containerd.service",
    },
    { name: "a host with trees of version 1 alone", text: "12:memory:/docker/ab\n10::/docker/ab\n", cgroup: undefined },
    { name: "the root", text: "0::/\n", cgroup: "" },
    { name: "a path with spaces and colons", text: "0::/a b/c::/d\n", cgroup: "a b/c::/d" },
    { name: "garbage", text: "0::\n0:/docker/ab\nx0::/docker/ab\n", cgroup: undefined },
    { name: "nothing", text: "", cgroup: undefined },
  ])("$name", ({ text, cgroup }) => expect(parseCgroup(text)).toBe(cgroup));

  const V1 = "12:cpu,cpuacct:/docker/ab\n1:name=systemd:/docker/cd\n0::/docker/ef\n";
  test.for([
    { controller: "name=systemd", cgroup: "docker/cd" },
    { controller: "cpuacct", cgroup: "docker/ab" },
    { controller: "pids", cgroup: undefined },
  ])("the tree of $controller, of cgroup version 1", ({ controller, cgroup }) => expect(parseCgroup(V1, controller)).toBe(cgroup));
});

const DEV_MCAST = `2    eth0            1     0     333300000001
2    eth0            1     0     01005e000001
18   eth1            1     0     01005e000001
`;

describe("the indexes of interfaces", () => {
  test.for([
    { name: "several lines of one interface", text: DEV_MCAST, indexes: [2, 18] },
    { name: "garbage", text: "eth0 2\n-1 eth0\n0 eth0\n7\n 8 eth0\n2.5 eth0\n", indexes: [] },
    { name: "nothing", text: "", indexes: [] },
  ])("$name", ({ text, indexes }) => expect(parseDevMcast(text)).toEqual(indexes));
});

function procAt(files: Readonly<Record<string, string>>) {
  const root = mkdtempSync(join(tmpdir(), "proc-"));
  onTestFinished(() => rmSync(root, { recursive: true }));
  mkdirSync(join(root, "42/net"), { recursive: true });
  for (const [path, text] of Object.entries(files)) writeFileSync(join(root, path), text);
  return { root, table: procProcessTable(root) };
}

function procOf(files: Readonly<Record<string, string>>): ProcessTable {
  return procAt(files).table;
}

function addressesOf(owned: ReturnType<ProcessTable["ownedAddresses"]>): readonly string[] {
  return typeof owned === "object" ? [...owned] : [String(owned)];
}

test("a table reads the files of a process, however long they are", () => {
  const many = Array.from({ length: 2000 }, (_, n) => `     |-- 10.0.${n >> 8}.${n & 255}\n        /32 host LOCAL\n`).join("");
  const table = procOf({ "42/stat": `42 (sh) ${AFTER_NAME}\n`, "42/net/fib_trie": FIB_TRIE + many, "42/net/if_inet6": IF_INET6 });
  const owned = addressesOf(table.ownedAddresses(42, "ipv4"));
  expect([table.startTime(42), owned.length, owned.includes("10.0.7.207")]).toEqual(["987654", 2002, true]);
});

test("the addresses of one family are read without a look at the other's", () => {
  const [four, six] = [procOf({ "42/net/fib_trie": FIB_TRIE }), procOf({ "42/net/if_inet6": IF_INET6 })];
  expect([four.ownedAddresses(42, "ipv4"), four.ownedAddresses(42, "ipv6")]).toEqual([new Set(["172.17.0.2", "172.18.0.9"]), undefined]);
  expect([six.ownedAddresses(42, "ipv4"), six.ownedAddresses(42, "ipv6")]).toEqual([undefined, new Set(["fd88:77:1:6::2", "2001:db8::1"])]);
});

test("a table reads where a process is in the cgroup2 tree, this one's too, and which interfaces its network has", () => {
  const { table, root } = procAt({ "42/cgroup": "0::/docker/ab\n", "42/net/dev_mcast": DEV_MCAST });
  mkdirSync(join(root, "self"));
  writeFileSync(join(root, "self/cgroup"), "0::/system.slice/imdsgate.service\n");
  expect([table.cgroup(42), table.cgroup("self"), table.interfaceIndexes(42)]).toEqual([
    "docker/ab",
    "system.slice/imdsgate.service",
    [2, 18],
  ]);
});

/** One socket of 172.17.0.2, as a program that speaks IPv4 alone has it, and one that does not. */
const TCP = "   0: 020011AC:9C40 FEA9FEA9:0050 01 00000000:00000000\n";
const TCP6 = "   0: 0000000000000000FFFF0000020011AC:9C41 0000000000000000FFFF0000FEA9FEA9:0050 01 00000000:00000000\n";
const [IN_TCP, IN_TCP6, NOWHERE] = [0x9c40, 0x9c41, 0x9c42].map((port) => ({
  from: { host: "172.17.0.2", port },
  to: { host: "169.254.169.254", port: 80 },
}));

describe("the connections of a process", () => {
  test.for<{ name: string; files: Readonly<Record<string, string>>; blocked?: string; holds: readonly (boolean | undefined | symbol)[] }>([
    { name: "are looked for in both lists", files: { tcp: TCP, tcp6: TCP6 }, holds: [true, true, false] },
    { name: "of a kernel without IPv6 are in the one list", files: { tcp: TCP }, holds: [true, false, false] },
    { name: "are not known where there is no list", files: {}, holds: [undefined, undefined, undefined] },
    {
      name: "that are listed are there, whatever else cannot be read",
      files: { tcp: TCP },
      blocked: "tcp6",
      holds: [true, UNREADABLE, UNREADABLE],
    },
    {
      name: "are not absent because the first list cannot be read",
      files: { tcp6: TCP6 },
      blocked: "tcp",
      holds: [UNREADABLE, true, UNREADABLE],
    },
    { name: "are not absent because the only list cannot be read", files: {}, blocked: "tcp", holds: [UNREADABLE, UNREADABLE, UNREADABLE] },
  ])("$name", ({ files, blocked, holds }) => {
    const { table, root } = procAt(Object.fromEntries(Object.entries(files).map(([name, text]) => [`42/net/${name}`, text])));
    if (blocked !== undefined) mkdirSync(join(root, "42/net", blocked));
    const asked = [IN_TCP, IN_TCP6, NOWHERE].flatMap((connection) => (connection === undefined ? [] : [connection]));
    expect(asked.map((connection) => table.holdsConnection(42, [connection]))).toEqual(holds);
  });

  test("are as many as are asked about: one of them is enough", () => {
    const { table } = procAt({ "42/net/tcp": TCP });
    const held = [NOWHERE, IN_TCP].flatMap((connection) => (connection === undefined ? [] : [connection]));
    expect([table.holdsConnection(42, held), table.holdsConnection(42, [])]).toEqual([true, false]);
  });
});

test("there is nothing to say of a process that is not there", () => {
  const table = procOf({});
  const said = [42, 43].flatMap((pid) => [
    table.startTime(pid),
    table.ownedAddresses(pid, "ipv4"),
    table.ownedAddresses(pid, "ipv6"),
    table.interfaceIndexes(pid),
    table.cgroup(pid),
  ]);
  expect(said).toEqual(Array(10).fill(undefined));
});

test.for([
  {
    title: "its start time cannot be opened",
    blocked: "42/stat",
    how: "loop",
    answers: [UNREADABLE, new Set(["172.17.0.2", "172.18.0.9"])],
  },
  {
    title: "its start time cannot be read",
    blocked: "42/stat",
    how: "directory",
    answers: [UNREADABLE, new Set(["172.17.0.2", "172.18.0.9"])],
  },
  { title: "its IPv4 addresses cannot be read", blocked: "42/net/fib_trie", how: "directory", answers: ["987654", UNREADABLE] },
  {
    title: "its IPv6 addresses cannot be opened",
    blocked: "42/net/if_inet6",
    how: "loop",
    family: "ipv6",
    answers: ["987654", UNREADABLE],
  },
] as const)("a process is not gone because $title", ({ blocked, how, answers, ...row }) => {
  const files = { "42/stat": `42 (sh) ${AFTER_NAME}\n`, "42/net/fib_trie": FIB_TRIE };
  const { table, root } = procAt(Object.fromEntries(Object.entries(files).filter(([path]) => path !== blocked)));
  if (how === "loop") symlinkSync(join(root, blocked), join(root, blocked));
  else mkdirSync(join(root, blocked));
  expect([table.startTime(42), table.ownedAddresses(42, "family" in row ? row.family : "ipv4")]).toEqual(answers);
});

test.for([
  { how: "opened", path: "42/net/dev_mcast", block: (path: string) => symlinkSync(path, path) },
  { how: "read", path: "42/net/dev_mcast", block: (path: string) => mkdirSync(path) },
  { how: "opened", path: "42/cgroup", block: (path: string) => symlinkSync(path, path) },
  { how: "read", path: "42/cgroup", block: (path: string) => mkdirSync(path) },
])("that $path cannot be $how says nothing of the process", ({ path, block }) => {
  const { table, root } = procAt({});
  block(join(root, path));
  const isCgroup = path === "42/cgroup";
  expect([table.interfaceIndexes(42), table.cgroup(42)]).toEqual(isCgroup ? [undefined, UNREADABLE] : [UNREADABLE, undefined]);
});

test("the kernel's own files are read: this process has one start time and its network's addresses", () => {
  const table = procProcessTable("/proc");
  const startTime = table.startTime(process.pid);
  expect(startTime).toMatch(/^\d+$/);
  expect([table.startTime(process.pid), addressesOf(table.ownedAddresses(process.pid, "ipv4")).includes("127.0.0.1")]).toEqual([
    startTime,
    false,
  ]);
});

test("a process that has ended owns nothing, reaped or not", async () => {
  // `sleep` never asks for the end of the child that it was given.
  const parent = spawn("sh", ["-c", "sleep 0 & echo $!; exec sleep 60"], { stdio: ["ignore", "pipe", "ignore"] });
  onTestFinished(() => void parent.kill("SIGKILL"));
  const [line]: Buffer[] = await once(parent.stdout, "data");
  const zombie = Number(line);
  const table = procProcessTable("/proc");
  await expect.poll(() => readFileSync(`/proc/${zombie}/stat`, "latin1")).toContain(") Z ");
  expect([table.startTime(zombie), table.ownedAddresses(zombie, "ipv4"), table.ownedAddresses(zombie, "ipv6")]).toEqual([
    expect.stringMatching(/^\d+$/),
    undefined,
    undefined,
  ]);
  parent.kill("SIGKILL");
  await once(parent, "exit");
  expect([table.startTime(parent.pid ?? 0), table.ownedAddresses(parent.pid ?? 0, "ipv4")]).toEqual([undefined, undefined]);
});
