import { expect, onTestFinished, test } from "vitest";
import { runRules } from "../../src/commands/rules.ts";
import { dumpRules } from "./dump.ts";
import { startHostNamespace } from "./namespace.ts";

/** A host with an uplink, and `imdsgate rules …` on it: exit code, stdout, stderr. */
async function startHost() {
  const host = await startHostNamespace();
  onTestFinished(() => host[Symbol.asyncDispose]());
  await host.sh("ip", ["-batch", "-"], "link add ens5 type veth peer name far\nlink set ens5 up\nroute add default dev ens5\n");
  const rules = async (action: "show" | "apply" | "remove", flags: Readonly<Record<string, unknown>> = {}) => {
    const said = { out: "", err: "" };
    const io = {
      out: (text: string) => {
        said.out += text;
      },
      err: (text: string) => {
        said.err += text;
      },
      isTerminal: false,
      signal: new AbortController().signal,
      environment: {},
    };
    const exitCode = await runRules({ action, all: false, ...flags }, io, host.run);
    return { exitCode, ...said };
  };
  return { host, rules };
}

const OWN_TABLE = "nftables: nft is installed, and a table of our own outlives what others do to iptables.\n";
const GONE = "containers reach the real metadata service, and with it the role of this host.\n";

test("apply, apply --all and remove say what containers see then, and repeat without harm", async () => {
  const { host, rules } = await startHost();
  const before = await dumpRules(host);
  const closed = {
    exitCode: 0,
    out: "The closed part is in: containers reach no metadata until imdsgate runs, or until imdsgate rules remove.\n",
    err: OWN_TABLE,
  };
  expect(await rules("apply")).toEqual(closed);
  expect(await rules("apply")).toEqual(closed);
  expect(await rules("apply", { all: true, listen: ["0.0.0.0:8111"] })).toEqual({
    exitCode: 0,
    out: "All rules are in: what containers ask of the metadata service goes to port 8111, and nowhere while no gateway listens there.\n",
    err: OWN_TABLE,
  });
  expect(await rules("remove")).toEqual({ exitCode: 0, out: `The rules of imdsgate are gone (nftables): ${GONE}`, err: "" });
  expect(await rules("remove")).toEqual({ exitCode: 0, out: `There were no rules of imdsgate: ${GONE}`, err: "" });
  expect(await dumpRules(host)).toBe(before);
});

test.for([
  { backend: "nftables", flags: { rules: "nftables" } },
  { backend: "iptables", flags: { rules: "iptables" } },
])("apply keeps the redirect of a gateway that may be running, in $backend, and says so", async ({ flags }) => {
  const { host, rules } = await startHost();
  await rules("apply", { ...flags, all: true, listen: ["0.0.0.0:8111"] });
  const running = await dumpRules(host);
  const kept = await rules("apply", { ...flags, listen: ["0.0.0.0:8111"] });
  expect([kept.out, kept.err.split("\n").slice(1)]).toEqual([
    "All rules are in: what containers ask of the metadata service goes to port 8111, and nowhere while no gateway listens there.\n",
    ["The redirect to port 8111 stands and is kept, for a gateway may run there. imdsgate rules remove takes it out.", ""],
  ]);
  expect(await dumpRules(host)).toBe(running);

  const other = await rules("apply", flags);
  expect(other.err.split("\n")[1]).toBe(
    "The redirect to port 8111 stands and is kept, for a gateway may run there (--listen says 18169: with --all it would lead there). imdsgate rules remove takes it out.",
  );
  expect(await dumpRules(host)).toBe(running);
});

test("apply keeps the redirect also where another backend put it in", async () => {
  const { host, rules } = await startHost();
  await rules("apply", { all: true });
  const running = await dumpRules(host);
  await rules("apply", { rules: "iptables", all: true });
  expect(await dumpRules(host)).not.toBe(running);
  await rules("apply");
  expect(await dumpRules(host)).toBe(running);
});

test("show prints what apply loads, with this host's uplink, and changes nothing", async () => {
  const { host, rules } = await startHost();
  const before = await dumpRules(host);
  const shown = await rules("show", { all: true });
  expect(shown).toMatchObject({ exitCode: 0, err: OWN_TABLE });
  expect(shown.out).toContain('iifname "ens5" return');
  expect(await dumpRules(host)).toBe(before);

  await rules("apply", { all: true });
  const applied = await dumpRules(host);
  await host.sh("nft", ["-f", "-"], shown.out);
  expect(await dumpRules(host)).toBe(applied);
});

test.for([
  { title: "a port that only the gateway will know", flags: { listen: ["0.0.0.0:0"] } },
  { title: "no rules at all", flags: { rules: "none" } },
])("what cannot be applied is bad usage: $title", async ({ flags }) => {
  const { rules } = await startHost();
  await expect(rules("apply", flags)).rejects.toMatchObject({ code: "CONFIG_INVALID" });
});
