import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { createServer as createTlsServer } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { ImdsgateError } from "../../src/errors.ts";
import { dockerRuntime } from "../../src/identity/docker.ts";
import type { DockerEndpoint } from "../../src/identity/docker-endpoint.ts";
import { type CertifiedKey, createAuthority } from "../support/certificates.ts";
import { handMovedClock } from "../support/hand-moved-clock.ts";
import { failureOf, ID, never, socketPath } from "./scripted-docker.ts";

const OURS = createAuthority("ours");
const THEIRS = createAuthority("theirs");
const LONG_AGO = new Date(Date.UTC(2021, 0, 1));

async function portOf(server: Server): Promise<number> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : 0;
}

const answerList = (_: unknown, response: { end: (body: string) => void }) => response.end(JSON.stringify([{ Id: ID }]));

/** A daemon on TLS that wants to see a certificate which `OURS` signed. */
const tlsDaemon = (own: CertifiedKey) =>
  portOf(createTlsServer({ ...own, ca: OURS.cert, requestCert: true, rejectUnauthorized: true }, answerList));

interface Files {
  readonly ca?: string;
  readonly client?: CertifiedKey;
}

/** The endpoint of `localhost`, with these files. */
function overTls(port: number, { ca = OURS.cert, client = OURS.certify("imdsgate") }: Files = {}, host = "localhost") {
  const folder = mkdtempSync(join(tmpdir(), "docker-tls-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const fileOf = (name: string) => join(folder, name);
  writeFileSync(fileOf("ca.pem"), ca);
  writeFileSync(fileOf("cert.pem"), client.cert);
  writeFileSync(fileOf("key.pem"), client.key);
  const tls = { ca: fileOf("ca.pem"), client: { cert: fileOf("cert.pem"), key: fileOf("key.pem") } };
  return { kind: "tcp", at: { host, port }, tls } as const;
}

const list = (endpoint: DockerEndpoint) => dockerRuntime(endpoint, handMovedClock()).listContainers(never);
const failure = (endpoint: DockerEndpoint) => failureOf(list(endpoint));

describe("over TCP", () => {
  test("a daemon is asked in plain, and over TLS when each knows the other", async () => {
    const plain = await portOf(createServer(answerList));
    expect(await list({ kind: "tcp", at: { host: "127.0.0.1", port: plain }, tls: undefined })).toEqual([ID]);
    expect(await list(overTls(await tlsDaemon(OURS.certify("localhost"))))).toEqual([ID]);
  });

  test("certificates are read with each question, so that renewed ones count", async () => {
    const endpoint = overTls(await tlsDaemon(OURS.certify("localhost")), { client: THEIRS.certify("imdsgate") });
    const runtime = dockerRuntime(endpoint, handMovedClock());
    expect(await failureOf(runtime.listContainers(never))).toMatch(/the cert\.pem of DOCKER_CERT_PATH/);
    const { cert, key } = OURS.certify("imdsgate");
    writeFileSync(endpoint.tls.client.cert, cert);
    writeFileSync(endpoint.tls.client.key, key);
    expect(await runtime.listContainers(never)).toEqual([ID]);
  });

  test("nobody who listens is not the same as nobody who could have containers", async () => {
    const server = createServer();
    const port = await portOf(server);
    server.close();
    await once(server, "close");
    const error = await list({ kind: "tcp", at: { host: "127.0.0.1", port }, tls: undefined }).catch((reason: unknown) => reason);
    expect(error).toMatchObject({
      code: "RUNTIME_UNAVAILABLE",
      message: `nothing answers on Docker at tcp://127.0.0.1:${port}: start Docker, or see DOCKER_HOST`,
    });
    expect(error instanceof ImdsgateError && error.cause instanceof Error && "code" in error.cause).toBe(false);
  });
});

describe("what is wrong with TLS is said:", () => {
  const UNAVAILABLE = "RUNTIME_UNAVAILABLE: ";
  const place = (port: number, host = "localhost") => `Docker at tcp://${host}:${port}`;

  test("the daemon's certificate is signed by another", async () => {
    const port = await tlsDaemon(THEIRS.certify("localhost"));
    expect(await failure(overTls(port))).toMatch(
      new RegExp(`^${UNAVAILABLE}the certificate of ${place(port)} is not signed by the ca\\.pem of DOCKER_CERT_PATH \\(.+\\)$`),
    );
  });

  test("the daemon's certificate is for another name", async () => {
    const port = await tlsDaemon(OURS.certify("docker.example"));
    expect(await failure(overTls(port))).toMatch(
      new RegExp(`^${UNAVAILABLE}the certificate of ${place(port)} is for another name: .*docker\\.example.*; see DOCKER_HOST$`),
    );
  });

  test("an address is no name", async () => {
    const port = await tlsDaemon(OURS.certify("localhost"));
    expect(await failure(overTls(port, {}, "127.0.0.1"))).toContain(`the certificate of ${place(port, "127.0.0.1")} is for another name`);
  });

  test("the daemon's certificate has ended", async () => {
    const port = await tlsDaemon(OURS.certify("localhost", LONG_AGO));
    expect(await failure(overTls(port))).toBe(
      `${UNAVAILABLE}the certificate of ${place(port)} does not hold at this time (certificate has expired): renew it, and see this host's clock`,
    );
  });

  test("the daemon does not know us", async () => {
    const port = await tlsDaemon(OURS.certify("localhost"));
    // The alert that says why can be lost: the daemon ends the connection while the question is still under way.
    const refused = new RegExp(
      `^${UNAVAILABLE}${place(port)} (?:refused|hung up: see whether it takes) the cert\\.pem of DOCKER_CERT_PATH \\(`,
    );
    expect(await failure(overTls(port, { client: THEIRS.certify("imdsgate") }))).toMatch(refused);
    expect(await failure({ ...overTls(port), tls: { ...overTls(port).tls, client: undefined } })).toMatch(refused);
  });

  test("a file is gone, which does not mean that Docker is", async () => {
    const endpoint = overTls(await tlsDaemon(OURS.certify("localhost")));
    rmSync(endpoint.tls.ca);
    const error = await list(endpoint).catch((reason: unknown) => reason);
    expect(error).toMatchObject({
      message: `cannot read ${endpoint.tls.ca}, which ${place(endpoint.at.port)} needs: see DOCKER_CERT_PATH`,
    });
    expect(error instanceof ImdsgateError && error.cause instanceof Error && "code" in error.cause).toBe(false);
  });

  test("a file is no certificate", async () => {
    const port = await tlsDaemon(OURS.certify("localhost"));
    expect(await failure(overTls(port, { client: { cert: "no certificate", key: "no key" } }))).toMatch(
      new RegExp(`^${UNAVAILABLE}no TLS with ${place(port)} \\(.+\\): see the files of DOCKER_CERT_PATH$`),
    );
  });

  test("the daemon does not speak TLS", async () => {
    const port = await portOf(createServer(answerList));
    expect(await failure(overTls(port))).toBe(
      `${UNAVAILABLE}${place(port)} does not speak TLS: unset DOCKER_TLS_VERIFY and DOCKER_CERT_PATH`,
    );
  });

  test("the daemon wants TLS, as Go's servers say it", async () => {
    const port = await portOf(
      createServer((_, response) => response.writeHead(400).end("Client sent an HTTP request to an HTTPS server.\n")),
    );
    expect(await failure({ kind: "tcp", at: { host: "localhost", port }, tls: undefined })).toBe(
      `${UNAVAILABLE}${place(port)} wants TLS: set DOCKER_TLS_VERIFY=1 and DOCKER_CERT_PATH`,
    );
  });
});

describe("a socket of containerd", () => {
  const GRPC =
    "does not speak Docker's API but, as it seems, gRPC, as the sockets of containerd (nerdctl) and CRI do: imdsgate needs the API of Docker or Podman";

  test("is told by the HTTP/2 that it speaks", async () => {
    const { createServer: createSocket } = await import("node:net");
    const path = socketPath();
    const settings = Buffer.from([0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 5, 0, 0, 64, 0]);
    const server = createSocket((socket) => void socket.on("error", () => {}).end(settings)).listen(path);
    onTestFinished(() => void server.close());
    expect(await failure({ kind: "unix", path })).toBe(`RUNTIME_UNAVAILABLE: the Docker socket ${path} ${GRPC}`);
  });

  test("is told by its name where it only hangs up", async () => {
    const { createServer: createSocket } = await import("node:net");
    const path = socketPath().replace("docker.sock", "containerd.sock");
    const server = createSocket((socket) => void socket.on("error", () => {}).end()).listen(path);
    onTestFinished(() => void server.close());
    expect(await failure({ kind: "unix", path })).toBe(`RUNTIME_UNAVAILABLE: the Docker socket ${path} ${GRPC}`);
  });
});
