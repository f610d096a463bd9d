import { describe, expect, test } from "vitest";
import { chooseBackend, type IptablesProbe, type RulesProbe, type RulesWish } from "../../src/rules/choose-backend.ts";

const NFT: IptablesProbe = { program: "iptables-nft", holdsRules: false, hasDocker: false, refusesInput: false };
const LEGACY: IptablesProbe = { ...NFT, program: "iptables-legacy" };
const DEBIAN: RulesProbe = {
  hasNft: true,
  nftProblem: undefined,
  nftOwners: [],
  nft: NFT,
  legacy: LEGACY,
  standard: "nft",
  maySeeRules: true,
};

const OWN_TABLE = "nft is installed, and a table of our own outlives what others do to iptables.";
const STRICT = "INPUT of iptables refuses what it does not know, and only a rule in that very chain lets redirected requests in.";

interface Row {
  readonly host: string;
  readonly wish: RulesWish;
  readonly probe: RulesProbe;
  readonly backend: string;
  readonly program: string;
  readonly reason: string;
}

const ROWS: readonly Row[] = [
  { host: "a fresh Debian", wish: "auto", probe: DEBIAN, backend: "nftables", program: "nft", reason: OWN_TABLE },
  {
    host: "Docker on iptables-nft",
    wish: "auto",
    probe: { ...DEBIAN, nft: { ...NFT, holdsRules: true, hasDocker: true } },
    backend: "nftables",
    program: "nft",
    reason: OWN_TABLE,
  },
  {
    host: "ufw on iptables-nft",
    wish: "auto",
    probe: { ...DEBIAN, nft: { ...NFT, holdsRules: true, refusesInput: true } },
    backend: "iptables-nft",
    program: "iptables-nft",
    reason: STRICT,
  },
  {
    host: "a strict INPUT in legacy",
    wish: "auto",
    probe: { ...DEBIAN, legacy: { ...LEGACY, holdsRules: true, refusesInput: true } },
    backend: "iptables-legacy",
    program: "iptables-legacy",
    reason: STRICT,
  },
  {
    host: "a host whose only tool is an old iptables",
    wish: "auto",
    probe: { ...DEBIAN, hasNft: false, nft: undefined, legacy: { ...LEGACY, program: "iptables" }, standard: "legacy" },
    backend: "iptables-legacy",
    program: "iptables",
    reason: "nft is not installed, and this is what iptables means here.",
  },
  {
    host: "Docker in legacy on a host where iptables means nft",
    wish: "iptables",
    probe: { ...DEBIAN, nft: { ...NFT, holdsRules: true }, legacy: { ...LEGACY, holdsRules: true, hasDocker: true } },
    backend: "iptables-legacy",
    program: "iptables-legacy",
    reason: "--rules iptables asks for iptables, and Docker's rules are in this variant.",
  },
  {
    host: "rules in legacy on a host where iptables means nft",
    wish: "iptables",
    probe: { ...DEBIAN, legacy: { ...LEGACY, holdsRules: true } },
    backend: "iptables-legacy",
    program: "iptables-legacy",
    reason: "--rules iptables asks for iptables, and the rules of this host are in this variant.",
  },
  {
    host: "no rules, iptables means legacy",
    wish: "iptables",
    probe: { ...DEBIAN, standard: "legacy" },
    backend: "iptables-legacy",
    program: "iptables-legacy",
    reason: "--rules iptables asks for iptables, and this is what iptables means here.",
  },
  {
    host: "no plain iptables, legacy alone",
    wish: "iptables",
    probe: { ...DEBIAN, nft: undefined, standard: undefined },
    backend: "iptables-legacy",
    program: "iptables-legacy",
    reason: "--rules iptables asks for iptables, and it is the only variant here.",
  },
  {
    host: "a strict INPUT, but the operator wants nftables",
    wish: "nftables",
    probe: { ...DEBIAN, nft: { ...NFT, refusesInput: true } },
    backend: "nftables",
    program: "nft",
    reason: "--rules nftables asks for it.",
  },
  {
    host: "an ordinary user",
    wish: "auto",
    probe: { ...DEBIAN, maySeeRules: false },
    backend: "nftables",
    program: "nft",
    reason: `${OWN_TABLE.slice(0, -1)}; without root the rules of other programs could not be looked at.`,
  },
];

describe("the choice of a backend", () => {
  test.for(ROWS)("$host, --rules $wish: $backend", ({ wish, probe, backend, program, reason }) => {
    expect(chooseBackend(wish, probe)).toEqual({ backend, program, reason });
  });

  const BARE: RulesProbe = { ...DEBIAN, hasNft: false, nft: undefined, legacy: undefined, standard: undefined };
  test.for<{ wish: RulesWish; message: string }>([
    {
      wish: "auto",
      message:
        'nft is not installed, and iptables is not installed. Install the package "nftables" (or "iptables"), or run with --rules none.',
    },
    {
      wish: "iptables",
      message:
        '--rules iptables asks for iptables, and iptables is not installed. Install the package "nftables" (or "iptables"), or run with --rules none.',
    },
    {
      wish: "nftables",
      message:
        '--rules nftables needs the program "nft", which is not on this host. Install the package "nftables", or use --rules iptables.',
    },
  ])("a host without tools is told what to install: --rules $wish", ({ wish, message }) => {
    expect(() => chooseBackend(wish, BARE)).toThrow(expect.objectContaining({ code: "RULES_TOOL_MISSING", message }));
  });
});
