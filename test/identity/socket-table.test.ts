import { once } from "node:events";
import { readFileSync } from "node:fs";
import net from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { procProcessTable } from "../../src/identity/process-table.ts";
import { listsConnection } from "../../src/identity/socket-table.ts";

const TCP = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 020011AC:9C40 FEA9FEA9:0050 01 00000000:00000000 00:00000000 00000000     0        0 23 1 0000000000000000 20 4 30 10 -1
   1: 020011AC:9C41 FEA9FEA9:0050 06 00000000:00000000 00:00000000 00000000     0        0 24 1 0000000000000000 20 4 30 10 -1
   2: 020011AC:9C42 FEA9FEA9:0050 05 00000000:00000000 00:00000000 00000000     0        0 25 1 0000000000000000 20 4 30 10 -1
`;
const TCP6 = `  sl  local_address                         remote_address                        st tx_queue rx_queue
   0: 0000000000000000FFFF0000020011AC:9C43 0000000000000000FFFF0000FEA9FEA9:0050 01 00000000:00000000
   1: 010088FD000000000000000002000000:9C44 C20E00FD000000000000000054020000:0050 01 00000000:00000000
`;
const IMDS4 = { host: "169.254.169.254", port: 80 };
const IMDS6 = { host: "fd00:ec2::254", port: 80 };

test.for([
  { name: "an open one", text: TCP, host: "172.17.0.2", port: 0x9c40, to: IMDS4, isListed: true },
  { name: "one whose client has sent all it had to", text: TCP, host: "172.17.0.2", port: 0x9c42, to: IMDS4, isListed: true },
  { name: "one that is over", text: TCP, host: "172.17.0.2", port: 0x9c41, to: IMDS4, isListed: false },
  { name: "another port", text: TCP, host: "172.17.0.2", port: 0x9c39, to: IMDS4, isListed: false },
  { name: "another address", text: TCP, host: "172.17.0.3", port: 0x9c40, to: IMDS4, isListed: false },
  { name: "another target", text: TCP, host: "172.17.0.2", port: 0x9c40, to: { ...IMDS4, port: 8080 }, isListed: false },
  { name: "one of a dual-stack socket", text: TCP6, host: "172.17.0.2", port: 0x9c43, to: IMDS4, isListed: true },
  { name: "one over IPv6", text: TCP6, host: "fd88:1::2", port: 0x9c44, to: IMDS6, isListed: true },
  { name: "nothing at all", text: "", host: "172.17.0.2", port: 0x9c40, to: IMDS4, isListed: false },
])("of connections, $name", ({ text, host, port, to, isListed }) => {
  expect(listsConnection(text, { from: { host, port }, to })).toBe(isListed);
});

/** A connection over loopback, and the process at its client's end: this one. */
async function openConnection(options: { readonly listen: string; readonly connect: string }) {
  const server = net.createServer((socket) => socket.on("error", () => {})).listen(0, options.listen);
  await once(server, "listening");
  const address = server.address();
  const port = address !== null && typeof address === "object" ? address.port : 0;
  const client = net.connect(port, options.connect);
  onTestFinished(() => {
    client.destroy();
    server.close();
  });
  await once(client, "connect");
  return { from: { host: options.connect, port: client.localPort ?? 0 }, to: { host: options.connect, port } };
}

test("the real kernel lists an open connection of this process, and not one that never was", async () => {
  const connection = await openConnection({ listen: "127.0.0.1", connect: "127.0.0.1" });
  const table = procProcessTable("/proc");
  const never = { ...connection, from: { ...connection.from, port: 1 } };
  expect([table.holdsConnection(process.pid, [connection]), table.holdsConnection(process.pid, [never])]).toEqual([true, false]);
  expect(table.holdsConnection(process.pid, [never, connection])).toBe(true);
  expect(readFileSync("/proc/self/net/tcp", "latin1")).toContain("0100007F");
});

test("there is no connection of a process that is not there", () => {
  const connection = { from: { host: "127.0.0.1", port: 1 }, to: IMDS4 };
  expect(procProcessTable("/proc").holdsConnection(2 ** 22 + 1, [connection])).toBeUndefined();
});
