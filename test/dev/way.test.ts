import { describe, expect, test } from "vitest";
import { chooseWay, type Surroundings } from "../../src/dev/way.ts";

const DOCKER = { kind: "answers", gateways: ["172.17.0.1", "172.18.0.1"], system: "Ubuntu 24.04" } as const;
const SILENT = { kind: "silent", message: "the Docker socket /var/run/docker.sock may not be read" } as const;
const PODMAN = { kind: "podman" } as const;
const LINUX: Surroundings = { platform: "linux", isRoot: true, ownAddresses: new Set(["192.168.1.5", "172.17.0.1"]), docker: DOCKER };
const USER = { ...LINUX, isRoot: false };
const DESKTOP: Surroundings = {
  platform: "darwin",
  isRoot: false,
  ownAddresses: new Set(),
  docker: { kind: "answers", gateways: ["172.17.0.1"], system: "Docker Desktop" },
};
const LEFT = { rules: undefined, workloads: [] };
const named = (address: string) => ({ rules: undefined, workloads: [{ name: "app", address }] });
const at = (host: string) => ({ host, port: 18_169 });

describe("the way of containers to the gateway", () => {
  test.for([
    { what: "root on Linux with Docker", seen: LINUX, wishes: LEFT, kind: "redirect", listen: undefined },
    {
      what: "root on Linux, Docker not started yet",
      seen: { ...LINUX, docker: SILENT },
      wishes: LEFT,
      kind: "redirect",
      listen: undefined,
    },
    {
      what: "root on Linux without a runtime",
      seen: { ...LINUX, docker: { kind: "none" as const } },
      wishes: named("192.168.122.10"),
      kind: "redirect",
      listen: undefined,
    },
    { what: "root with Podman", seen: { ...LINUX, docker: PODMAN }, wishes: LEFT, kind: "redirect", listen: undefined },
    { what: "an ordinary user", seen: USER, wishes: LEFT, kind: "endpoint", listen: at("172.17.0.1") },
    {
      what: "an ordinary user with rules wanted",
      seen: USER,
      wishes: { ...LEFT, rules: "auto" },
      kind: "endpoint",
      listen: at("172.17.0.1"),
    },
    {
      what: "a container that owns the address",
      seen: { ...LINUX, ownAddresses: new Set(["172.19.0.3", "169.254.169.254"]) },
      wishes: LEFT,
      kind: "owner",
      listen: { host: "169.254.169.254", port: 80 },
    },
    { what: "rules chosen", seen: LINUX, wishes: { ...LEFT, rules: "iptables" }, kind: "given", listen: undefined },
    { what: "a workload on loopback, as root", seen: LINUX, wishes: named("127.0.0.1"), kind: "loopback", listen: at("127.0.0.1") },
    { what: "Docker Desktop and a workload", seen: DESKTOP, wishes: named("192.168.65.3"), kind: "loopback", listen: at("127.0.0.1") },
    {
      what: "no Docker, no root, a workload",
      seen: { ...USER, docker: SILENT },
      wishes: named("192.168.1.9"),
      kind: "loopback",
      listen: at("127.0.0.1"),
    },
  ])("$what: $kind", ({ seen, wishes, kind, listen }) => {
    expect(chooseWay(seen, wishes)).toEqual({ kind, listen, reason: expect.stringMatching(/^.{10,}[^.]$/) });
  });

  test.for([
    { what: "Docker Desktop", seen: DESKTOP, says: "Docker (Docker Desktop) keeps its containers in another kernel than this machine's" },
    {
      what: "Docker Desktop on Linux, also as root",
      seen: { ...LINUX, docker: DESKTOP.docker, ownAddresses: new Set(["192.168.1.5"]) },
      says: "Docker (Docker Desktop) has its bridges elsewhere",
    },
    {
      what: "a container without the host's network",
      seen: { ...LINUX, ownAddresses: new Set(["172.17.0.9"]) },
      says: "has its bridges elsewhere than in this network namespace",
    },
    {
      what: "an ordinary user whom Docker lets not in",
      seen: { ...USER, docker: SILENT },
      says: "Docker is silent (the Docker socket /var/run/docker.sock may not be read)",
    },
    {
      what: "an ordinary user with Podman",
      seen: { ...USER, docker: PODMAN },
      says: "Podman's bridges are root's, and without root no rule",
    },
    {
      what: "an ordinary user without a runtime",
      seen: { ...USER, docker: { kind: "none" as const } },
      says: "there is no runtime (--runtime none)",
    },
  ])("$what: nobody could be told from anybody, and it refuses", ({ seen, says }) => {
    expect(() => chooseWay(seen, LEFT)).toThrow(
      expect.objectContaining({ code: "CONFIG_INVALID", message: expect.stringContaining(says) }),
    );
    expect(() => chooseWay(seen, LEFT)).toThrow("--workload all=127.0.0.1 --default-role ROLE");
  });
});
