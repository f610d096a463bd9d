import { describe, expect, test } from "vitest";
import type { BridgeGuardState } from "../../src/rules/bridge-guard-set.ts";
import { ebtablesBridgeGuardChange, ebtablesBridgeGuardScript } from "../../src/rules/ebtables-bridge-guard.ts";

const WEB = { interfaceName: "veth1", macs: ["02:00:00:00:00:02"], addresses: ["172.17.0.2", "fd88::2"] };
const DB = { interfaceName: "veth2", macs: ["02:00:00:00:00:03"], addresses: ["172.17.0.3"] };
const STATE: BridgeGuardState = { ports: [WEB], hostAddresses: ["172.17.0.1"], bridges: ["docker0"] };

describe("the guard's text for ebtables", () => {
  test("replaces every chain of ours in one transaction", () => {
    expect(ebtablesBridgeGuardScript(STATE)).toBe(`*nat
:IMDSGATE-GUARD RETURN
:IMDSGATE-MAC RETURN
:IMDSGATE-VETH RETURN
:IMDSGATE-ARP RETURN
:IMDSGATE-ND RETURN
:IMDSGATE-IP4 RETURN
:IMDSGATE-IP6 RETURN
:IMDSGATE-BRIDGES RETURN
:IMDSGATE-ADDED RETURN
-F IMDSGATE-GUARD
-F IMDSGATE-MAC
-F IMDSGATE-VETH
-F IMDSGATE-ARP
-F IMDSGATE-ND
-F IMDSGATE-IP4
-F IMDSGATE-IP6
-F IMDSGATE-BRIDGES
-F IMDSGATE-ADDED
-A IMDSGATE-GUARD -j IMDSGATE-MAC
-A IMDSGATE-GUARD -p 802_1Q --vlan-id 0 -j IMDSGATE-VETH
-A IMDSGATE-GUARD -p 0x88a8 -j IMDSGATE-VETH
-A IMDSGATE-GUARD -p ARP -j IMDSGATE-ARP
-A IMDSGATE-GUARD -p IPv6 --ip6-proto ipv6-icmp --ip6-icmp-type 133:137/0:255 -j IMDSGATE-ND
-A IMDSGATE-GUARD -p IPv6 --ip6-proto ipv6-icmp --ip6-icmp-type router-advertisement -j IMDSGATE-VETH
-A IMDSGATE-GUARD -p IPv6 --ip6-proto ipv6-icmp --ip6-icmp-type redirect -j IMDSGATE-VETH
-A IMDSGATE-GUARD -p IPv4 --ip-dst 169.254.169.254 -j IMDSGATE-IP4
-A IMDSGATE-GUARD -p IPv6 --ip6-dst fd00:ec2::254 -j IMDSGATE-IP6
-A IMDSGATE-MAC -s 02:00:00:00:00:02 -i veth1 -j RETURN
-A IMDSGATE-MAC -s 02:00:00:00:00:02 -j DROP
-A IMDSGATE-VETH -i veth1 -j DROP
-A IMDSGATE-ARP -p ARP -i veth1 --arp-ip-src 172.17.0.2 --arp-mac-src 02:00:00:00:00:02 -j RETURN
-A IMDSGATE-ARP -p ARP --arp-ip-src 172.17.0.1 -j DROP
-A IMDSGATE-ARP -p ARP --arp-ip-src 172.17.0.2 -j DROP
-A IMDSGATE-ND -p IPv6 -s 02:00:00:00:00:02 -i veth1 --ip6-src fd88::2 -j RETURN
-A IMDSGATE-ND -p IPv6 --ip6-src fd88::2 -j DROP
-A IMDSGATE-IP4 -p IPv4 -s 02:00:00:00:00:02 -i veth1 --ip-src 172.17.0.2 -j RETURN
-A IMDSGATE-IP4 -j IMDSGATE-VETH
-A IMDSGATE-IP4 -p IPv4 --ip-src 172.17.0.1 -j DROP
-A IMDSGATE-IP4 -p IPv4 --ip-src 172.17.0.2 -j DROP
-A IMDSGATE-IP6 -p IPv6 -s 02:00:00:00:00:02 -i veth1 --ip6-src fd88::2 -j RETURN
-A IMDSGATE-IP6 -j IMDSGATE-VETH
-A IMDSGATE-IP6 -p IPv6 --ip6-src fd88::2 -j DROP
-A IMDSGATE-BRIDGES -i docker0 -j CONTINUE
-I PREROUTING -j IMDSGATE-GUARD
COMMIT
`);
  });

  test("takes out the old jumps, and remembers what was not there before us", () => {
    const again = ebtablesBridgeGuardScript(STATE, { jumps: 2, chains: ["IMDSGATE-GUARD"], bridges: [], added: ["nat"] });
    const added = ["-A IMDSGATE-ADDED -i nat -j CONTINUE", "-D PREROUTING -j IMDSGATE-GUARD", "-D PREROUTING -j IMDSGATE-GUARD"];
    expect(again).toBe(ebtablesBridgeGuardScript(STATE).replace("-I PREROUTING", `${added.join("\n")}\n-I PREROUTING`));
  });

  test("lets new ones through ahead of all drops, and only then deletes what is gone", () => {
    expect(ebtablesBridgeGuardChange(STATE, { ...STATE, ports: [DB] })).toBe(`*nat
-I IMDSGATE-MAC -s 02:00:00:00:00:03 -i veth2 -j RETURN
-A IMDSGATE-MAC -s 02:00:00:00:00:03 -j DROP
-A IMDSGATE-VETH -i veth2 -j DROP
-I IMDSGATE-ARP -p ARP -i veth2 --arp-ip-src 172.17.0.3 --arp-mac-src 02:00:00:00:00:03 -j RETURN
-A IMDSGATE-ARP -p ARP --arp-ip-src 172.17.0.3 -j DROP
-I IMDSGATE-IP4 -p IPv4 -s 02:00:00:00:00:03 -i veth2 --ip-src 172.17.0.3 -j RETURN
-A IMDSGATE-IP4 -p IPv4 --ip-src 172.17.0.3 -j DROP
-D IMDSGATE-MAC -s 02:00:00:00:00:02 -i veth1 -j RETURN
-D IMDSGATE-MAC -s 02:00:00:00:00:02 -j DROP
-D IMDSGATE-VETH -i veth1 -j DROP
-D IMDSGATE-ARP -p ARP -i veth1 --arp-ip-src 172.17.0.2 --arp-mac-src 02:00:00:00:00:02 -j RETURN
-D IMDSGATE-ARP -p ARP --arp-ip-src 172.17.0.2 -j DROP
-D IMDSGATE-ND -p IPv6 -s 02:00:00:00:00:02 -i veth1 --ip6-src fd88::2 -j RETURN
-D IMDSGATE-ND -p IPv6 --ip6-src fd88::2 -j DROP
-D IMDSGATE-IP4 -p IPv4 -s 02:00:00:00:00:02 -i veth1 --ip-src 172.17.0.2 -j RETURN
-D IMDSGATE-IP4 -p IPv4 --ip-src 172.17.0.2 -j DROP
-D IMDSGATE-IP6 -p IPv6 -s 02:00:00:00:00:02 -i veth1 --ip6-src fd88::2 -j RETURN
-D IMDSGATE-IP6 -p IPv6 --ip6-src fd88::2 -j DROP
COMMIT
`);
  });

  test("changes nothing where nothing differs", () => {
    expect(ebtablesBridgeGuardChange(STATE, { ...STATE, ports: [{ ...WEB }] })).toBe("");
  });
});
