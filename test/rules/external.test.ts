import { describe, expect, onTestFinished, test } from "vitest";
import type { ImdsgateEvent } from "../../src/events.ts";
import { externalRedirect, watchExternalRedirect } from "../../src/rules/external.ts";
import { handMovedClock } from "../support/hand-moved-clock.ts";

function hostWith(listings: Readonly<Record<string, string>>) {
  const run = async (program: string) => ({ exitCode: 0, stdout: listings[program] ?? "", stderr: "", isMissing: !(program in listings) });
  return { run, clock: handMovedClock(), gatewayPort: 18_169 };
}

const natDump = (rules: string) => `*filter\n:INPUT ACCEPT [0:0]\nCOMMIT\n*nat\n:PREROUTING ACCEPT [0:0]\n${rules}\nCOMMIT\n`;
const NFT =
  "table ip nat {\n  chain PREROUTING {\n    ip daddr 169.254.169.254 tcp dport 80 counter packets 0 bytes 0 redirect to :18169\n  }\n}\n";

describe("rules that another unit owns", () => {
  test.for([
    { name: "nft, redirect", listings: { nft: NFT } },
    { name: "nft, dnat", listings: { nft: NFT.replace("redirect to", "dnat to 10.0.0.1") } },
    {
      name: "iptables, one rule",
      listings: {
        "iptables-nft-save": natDump(
          "-A PREROUTING -d 169.254.169.254/32 -p tcp -m tcp --dport 80 -j DNAT --to-destination 10.0.0.1:18169",
        ),
      },
    },
    {
      name: "iptables-legacy, a chain",
      listings: {
        "iptables-legacy-save": natDump("-A PREROUTING -d 169.254.169.254/32 -j X\n-A X -p tcp --dport 80 -j REDIRECT --to-ports 18169"),
      },
    },
  ])("are seen: $name", async ({ listings }) => {
    const waits: string[] = [];
    await externalRedirect(hostWith(listings), () => waits.push("waited"), new AbortController().signal);
    expect(waits).toEqual([]);
  });

  test("are seen in iptables-legacy without root too, who may not know which tables there are", async () => {
    const run = async (program: string, args: readonly string[]) => {
      if (program !== "iptables-legacy-save") return { exitCode: undefined, stdout: "", stderr: "", isMissing: true };
      if (args.length === 0) {
        return {
          exitCode: 1,
          stdout: "",
          stderr: "Failed to list table names in /proc/net/ip_tables_names: Permission denied\n",
          isMissing: false,
        };
      }
      return {
        exitCode: 0,
        stdout: natDump("-A PREROUTING -d 169.254.169.254/32 -p tcp -m tcp --dport 80 -j REDIRECT --to-ports 18169"),
        stderr: "",
        isMissing: false,
      };
    };
    const waits: string[] = [];
    await externalRedirect({ run, clock: handMovedClock(), gatewayPort: 18_169 }, () => waits.push("waited"), new AbortController().signal);
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

describe("rules that another unit owns, once they stood", () => {
  const GONE = {
    kind: "rules-unkept",
    backend: "external",
    message:
      '--rules external: no rule leads 169.254.169.254 to this gateway any more, so containers may reach the real IMDS. Have the unit that owns the rules put them in anew, or use "imdsgate rules apply --all --listen 0.0.0.0:18169"',
  };
  const BACK = { kind: "rules-note", message: "--rules external: the rules lead 169.254.169.254 to this gateway again" };

  /** A watch over a host of which `state` says what `nft` lists. `looks` moves the time on by as many looks. */
  async function startWatch() {
    const clock = handMovedClock();
    const state = { nft: NFT, exitCode: 0 };
    const run = async (program: string) =>
      program === "nft"
        ? { exitCode: state.exitCode, stdout: state.nft, stderr: "", isMissing: false }
        : { exitCode: undefined, stdout: "", stderr: "", isMissing: true };
    const events: ImdsgateEvent[] = [];
    const ending = new AbortController();
    const watching = watchExternalRedirect({ run, clock, gatewayPort: 18_169 }, (event) => events.push(event), ending.signal);
    onTestFinished(async () => {
      ending.abort();
      await watching;
    });
    const looked = async () => {
      while (clock.untilNext() === undefined) await new Promise((resolve) => setImmediate(resolve));
    };
    await looked();
    async function looks(count: number): Promise<void> {
      for (let look = 0; look < count; look += 1) {
        clock.advance(10_000);
        await looked();
      }
    }
    return { state, events, looks };
  }

  test("are told of once when they are gone, and once when they are back", async () => {
    const { state, events, looks } = await startWatch();
    await looks(2);
    expect(events).toEqual([]);
    state.nft = "";
    await looks(3);
    expect(events).toEqual([GONE]);
    state.nft = NFT;
    await looks(2);
    expect(events).toEqual([GONE, BACK]);
  });

  test("are not called gone because the tool that listed them fails", async () => {
    const { state, events, looks } = await startWatch();
    Object.assign(state, { nft: "", exitCode: undefined });
    await looks(2);
    expect(events).toEqual([]);
    state.exitCode = 0;
    await looks(1);
    expect(events).toEqual([GONE]);
  });
});
