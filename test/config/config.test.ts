import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { parseConfig } from "../../src/config/config.ts";
import { keyOf, RUN_FLAGS, variableOf } from "../../src/config/flags.ts";

type Flags = Readonly<Record<string, unknown>>;
type Environment = Readonly<Record<string, string>>;

function parse(flags: Flags = {}, environment: Environment = {}) {
  return parseConfig({ flags, environment });
}

function fileOf(text: string): string {
  const folder = mkdtempSync(join(tmpdir(), "imdsgate-config-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const path = join(folder, "config.yaml");
  writeFileSync(path, text);
  return path;
}

function complaintOf(flags: Flags, environment: Environment = {}): string {
  try {
    parse(flags, environment);
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
  return "no complaint";
}

test("without any setting the defaults of docs/flags.md hold", () => {
  const { policy, ...config } = parse();
  expect({ ...policy, host: "" }).toEqual({
    bindings: [],
    defaultRole: undefined,
    sessionName: "{workload}-{id}",
    durationSeconds: 3_600,
    externalIds: new Map(),
    host: "",
    requireImdsv2: false,
  });
  expect(config).toEqual({
    account: undefined,
    region: undefined,
    workloads: [],
    hostRoles: [],
    listen: [
      { host: "0.0.0.0", port: 18_169 },
      { host: "::", port: 18_169 },
    ],
    upstream: { host: "169.254.169.254", port: 80 },
    stsEndpoint: undefined,
    rules: "auto",
    interfaces: [],
    runtime: "docker",
    docker: { kind: "unix", path: "/var/run/docker.sock" },
    deniedPaths: [],
    unknown: "metadata-only",
    unbound: "metadata-only",
    imdsRate: undefined,
    procRoot: "/proc",
    logLevel: "info",
    logFormat: "auto",
    warnings: [],
  });
});

describe("a wrong value names the flag, the value, what is allowed and an example", () => {
  test.for([
    { flag: "bind", value: "web" },
    { flag: "bind", value: "ftp:x=role" },
    { flag: "bind", value: "ip:999.1.1.1=role" },
    { flag: "role", value: "app=arn:aws:s3:::bucket" },
    { flag: "default-role", value: "not a role" },
    { flag: "account", value: "12" },
    { flag: "workload", value: "web" },
    { flag: "workload", value: "web=localhost" },
    { flag: "listen", value: "80" },
    { flag: "listen", value: "::1:80" },
    { flag: "listen", value: "localhost:80" },
    { flag: "listen", value: "127.0.0.1:65536" },
    { flag: "upstream", value: "https://169.254.169.254" },
    { flag: "upstream", value: "http://169.254.169.254/latest" },
    { flag: "sts-endpoint", value: "ftp://x" },
    { flag: "sts-endpoint", value: "https://user:secret@sts" },
    { flag: "rules", value: "pf" },
    { flag: "runtime", value: "lxd" },
    { flag: "interface", value: "a b" },
    { flag: "interface", value: "br*x" },
    { flag: "deny-path", value: "../x" },
    { flag: "deny-path", value: "api/token" },
    { flag: "deny-path", value: "latest/user-data" },
    { flag: "deny-path", value: "2021-03-23/user-data" },
    { flag: "region", value: "foo bar/../x" },
    { flag: "proc-root", value: "/nowhere" },
    { flag: "deny-path", value: "meta-data" },
    { flag: "deny-path", value: "meta-data/iam/info" },
    { flag: "unknown", value: "allow" },
    { flag: "unbound", value: "deny" },
    { flag: "imds-rate", value: "0" },
    { flag: "imds-rate", value: "fast" },
    { flag: "require-imdsv2", value: "perhaps" },
    { flag: "duration", value: "soon" },
    { flag: "duration", value: "899" },
    { flag: "session-name", value: "{nope}" },
    { flag: "session-scope", value: "host" },
    { flag: "external-id", value: "x" },
    { flag: "external-id", value: "app=é" },
    { flag: "log-level", value: "loud" },
  ])("--$flag $value", ({ flag, value }) => {
    const complaint = complaintOf({ [flag]: [value] });
    expect(complaint).toMatch(new RegExp(`^--${flag}: .+\\n {2}allowed {2}.+\\n {2}example {2}--${flag} .+$`));
    const example = complaint.slice(complaint.lastIndexOf(`--${flag} `) + flag.length + 3);
    const bind = flag === "external-id" ? { bind: [`name:a=${example.split("=", 1)[0]}`] } : {};
    expect(complaintOf({ ...bind, [flag]: [example], rules: flag === "rules" ? example : "nftables" })).toBe("no complaint");
  });
});

describe("what would be unsafe is refused", () => {
  test("a gateway that everyone can reach, unless it is wanted", () => {
    expect(complaintOf({ rules: "none" })).toContain("--listen-unprotected");
    expect(complaintOf({ rules: "none", "listen-unprotected": true })).toBe("no complaint");
    expect(complaintOf({ rules: "none", listen: ["127.0.0.1:0"] })).toBe("no complaint");
    expect(complaintOf({ rules: "none", listen: ["127.0.0.1:0", "[::]:0"] })).toContain("--listen-unprotected");
  });
  test("a workload on loopback while rules are wanted", () => {
    expect(complaintOf({ workload: ["web=127.0.0.1"] })).toContain("only with --rules none");
  });
  test("listeners on different ports, since the redirect has one", () => {
    expect(complaintOf({ listen: ["0.0.0.0:1", "[::]:2"] })).toContain("must share one port");
  });
  test("an external id for a role that no binding gives", () => {
    expect(complaintOf({ "external-id": ["web=partner-1"], bind: ["name:a=web-role"] })).toBe(
      '--external-id: no binding gives the role "web"; write it as the binding does',
    );
    expect(complaintOf({ "external-id": ["web-role=partner-1"], bind: ["name:a=web-role"] })).toBe("no complaint");
  });
  test("a listener that the redirect can never reach", () => {
    expect(complaintOf({ listen: ["127.0.0.1:18169"] })).toMatch(/^--listen 127\.0\.0\.1:18169: the redirect never leads to loopback/);
    expect(complaintOf({ listen: ["127.0.0.1:18169"], rules: "external" })).toBe("no complaint");
  });
  test("two workloads on one address", () => {
    expect(complaintOf({ workload: ["a=10.0.0.1", "b=10.0.0.1"] })).toBe(
      "--workload b=10.0.0.1: another workload has that address; one address is one workload",
    );
  });
  test("an alias, or an external id for a role, given twice", () => {
    const arn = "arn:aws:iam::111122223333:role/web";
    expect(complaintOf({ role: [`web=${arn}`, `web=${arn}2`] })).toBe('--role: the alias "web" is given twice');
    expect(complaintOf({ "external-id": ["web=one-1", "web=two-2"], bind: ["name:a=web"] })).toContain("two external ids");
  });
  test("a variable of ours that is no setting", () => {
    expect(complaintOf({}, { IMDSGATE_DENYPATH: "user-data" })).toMatch(
      /^IMDSGATE_DENYPATH: there is no such setting; allowed: IMDSGATE_BIND, /,
    );
  });
  test("an URL with a password, without repeating it", () => {
    expect(complaintOf({}, { AWS_ENDPOINT_URL: "https://user:hunter2@sts" })).toMatch(/^AWS_ENDPOINT_URL: the text is no URL/);
    expect(complaintOf({ "sts-endpoint": "https://user:hunter2@sts" })).not.toContain("hunter2");
  });
  test("a single value given twice", () => {
    expect(complaintOf({ region: ["a", "b"] })).toBe("--region was given 2 times; give it once");
  });
});

test.for(["aws-cn", "aws-us-gov", "aws-iso-b"])("roles of the partition %s stand wherever a role may stand (S7)", (partition) => {
  const arnOf = (name: string) => `arn:${partition}:iam::111122223333:role/team/${name}`;
  const config = fileOf(`role: { short: "${arnOf("a")}" }
bind:
  - name:a=short
  - name:b=${arnOf("b")}
  - { match: "name:c", role: "${arnOf("c")}", policyArns: "arn:${partition}:iam::aws:policy/ReadOnlyAccess" }
defaultRole: ${arnOf("d")}
externalId: ["${arnOf("b")}=partner-1", "short=partner-2"]
`);
  const { bindings, defaultRole } = parse({ config }).policy;
  const arns = [...bindings.map(({ role }) => role), defaultRole].map((role) => (role?.kind === "arn" ? role.role.arn : undefined));
  expect(arns).toEqual(["a", "b", "c", "d"].map(arnOf));
});

describe("where settings come from", () => {
  test("a flag wins over a variable, a variable over the file; lists replace", () => {
    const config = fileOf("region: from-file\nunknown: deny\ndenyPath: [user-data, dynamic]\n");
    const parsed = parse(
      { config, region: "from-flag" },
      { IMDSGATE_REGION: "from-variable", IMDSGATE_DENY_PATH: "meta-data/tags\nmeta-data/spot" },
    );
    expect([parsed.region, parsed.unknown, parsed.deniedPaths]).toEqual([
      "from-flag",
      "deny",
      [
        ["meta-data", "tags"],
        ["meta-data", "spot"],
      ],
    ]);
  });
  test("the variables of every SDK hold too", () => {
    const parsed = parse(
      {},
      { AWS_REGION: "eu-west-1", AWS_ENDPOINT_URL_STS: "http://127.0.0.1:4566", DOCKER_HOST: "unix:///run/other.sock" },
    );
    expect([parsed.region, parsed.stsEndpoint, parsed.docker]).toEqual([
      "eu-west-1",
      "http://127.0.0.1:4566",
      { kind: "unix", path: "/run/other.sock" },
    ]);
  });
  test("every flag has one key and one variable of its own", () => {
    const names = RUN_FLAGS.flatMap((flag) => [flag.name, keyOf(flag), variableOf(flag)]);
    expect(new Set(RUN_FLAGS.map(keyOf)).size).toBe(RUN_FLAGS.length);
    expect(names.filter((name) => name.startsWith("IMDSGATE_"))).toHaveLength(RUN_FLAGS.length);
  });
});

describe("the file", () => {
  test("has roles as a map and bindings as a list", () => {
    const config = fileOf(`role: { web: "arn:aws:iam::111122223333:role/shop/web" }
bind:
  - { match: "compose:shop/web", role: web, externalId: partner-1 }
  - name:php=php-role
`);
    expect(parse({ config }).policy.bindings.map(({ text, session }) => [text, session.externalId])).toEqual([
      ["compose:shop/web=web", "partner-1"],
      ["name:php=php-role", undefined],
    ]);
  });
  test.for([
    { text: "bindings: []\n", complaint: /line 1: unknown key "bindings"; allowed: bind, role/ },
    { text: "region: a\nregion: b\n", complaint: /line 2: Map keys must be unique/ },
    { text: "a: &x b\nregion: *x\n", complaint: /aliases .* not allowed|unknown key/ },
    { text: "- a\n", complaint: /must be a map/ },
    { text: "region: {a: b}\n", complaint: /line 1: \{"a":"b"\} stands where a text belongs/ },
    {
      text: "bind: [{match: 'name:a', role: b, nope: c}]\n",
      complaint: /unknown key "nope" in a binding; allowed: match, role, externalId, sessionName, sourceIdentity, tags, /,
    },
    { text: "region: [unclosed\n", complaint: /line \d/ },
    { text: "duration: 12\n", complaint: /line 1: "12" is no duration/ },
  ])("$text is refused with its place", ({ text, complaint }) => {
    expect(complaintOf({ config: fileOf(text) })).toMatch(complaint);
  });
  test("that is not there, or too large, is refused by its path", () => {
    expect(complaintOf({ config: "/nowhere/config.yaml" })).toMatch(/^--config \/nowhere\/config.yaml cannot be read: /);
    expect(complaintOf({ config: fileOf(`# ${"x".repeat(1_048_576)}\n`) })).toContain("larger than 1 MiB");
  });
  test("keeps an id of digits as it stands", () => {
    const config = fileOf("account: 000011112222\nbind: [{ match: 'name:a', role: b, externalId: 00123456 }]\n");
    const { account, policy } = parse({ config });
    expect([account, policy.bindings[0]?.session.externalId]).toEqual(["000011112222", "00123456"]);
  });
  test("that is empty sets nothing", () => {
    expect(parse({ config: fileOf("") }).unknown).toBe("metadata-only");
  });
});
