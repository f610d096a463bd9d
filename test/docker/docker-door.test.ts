import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { createAuthority } from "../support/certificates.ts";
import { type DockerHost, startDockerHost } from "../support/docker-host/docker-host.ts";
import { startGateway, startRealImds, startSts } from "../support/docker-host/gateway.ts";
import { firstAction, roleSeenBy, seenFirst } from "../support/docker-host/metadata.ts";

const LIMIT_MS = 120_000;
const ASK = ["label:imdsgate.role=admin=admin-role", "label:imdsgate.role=web=web-role", "name:late*=late-role"];
const given = (role: string) => ({ status: "HTTP/1.1 200 OK", role });
const NONE = { status: "HTTP/1.1 404 Not Found", role: "" };

/** What the usual socket proxies are: haproxy that lets GET of a few sections through to the socket and forbids all else. */
const PROXY = `
defaults
  mode http
  timeout connect 10s
  timeout client 10m
  timeout server 10m
frontend docker
  bind 127.0.0.1:2375
  http-request deny unless METH_GET
  http-request allow if { path_reg ^(/v[\\d\\.]+)?/(_ping|version|containers|networks|images|events) }
  http-request deny
  default_backend docker
backend docker
  server docker /var/run/docker.sock
`;

let host: DockerHost;
let sts: string;

beforeAll(async () => {
  host = await startDockerHost();
  await startRealImds(host);
  sts = await startSts(host, "Canary0fTheTests");
  await host.run("docker", ["build", "--tag", "labelled", "-"], "FROM imdsgate-test\nLABEL imdsgate.role=admin vendor=someone\n");
}, LIMIT_MS);
afterAll(() => host.stop());

test("through a socket proxy that forbids all but reading, each container has its role; a label of its image alone counts for nothing", {
  timeout: LIMIT_MS,
}, async () => {
  await writeFile("/run/haproxy.cfg", PROXY);
  const proxy = host.start("haproxy", ["-db", "-f", "/run/haproxy.cfg"]);
  onTestFinished(async () => void (await proxy.stop()));
  const flags = [...ASK.flatMap((binding) => ["--bind", binding]), "--account", "123456789012", "--sts-endpoint", sts];
  const gateway = await startGateway(host, flags, { DOCKER_HOST: "tcp://127.0.0.1:2375" });
  onTestFinished(async () => void (await gateway.program.stop()));

  await start("asked-by-operator", "imdsgate-test", "--label", "imdsgate.role=admin");
  await start("asked-by-image", "labelled");
  await start("same-by-both", "labelled", "--label", "imdsgate.role=admin");
  await start("other-by-operator", "labelled", "--label", "imdsgate.role=web");
  expect({
    "asked-by-operator": await roleSeenBy(host, "asked-by-operator"),
    "asked-by-image": await roleSeenBy(host, "asked-by-image"),
    "same-by-both": await roleSeenBy(host, "same-by-both"),
    "other-by-operator": await roleSeenBy(host, "other-by-operator"),
  }).toEqual({
    "asked-by-operator": given("admin-role"),
    "asked-by-image": NONE,
    "same-by-both": NONE,
    "other-by-operator": given("web-role"),
  });

  const output = await host.docker("run", "--rm", "--name", "late", "imdsgate-test", ...firstAction(1));
  expect(seenFirst(output).seen).toEqual([given("late-role")]);
  expect(gateway.program.stderr()).toContain("DOCKER_HOST tcp://127.0.0.1:2375 is plain TCP");
});

test("a real dockerd over TLS is read by who has its authority's certificate, and by nobody else", { timeout: LIMIT_MS }, async () => {
  const authority = createAuthority("docker");
  const stranger = createAuthority("stranger");
  const daemon = authority.certify("localhost");
  await host.run("mkdir", ["/run/two", "/run/ours", "/run/strange", "/run/untrusting"]);
  await writeCertificates("/run/two", authority.cert, daemon);
  await writeCertificates("/run/ours", authority.cert, authority.certify("imdsgate"));
  await writeCertificates("/run/strange", authority.cert, stranger.certify("imdsgate"));
  await writeCertificates("/run/untrusting", stranger.cert, authority.certify("imdsgate"));
  const tls = ["--tlsverify", "--tlscacert", "/run/two/ca.pem", "--tlscert", "/run/two/cert.pem", "--tlskey", "/run/two/key.pem"];
  const own = ["--data-root", "/run/two/data", "--exec-root", "/run/two/exec", "--pidfile", "/run/two/pid"];
  const alone = ["--bridge", "none", "--iptables=false", "--ip6tables=false", "--host", "tcp://127.0.0.1:2376"];
  const dockerd = host.start("dockerd", [...own, ...alone, ...tls]);
  onTestFinished(async () => void (await dockerd.stop()));
  await dockerd.printed(/API listen on/);

  const [ours, strange, untrusting] = [await toldOf("/run/ours"), await toldOf("/run/strange"), await toldOf("/run/untrusting")];
  expect(ours).toBe("docker is listed: 0 containers");
  expect(strange).toMatch(/Docker at tcp:\/\/localhost:2376 (?:refused|hung up: see whether it takes) the cert\.pem of DOCKER_CERT_PATH/);
  expect(untrusting).toMatch(/the certificate of Docker at tcp:\/\/localhost:2376 is not signed by the ca\.pem of DOCKER_CERT_PATH/);
});

test("containerd's own socket is told from Docker's", { timeout: LIMIT_MS }, async () => {
  const socket = "/var/run/docker/containerd/containerd.sock";
  expect(await toldOf(undefined, "--docker-socket", socket)).toContain(
    `the Docker socket ${socket} does not speak Docker's API but, as it seems, gRPC`,
  );
});

/** What a gateway says of its runtime first, with the certificates of `folder`. */
async function toldOf(folder: string | undefined, ...flags: readonly string[]): Promise<string> {
  const env: Record<string, string> = folder === undefined ? {} : { DOCKER_HOST: "tcp://localhost:2376", DOCKER_CERT_PATH: folder };
  const quiet = ["--rules", "none", "--listen", "127.0.0.1:0", "--bind", "name:x=arn:aws:iam::123456789012:role/x", "--sts-endpoint", sts];
  const { program } = await startGateway(host, [...quiet, ...flags], env);
  const [line] = await program.printed(/^\{.*"imdsgate\.runtime-(?:dis)?connected".*\}$/m);
  await program.stop();
  return JSON.parse(line).message;
}

async function start(name: string, image: string, ...options: readonly string[]): Promise<void> {
  await host.docker("run", "--detach", "--name", name, ...options, image);
}

async function writeFile(path: string, text: string): Promise<void> {
  await host.run("bash", ["-c", 'cat >"$1"', "-", path], text);
}

async function writeCertificates(
  folder: string,
  ca: string,
  { cert, key }: { readonly cert: string; readonly key: string },
): Promise<void> {
  for (const [name, text] of Object.entries({ ca, cert, key })) await writeFile(`${folder}/${name}.pem`, text);
}
