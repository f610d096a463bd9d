import { describe, expect, test } from "vitest";
import { externalRedirect } from "../../src/rules/external.ts";
import { handMovedClock } from "../support/hand-moved-clock.ts";

function hostWith(listings: Readonly<Record<string, string>>) {
  const run = async (program: string) => ({ exitCode: 0, stdout: listings[program] ?? "", stderr: "", isMissing: !(program in listings) });
  return { run, clock: handMovedClock(), gatewayPort: 18_169 };
}

const NFT =
  "table ip nat {\n  chain PREROUTING {\n    ip daddr 169.254.169.254 tcp dport 80 counter packets 0 bytes 0 redirect to :18169\n  }\n}\n";

describe("rules that another unit owns", () => {
  test.for([
    { name: "nft, redirect", listings: { nft: NFT } },
    { name: "nft, dnat", listings: { nft: NFT.replace("redirect to", "dnat to 10.0.0.1") } },
    {
      name: "iptables, one rule",
      listings: {
        "iptables-nft-save": "-A PREROUTING -d 169.254.169.254/32 -p tcp -m tcp --dport 80 -j DNAT --to-destination 10.0.0.1:18169\n",
      },
    },
    {
      name: "iptables-legacy, a chain",
      listings: {
        "iptables-legacy-save": "-A PREROUTING -d 169.254.169.254/32 -j X\n-A X -p tcp --dport 80 -j REDIRECT --to-ports 18169\n",
      },
    },
  ])("are seen: $name", async ({ listings }) => {
    const waits: string[] = [];
    await externalRedirect(hostWith(listings), () => waits.push("waited"), new AbortController().signal);
    expect(waits).toEqual([]);
  });

  test.for([
    { name: "none at all", listings: {} },
    { name: "another port", listings: { nft: NFT.replace("18169", "1816") } },
    { name: "another address", listings: { nft: NFT.replace("169.254.169.254", "10.0.0.9") } },
  ])("are waited for, once told and until asked to stop: $name", async ({ listings }) => {
    const waits: string[] = [];
    const stop = new AbortController();
    const host = hostWith(listings);
    const waited = externalRedirect(host, () => waits.push("waited"), stop.signal);
    while (host.clock.untilNext() === undefined) await new Promise((resolve) => setImmediate(resolve));
    host.clock.advance(1_000);
    while (host.clock.untilNext() === undefined) await new Promise((resolve) => setImmediate(resolve));
    stop.abort();
    await waited;
    expect(waits).toEqual(["waited"]);
  });
});
