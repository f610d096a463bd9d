import { expect, test } from "vitest";
import { parseSocketCgroup, socketCgroup } from "../../src/identity/socket-cgroup.ts";
import type { Source } from "../../src/identity/source.ts";
import { scriptedRun } from "../rules/scripted-run.ts";

const FROM = { host: "10.77.0.2", port: 40001 };
const IMDS4 = [{ host: "169.254.169.254", port: 80 }];
const SOURCE: Source = { address: FROM.host, port: FROM.port, local: { host: "127.0.0.1", port: 18169 }, acceptedAt: 0 };
const ASKED = "ss -Htn --cgroup state established state fin-wait-1 state fin-wait-2 sport = :40001";

test.for([
  { title: "a path", text: "ESTAB 0 0 10.77.0.2:40001 169.254.169.254:80 cgroup:/docker/abc\n", place: { path: "docker/abc" } },
  { title: "the root", text: "ESTAB 0 0 10.77.0.2:40001 169.254.169.254:80 cgroup:/\n", place: { path: "" } },
  {
    title: "no state column",
    text: "0      0      10.77.0.2:40001      169.254.169.254:80      cgroup:/docker/abc      \n",
    place: { path: "docker/abc" },
  },
  { title: "spaces in the path", text: "FIN-WAIT-1 0 7 10.77.0.2:40001 169.254.169.254:80 cgroup:/a b/c\n", place: { path: "a b/c" } },
  { title: "a number", text: "ESTAB 0 0 10.77.0.2:40001 169.254.169.254:80 cgroup:unreachable:dd4\n", place: { id: 0xdd4n } },
  {
    title: "a dual-stack socket",
    text: "ESTAB 0 0 [::ffff:10.77.0.2]:40001 [::ffff:169.254.169.254]:80 cgroup:/docker/abc\n",
    place: { path: "docker/abc" },
  },
  { title: "an interface", text: "ESTAB 0 0 10.77.0.2%eth0:40001 169.254.169.254:80 cgroup:/docker/abc\n", place: { path: "docker/abc" } },
  {
    title: "a timer's column",
    text: "ESTAB 0 0 10.77.0.2:40001 169.254.169.254:80 timer:(on,1s,0) cgroup:/docker/abc\n",
    place: { path: "docker/abc" },
  },
  {
    title: "another's connection from the same port",
    text: "ESTAB 0 0 10.77.0.2:40001 10.9.9.9:443 cgroup:/docker/other\n",
    place: undefined,
  },
  {
    title: "another address with the same port",
    text: "ESTAB 0 0 10.77.0.22:40001 169.254.169.254:80 cgroup:/docker/other\n",
    place: undefined,
  },
  { title: "another port of IMDS", text: "ESTAB 0 0 10.77.0.2:40001 169.254.169.254:8080 cgroup:/docker/other\n", place: undefined },
  { title: "the other direction", text: "ESTAB 0 0 169.254.169.254:80 10.77.0.2:40001 cgroup:/docker/other\n", place: undefined },
  { title: "no cgroup", text: "ESTAB 0 0 10.77.0.2:40001 169.254.169.254:80\n", place: undefined },
  { title: "an unknown word", text: "ESTAB 0 0 10.77.0.2:40001 169.254.169.254:80 cgroup:unreachable:\n", place: undefined },
  {
    title: "the right one among others",
    text: "ESTAB 0 0 10.77.0.2:40001 10.9.9.9:443 cgroup:/docker/other\nESTAB 0 0 10.77.0.2:40001 169.254.169.254:80 cgroup:/docker/abc\n",
    place: { path: "docker/abc" },
  },
  {
    title: "two that do not agree",
    text: "ESTAB 0 0 10.77.0.2:40001 169.254.169.254:80 cgroup:/docker/a\nESTAB 0 0 10.77.0.2:40001 169.254.169.254:80 cgroup:/docker/b\n",
    place: undefined,
  },
  { title: "nothing", text: "", place: undefined },
])("reads $title", ({ text, place }) => {
  expect(parseSocketCgroup(text, FROM, IMDS4)).toEqual(place);
});

test("reads IPv6", () => {
  const text = "ESTAB 0 0 [fd77::2]:40001 [fd00:ec2::254]:80 cgroup:/docker/abc\n";
  expect(parseSocketCgroup(text, { host: "fd77::2", port: 40001 }, [{ host: "fd00:ec2::254", port: 80 }])).toEqual({ path: "docker/abc" });
});

const NOWHERE = () => undefined;

test("asks ss for the open sockets of the source's port, and counts those to IMDS and to the gateway itself", async () => {
  const { run, calls } = scriptedRun({ [ASKED]: { stdout: "ESTAB 0 0 10.77.0.2:40001 127.0.0.1:18169 cgroup:/docker/abc\n" } });
  expect(await socketCgroup(run, SOURCE, NOWHERE)).toBe("docker/abc");
  expect(calls).toEqual([ASKED]);
});

test("is nobody's where ss is missing, or too old to know --cgroup", async () => {
  expect(await socketCgroup(scriptedRun({}).run, SOURCE, NOWHERE)).toBeUndefined();
  const old = { exitCode: 255, stdout: "ESTAB 0 0 10.77.0.2:40001 169.254.169.254:80 cgroup:/docker/abc\n" };
  expect(await socketCgroup(scriptedRun({ [ASKED]: old }).run, SOURCE, NOWHERE)).toBeUndefined();
});

test("a number is that of a path, or nobody's", async () => {
  const { run } = scriptedRun({ [ASKED]: { stdout: "ESTAB 0 0 10.77.0.2:40001 169.254.169.254:80 cgroup:unreachable:1fb88\n" } });
  expect(await socketCgroup(run, SOURCE, (id) => (id === 0x1fb88n ? "docker/abc" : undefined))).toBe("docker/abc");
  expect(await socketCgroup(run, SOURCE, NOWHERE)).toBeUndefined();
});
