import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import {
  type ProcessTable,
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

test("there is nothing to say of a process that is not there", () => {
  const table = procOf({});
  const said = [42, 43].flatMap((pid) => [table.startTime(pid), table.ownedAddresses(pid, "ipv4"), table.ownedAddresses(pid, "ipv6")]);
  expect(said).toEqual(Array(6).fill(undefined));
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
