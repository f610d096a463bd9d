import { expect, onTestFinished, test } from "vitest";
import { listForeignRefusals } from "../../src/rules/foreign-refusals.ts";
import { nftablesBackend } from "../../src/rules/nftables.ts";
import { GATEWAY_PORT, IMDS4, IMDS6, request, startNetwork } from "./network.ts";

/** A host whose administrator has a table of nftables of his own, which lets in what he knows and nothing else. */
const STRICT = `
table inet strict {
  chain input { type filter hook input priority filter; policy drop; ct state established,related accept; iifname "lo" accept; meta l4proto { icmp, ipv6-icmp } accept; }
}
`;

test("a strict chain of somebody else keeps redirected requests out, until the lines that are told let them in", async () => {
  const network = await startNetwork();
  onTestFinished(() => network[Symbol.asyncDispose]());
  const { host } = network;
  await nftablesBackend(host.run).apply({ parts: "all", gatewayPort: GATEWAY_PORT, uplinkInterfaces: ["eth0"], workloadInterfaces: [] });
  const asked = async (address: string, wanted: string) => await request(network, "ca", { host: address, port: 80 }, wanted);
  expect(await asked(IMDS4, "gateway")).toMatch(/^gateway saw 172\.30\.0\.2 /);

  await host.sh("nft", ["-f", "-"], STRICT);
  expect(await asked(IMDS4, "silence")).toBe("silence");
  expect(await asked(IMDS6, "silence")).toBe("silence");

  const [refusal] = await listForeignRefusals(host.run);
  expect(refusal?.chain).toBe("inet strict input");
  for (const line of refusal?.help ?? []) {
    const [program = "", ...args] = line.split(" ");
    await host.sh(program, args);
  }
  expect(await asked(IMDS4, "gateway")).toMatch(/^gateway saw 172\.30\.0\.2 /);
  expect(await asked(IMDS6, "gateway6")).toMatch(/^gateway6? saw fd88:1::2 /);
  expect(await listForeignRefusals(host.run)).toEqual([]);
});
