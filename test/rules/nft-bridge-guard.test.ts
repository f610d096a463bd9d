import { describe, expect, test } from "vitest";
import type { BridgeGuardState } from "../../src/rules/bridge-guard-set.ts";
import { nftBridgeGuardChange, nftBridgeGuardScript } from "../../src/rules/nft-bridge-guard.ts";

const WEB = { interfaceName: "veth1", macs: ["02:00:00:00:00:02"], addresses: ["172.17.0.2", "fd88::2"] };
const DB = { interfaceName: "veth2", macs: ["02:00:00:00:00:03"], addresses: ["172.17.0.3"] };
const STATE: BridgeGuardState = { ports: [WEB], hostAddresses: ["172.17.0.1"], bridges: ["docker0"] };

describe("the guard's text for nft", () => {
  test("replaces the table, with each set a line per element", () => {
    expect(nftBridgeGuardScript(STATE)).toBe(`add table bridge imdsgate
delete table bridge imdsgate
table bridge imdsgate {
  set alive {
    type iface_type
    flags timeout
    elements = { ether timeout 30s }
  }
  set veths {
    type ifname
    elements = {
      "veth1"
    }
  }
  set macs {
    type ether_addr
    elements = {
      02:00:00:00:00:02
    }
  }
  set ports {
    type ifname . ether_addr
    elements = {
      "veth1" . 02:00:00:00:00:02
    }
  }
  set addresses4 {
    type ipv4_addr
    elements = {
      172.17.0.2,
      172.17.0.1
    }
  }
  set endpoints4 {
    type ifname . ether_addr . ipv4_addr
    elements = {
      "veth1" . 02:00:00:00:00:02 . 172.17.0.2
    }
  }
  set addresses6 {
    type ipv6_addr
    elements = {
      fd88::2
    }
  }
  set endpoints6 {
    type ifname . ether_addr . ipv6_addr
    elements = {
      "veth1" . 02:00:00:00:00:02 . fd88::2
    }
  }
  set targets6 {
    typeof @th,64,128
    elements = {
      0xfd880000000000000000000000000002
    }
  }
  set claims6 {
    typeof iifname . ether saddr . @th,64,128
    elements = {
      "veth1" . 02:00:00:00:00:02 . 0xfd880000000000000000000000000002
    }
  }
  set bridges {
    type ifname
    elements = {
      "docker0"
    }
  }
  chain prerouting {
    type filter hook prerouting priority -310; policy accept;
    meta iiftype != @alive accept
    ether saddr @macs iifname . ether saddr != @ports counter drop
    iifname @veths meta protocol { 8021q, 8021ad } counter drop
    meta protocol arp arp saddr ip @addresses4 iifname . arp saddr ether . arp saddr ip != @endpoints4 counter drop
    meta protocol ip6 icmpv6 type { nd-router-solicit, nd-router-advert, nd-neighbor-solicit, nd-neighbor-advert, nd-redirect } ip6 saddr @addresses6 iifname . ether saddr . ip6 saddr != @endpoints6 counter drop
    meta protocol ip6 icmpv6 type nd-neighbor-advert @th,64,128 @targets6 iifname . ether saddr . @th,64,128 != @claims6 counter drop
    meta protocol ip6 icmpv6 type nd-neighbor-solicit ip6 saddr :: @th,64,128 @targets6 iifname . ether saddr . @th,64,128 != @claims6 counter drop
    meta protocol ip6 icmpv6 type { nd-router-advert, nd-redirect } iifname @veths counter drop
    meta protocol ip ip daddr 169.254.169.254 iifname . ether saddr . ip saddr @endpoints4 counter accept
    meta protocol ip ip daddr 169.254.169.254 iifname @veths counter drop
    meta protocol ip ip daddr 169.254.169.254 ip saddr @addresses4 counter drop
    meta protocol ip6 ip6 daddr fd00:ec2::254 iifname . ether saddr . ip6 saddr @endpoints6 counter accept
    meta protocol ip6 ip6 daddr fd00:ec2::254 iifname @veths counter drop
    meta protocol ip6 ip6 daddr fd00:ec2::254 ip6 saddr @addresses6 counter drop
  }
}
`);
  });

  test("has no elements where nothing is known, and the same rules", () => {
    const script = nftBridgeGuardScript({ ports: [], hostAddresses: [], bridges: [] });
    expect(script.replace("elements = { ether timeout 30s }", "")).not.toContain("elements");
    const rulesOf = (text: string) => text.slice(text.indexOf("  chain prerouting"));
    expect(rulesOf(script)).toBe(rulesOf(nftBridgeGuardScript(STATE)));
  });

  test("gives every veth of a container all its MACs and addresses", () => {
    const macs = ["02:00:00:00:00:02", "02:00:00:00:01:02"];
    const addresses = ["172.17.0.2", "172.18.0.2"];
    const both = ["veth1", "veth2"].map((interfaceName) => ({ interfaceName, macs, addresses }));
    const change = nftBridgeGuardChange({ ports: [], hostAddresses: [], bridges: [] }, { ports: both, hostAddresses: [], bridges: [] });
    const [, elements = ""] = /endpoints4 \{ (.*) \}/.exec(change) ?? [];
    const wanted = ["veth1", "veth2"].flatMap((veth) =>
      macs.flatMap((mac) => addresses.map((address) => `"${veth}" . ${mac} . ${address}`)),
    );
    expect(elements.split(", ")).toEqual(wanted);
  });

  test("adds what is new before it deletes what is gone", () => {
    expect(nftBridgeGuardChange(STATE, { ...STATE, ports: [DB] })).toBe(`add element bridge imdsgate veths { "veth2" }
add element bridge imdsgate macs { 02:00:00:00:00:03 }
add element bridge imdsgate ports { "veth2" . 02:00:00:00:00:03 }
add element bridge imdsgate addresses4 { 172.17.0.3 }
add element bridge imdsgate endpoints4 { "veth2" . 02:00:00:00:00:03 . 172.17.0.3 }
delete element bridge imdsgate veths { "veth1" }
delete element bridge imdsgate macs { 02:00:00:00:00:02 }
delete element bridge imdsgate ports { "veth1" . 02:00:00:00:00:02 }
delete element bridge imdsgate addresses4 { 172.17.0.2 }
delete element bridge imdsgate endpoints4 { "veth1" . 02:00:00:00:00:02 . 172.17.0.2 }
delete element bridge imdsgate addresses6 { fd88::2 }
delete element bridge imdsgate endpoints6 { "veth1" . 02:00:00:00:00:02 . fd88::2 }
delete element bridge imdsgate targets6 { 0xfd880000000000000000000000000002 }
delete element bridge imdsgate claims6 { "veth1" . 02:00:00:00:00:02 . 0xfd880000000000000000000000000002 }
`);
  });

  test("changes nothing where nothing differs", () => {
    expect(nftBridgeGuardChange(STATE, { ...STATE, ports: [{ ...WEB }] })).toBe("");
  });

  test("keeps what another port still owns", () => {
    const twin = { ...WEB, interfaceName: "veth9" };
    expect(nftBridgeGuardChange({ ...STATE, ports: [WEB, twin] }, STATE)).toBe(`delete element bridge imdsgate veths { "veth9" }
delete element bridge imdsgate ports { "veth9" . 02:00:00:00:00:02 }
delete element bridge imdsgate endpoints4 { "veth9" . 02:00:00:00:00:02 . 172.17.0.2 }
delete element bridge imdsgate endpoints6 { "veth9" . 02:00:00:00:00:02 . fd88::2 }
delete element bridge imdsgate claims6 { "veth9" . 02:00:00:00:00:02 . 0xfd880000000000000000000000000002 }
`);
  });

  test.for([
    { address: "::1", bytes: "0x1" },
    { address: "fe80::", bytes: "0xfe800000000000000000000000000000" },
    { address: "1:2:3:4:5:6:7:8", bytes: "0x10002000300040005000600070008" },
    { address: "d88::ff:fe00:2", bytes: "0xd88000000000000000000fffe000002" },
  ])("writes $address as the number that a message holds", ({ address, bytes }) => {
    const change = nftBridgeGuardChange({ ...STATE, hostAddresses: [] }, { ...STATE, hostAddresses: [address] });
    expect(change).toBe(`add element bridge imdsgate addresses6 { ${address} }\nadd element bridge imdsgate targets6 { ${bytes} }\n`);
  });
});
