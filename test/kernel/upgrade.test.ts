import { expect, onTestFinished, test } from "vitest";
import type { BackendName } from "../../src/rules/backend.ts";
import { createRules, removeAllRules } from "../../src/rules/rules.ts";
import { dumpRules } from "./dump.ts";
import { loadForeignRules } from "./foreign-rules.ts";
import { type Namespace, startHostNamespace } from "./namespace.ts";
import { GATEWAY_PORT } from "./network.ts";

/** Rules as an older version may have loaded them: other chains, other hooks, one chain that is called by another. */
const OLD_NFT = `
table inet imdsgate {
  chain redirect-imds { type nat hook prerouting priority dstnat - 10; policy accept; ip daddr 169.254.169.254 tcp dport 80 redirect to :8111; }
  chain guard { type filter hook input priority filter - 10; policy accept; tcp dport 8111 drop; }
}
table inet imdsgate-closed {
  chain stop { type filter hook forward priority filter - 20; policy accept; ip daddr 169.254.169.254 drop; }
}
`;
const OLD_IPTABLES = `*mangle
:IMDSGATE-OLD - [0:0]
:IMDSGATE-OLDER - [0:0]
-A IMDSGATE-OLD -j IMDSGATE-OLDER
-A IMDSGATE-OLDER -j DROP
-I FORWARD 1 -d ADDRESS -j IMDSGATE-OLD
-I OUTPUT 1 -d ADDRESS -p udp -j IMDSGATE-OLDER
COMMIT
*nat
:IMDSGATE-OLD - [0:0]
-A IMDSGATE-OLD -p tcp --dport 80 -j REDIRECT --to-ports 8111
-I PREROUTING 1 -d ADDRESS -j IMDSGATE-OLD
COMMIT
`;

/** Uses every built-in chain of the old rules and ours, so that nothing is left that only iptables-nft would have made. */
const CHAINS_IN_USE = `*mangle
-A FORWARD -p tcp --dport 25 -j ACCEPT
-A INPUT -p tcp --dport 25 -j ACCEPT
-A OUTPUT -p tcp --dport 25 -j ACCEPT
COMMIT
*nat
-A PREROUTING -p tcp --dport 25 -j ACCEPT
COMMIT
*filter
-A INPUT -p tcp --dport 25 -j ACCEPT
COMMIT
`;

async function startHost(backend: BackendName): Promise<Namespace> {
  const host = await startHostNamespace();
  onTestFinished(() => host[Symbol.asyncDispose]());
  await loadForeignRules(host);
  if (backend !== "nftables") for (const program of programsOf(backend)) await host.sh(program, ["--noflush"], CHAINS_IN_USE);
  return host;
}

const programsOf = (backend: BackendName) => [`${backend}-restore`, `${backend.replace("ip", "ip6")}-restore`];

async function loadOldRules(host: Namespace, backend: BackendName): Promise<void> {
  if (backend === "nftables") return void (await host.sh("nft", ["-f", "-"], OLD_NFT));
  for (const [index, program] of programsOf(backend).entries()) {
    await host.sh(program, ["--noflush"], OLD_IPTABLES.replaceAll("ADDRESS", index === 0 ? "169.254.169.254" : "fd00:ec2::254"));
  }
}

test.for(["nftables", "iptables-nft", "iptables-legacy"] as const)(
  "an upgrade of %s leaves no chain of the version before, neither after an apply nor after a removal",
  async (backend) => {
    const host = await startHost(backend);
    const before = await dumpRules(host);
    const rules = await createRules(host.run, backend === "nftables" ? "nftables" : "iptables", []);
    // Docker's rules are in both variants of iptables here, and the one of nft is looked at first.
    const applied = backend === "iptables-legacy" ? await legacyRules(host) : rules;
    await applied.apply("all", GATEWAY_PORT);
    const fresh = await dumpRules(host);
    await removeAllRules(host.run);
    expect(await dumpRules(host)).toBe(before);

    await loadOldRules(host, backend);
    expect(await dumpRules(host)).not.toBe(before);
    await applied.apply("all", GATEWAY_PORT);
    expect(await dumpRules(host)).toBe(fresh);
    expect(await applied.differences("all", GATEWAY_PORT)).toEqual([]);

    await loadOldRules(host, backend);
    expect(await removeAllRules(host.run)).toEqual([backend]);
    expect(await dumpRules(host)).toBe(before);
  },
);

/** On a host whose nft variant of iptables is not there. */
function legacyRules(host: Namespace) {
  const run: Namespace["run"] = (program, args, input) =>
    /^ip6?tables-nft/.test(program)
      ? Promise.resolve({ exitCode: undefined, stdout: "", stderr: "", isMissing: true })
      : host.run(program === "iptables" ? "iptables-legacy" : program, args, input);
  return createRules(run, "iptables", []);
}
