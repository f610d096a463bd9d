import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { parseConfig } from "../../src/config/config.ts";

function dockerIn(environment: Readonly<Record<string, string>>, flags: Readonly<Record<string, unknown>> = {}) {
  const { docker, warnings } = parseConfig({ flags, environment });
  return { docker, warnings };
}

function folderWith(...names: readonly string[]): string {
  const folder = mkdtempSync(join(tmpdir(), "docker-certificates-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  for (const name of names) writeFileSync(join(folder, name), "");
  return folder;
}

const unix = (path: string) => ({ kind: "unix", path });

describe("the unix socket", () => {
  test.for([
    { name: "is the usual one", environment: {}, flags: {}, path: "/var/run/docker.sock" },
    { name: "is the usual one where DOCKER_HOST is empty", environment: { DOCKER_HOST: "" }, flags: {}, path: "/var/run/docker.sock" },
    {
      name: "is the usual one where DOCKER_HOST says unix://",
      environment: { DOCKER_HOST: "unix://" },
      flags: {},
      path: "/var/run/docker.sock",
    },
    { name: "is the one of DOCKER_HOST", environment: { DOCKER_HOST: "unix:///run/a b.sock" }, flags: {}, path: "/run/a b.sock" },
    {
      name: "is the one of --docker-socket, whatever DOCKER_HOST says",
      environment: { DOCKER_HOST: "ssh://me@elsewhere", DOCKER_CERT_PATH: "/nowhere" },
      flags: { "docker-socket": "/run/mine.sock" },
      path: "/run/mine.sock",
    },
    { name: "may be written as a URL", environment: {}, flags: { "docker-socket": "unix:///run/mine.sock" }, path: "/run/mine.sock" },
    { name: "is Podman's with --runtime podman", environment: {}, flags: { runtime: "podman" }, path: "/run/podman/podman.sock" },
  ])("$name", ({ environment, flags, path }) => expect(dockerIn({ ...environment }, flags)).toEqual({ docker: unix(path), warnings: [] }));
});

describe("DOCKER_HOST over TCP", () => {
  const PLAIN =
    "is plain TCP: whoever can answer there says which container is which; use a unix socket, or DOCKER_TLS_VERIFY and DOCKER_CERT_PATH";
  const HERE = "has to be this very host's daemon, as behind a socket proxy in a container: this host proves no containers of another";

  test.for([
    { host: "tcp://127.0.0.1:2375", at: { host: "127.0.0.1", port: 2375 }, warnings: [`DOCKER_HOST tcp://127.0.0.1:2375 ${PLAIN}`] },
    { host: "tcp://localhost", at: { host: "localhost", port: 2375 }, warnings: [`DOCKER_HOST tcp://localhost:2375 ${PLAIN}`] },
    { host: "tcp://[::1]:99/", at: { host: "::1", port: 99 }, warnings: [`DOCKER_HOST tcp://[::1]:99 ${PLAIN}`] },
    {
      host: "tcp://socket-proxy:2375",
      at: { host: "socket-proxy", port: 2375 },
      warnings: [`DOCKER_HOST tcp://socket-proxy:2375 ${PLAIN}`, `DOCKER_HOST tcp://socket-proxy:2375 ${HERE}`],
    },
  ])("$host is taken, and what is not wise about it is said", ({ host, at, warnings }) =>
    expect(dockerIn({ DOCKER_HOST: host })).toEqual({ docker: { kind: "tcp", at, tls: undefined }, warnings }),
  );

  test("is TLS with the files of DOCKER_CERT_PATH, on Docker's port for it", () => {
    const folder = folderWith("ca.pem", "cert.pem", "key.pem");
    const tls = { ca: `${folder}/ca.pem`, client: { cert: `${folder}/cert.pem`, key: `${folder}/key.pem` } };
    const docker = { kind: "tcp", at: { host: "127.0.0.1", port: 2376 }, tls };
    expect(dockerIn({ DOCKER_HOST: "tcp://127.0.0.1", DOCKER_TLS_VERIFY: "1", DOCKER_CERT_PATH: folder })).toEqual({
      docker,
      warnings: [],
    });
    expect(dockerIn({ DOCKER_HOST: "tcp://127.0.0.1", DOCKER_CERT_PATH: folder })).toEqual({ docker, warnings: [] });
  });

  test("is TLS with the files of the home folder where DOCKER_CERT_PATH is not set", () => {
    const home = folderWith();
    const environment = { DOCKER_HOST: "tcp://127.0.0.1", DOCKER_TLS_VERIFY: "1", HOME: home };
    expect(() => dockerIn(environment)).toThrow(`DOCKER_HOST: its TLS needs ${home}/.docker/ca.pem, which is not there`);
  });

  test("needs no certificate of its own where the daemon asks for none", () => {
    const folder = folderWith("ca.pem");
    expect(dockerIn({ DOCKER_HOST: "tcp://127.0.0.1", DOCKER_CERT_PATH: folder }).docker).toEqual({
      kind: "tcp",
      at: { host: "127.0.0.1", port: 2376 },
      tls: { ca: `${folder}/ca.pem`, client: undefined },
    });
  });

  test.for([
    { has: ["cert.pem", "key.pem"], missing: "ca.pem" },
    { has: ["ca.pem", "cert.pem"], missing: "key.pem" },
    { has: ["ca.pem", "key.pem"], missing: "cert.pem" },
  ])("without $missing is refused", ({ has, missing }) => {
    const folder = folderWith(...has);
    expect(() => dockerIn({ DOCKER_HOST: "tcp://127.0.0.1:2376", DOCKER_CERT_PATH: folder })).toThrow(
      `DOCKER_HOST: its TLS needs ${folder}/${missing}, which is not there\n  allowed  ca.pem, and cert.pem with key.pem, in the folder DOCKER_CERT_PATH names (~/.docker)`,
    );
  });
});

describe("what can not be this host's daemon is refused", () => {
  test.for([
    {
      host: "ssh://me@build-host",
      why: "leads to another host: run imdsgate there, since only a host's own processes prove who its containers are",
    },
    { host: "npipe:////./pipe/docker_engine", why: "is a pipe of Windows" },
    { host: "fd://", why: "is how dockerd is given its socket, not how it is reached" },
    { host: "http://127.0.0.1:2375", why: "is how a browser says it: write tcp://" },
    { host: "tcp://127.0.0.1:0", why: "is no place where Docker could be" },
    { host: "tcp://127.0.0.1:70000", why: "is no place where Docker could be" },
    { host: "tcp://127.0.0.1:2375/v1.41", why: "is no place where Docker could be" },
    { host: "tcp://", why: "is no place where Docker could be" },
    { host: "unix://docker.sock", why: "is no place where Docker could be" },
    { host: "/var/run/docker.sock", why: "is no place where Docker could be" },
  ])("$host", ({ host, why }) =>
    expect(() => dockerIn({ DOCKER_HOST: host })).toThrow(
      `DOCKER_HOST: ${JSON.stringify(host)} ${why}\n  allowed  unix:///PATH, or tcp://HOST:PORT of this host's own daemon (loopback, or a socket proxy in a container)\n  example  unix:///var/run/docker.sock`,
    ),
  );

  test("--docker-socket with TCP", () =>
    expect(() => dockerIn({}, { "docker-socket": "tcp://127.0.0.1:2375" })).toThrow(
      '--docker-socket: "tcp://127.0.0.1:2375" is no path\n  allowed  the path of a unix socket; TCP by DOCKER_HOST',
    ));

  test("but nobody looks at it with --runtime none", () =>
    expect(dockerIn({ DOCKER_HOST: "ssh://elsewhere" }, { runtime: "none" })).toEqual({ docker: undefined, warnings: [] }));
});
