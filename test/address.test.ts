import { describe, expect, test } from "vitest";
import { canonicalAddress, endpointText, ipv6Bytes, isInBlock } from "../src/address.ts";

describe("one spelling for an address", () => {
  test.for([
    { text: "172.17.0.2", address: "172.17.0.2" },
    { text: "::ffff:172.17.0.2", address: "172.17.0.2" },
    { text: "::FFFF:ac11:2", address: "172.17.0.2" },
    { text: "FD88:0077:0001:0000:0000:0000:0000:0002", address: "fd88:77:1::2" },
    { text: "fe80::1%docker0", address: "fe80::1" },
    { text: "010.0.0.1", address: undefined },
    { text: "10.0.0.1/8", address: undefined },
    { text: "10.0.0.256", address: undefined },
    { text: "web", address: undefined },
    { text: "", address: undefined },
  ])("$text is $address", ({ text, address }) => expect(canonicalAddress(text)).toBe(address));
});

describe("an address in a block", () => {
  test.for([
    { address: "10.1.2.3", block: "10.0.0.0/8", isIn: true },
    { address: "11.1.2.3", block: "10.0.0.0/8", isIn: false },
    { address: "10.1.2.3", block: "10.1.2.3/32", isIn: true },
    { address: "192.0.2.1", block: "0.0.0.0/0", isIn: true },
    { address: "fd88::2", block: "fd00::/8", isIn: true },
    { address: "fe80::2", block: "fd00::/8", isIn: false },
    { address: "10.1.2.3", block: "::/0", isIn: false },
    { address: "fd88::2", block: "0.0.0.0/0", isIn: false },
    { address: "10.1.2.3", block: "10.0.0.0/33", isIn: false },
    { address: "10.1.2.3", block: "10.0.0.0/", isIn: false },
    { address: "10.1.2.3", block: "10.0.0.0", isIn: false },
    { address: "10.1.2.3", block: "10.0.0.0/8/8", isIn: false },
    { address: "10.1.2.3", block: "10.0.0.0/8.5", isIn: false },
    { address: "10.1.2.3", block: "10.0.0.0/1e1", isIn: false },
    { address: "fe80::1%eth0", block: "fe80::/10", isIn: false },
    { address: "fe80::1", block: "fe80::%eth0/10", isIn: false },
    { address: "web", block: "10.0.0.0/8", isIn: false },
    { address: "", block: "", isIn: false },
  ])("$address in $block: $isIn", ({ address, block, isIn }) => expect(isInBlock(address, block)).toBe(isIn));
});

describe("the bytes of an IPv6 address", () => {
  test.for([
    { address: "::", hex: "00000000000000000000000000000000" },
    { address: "::1", hex: "00000000000000000000000000000001" },
    { address: "fe80::", hex: "fe800000000000000000000000000000" },
    { address: "fd00:ec2::254", hex: "fd000ec2000000000000000000000254" },
    { address: "1:2:3::5:6:7:8", hex: "00010002000300000005000600070008" },
    { address: "2001:db8:1:2:3:4:5:ffff", hex: "20010db800010002000300040005ffff" },
  ])("$address is $hex", ({ address, hex }) => expect(ipv6Bytes(address).toString("hex")).toBe(hex));
});

test("an endpoint is written with its port, IPv6 in brackets", () => {
  expect([endpointText({ host: "0.0.0.0", port: 18169 }), endpointText({ host: "::", port: 18169 })]).toEqual([
    "0.0.0.0:18169",
    "[::]:18169",
  ]);
});
