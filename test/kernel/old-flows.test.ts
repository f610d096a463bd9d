import { expect, onTestFinished, test } from "vitest";
import { endOldFlows } from "../../src/rules/conntrack.ts";
import { nftablesBackend } from "../../src/rules/nftables.ts";
import { GATEWAY_PORT, IMDS4, startNetwork } from "./network.ts";

test("the kernel forgets flows to the IMDS addresses, and no others", async () => {
  const network = await startNetwork();
  onTestFinished(() => network[Symbol.asyncDispose]());
  const { host, outside, ca } = network;
  await outside.ask({ act: "listen", name: "other", host: "10.77.0.1", port: 9090 });
  await nftablesBackend(host.run).apply({ parts: "all", gatewayPort: GATEWAY_PORT, uplinkInterfaces: ["eth0"], workloadInterfaces: [] });
  await ca.ask({ act: "open", key: "imds", host: IMDS4, port: 80 });
  await ca.ask({ act: "open", key: "other", host: "10.77.0.1", port: 9090 });

  const flows = async () => {
    const lines = (await host.sh("conntrack", ["-L", "-p", "tcp", "--src", "172.30.0.2"])).split("\n");
    return lines.flatMap((line) => / dst=(\S+) /.exec(line)?.[1] ?? []).sort();
  };
  expect(await flows()).toEqual(["10.77.0.1", IMDS4]);
  expect(await endOldFlows(host.run)).toBe("ended");
  expect(await flows()).toEqual(["10.77.0.1"]);
});
