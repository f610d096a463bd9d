import { expect, onTestFinished, test } from "vitest";
import { endOldFlows } from "../../src/rules/conntrack.ts";
import { nftablesBackend } from "../../src/rules/nftables.ts";
import { GATEWAY_PORT, IMDS4, startNetwork, timeoutFor } from "./network.ts";

test("the kernel forgets flows that IMDS itself answers: neither others, nor those that the gateway answers", async () => {
  const network = await startNetwork();
  onTestFinished(() => network[Symbol.asyncDispose]());
  const { host, outside, ca } = network;
  await outside.ask({ act: "listen", name: "other", host: "10.77.0.1", port: 9090 });
  // The kernel follows connections only where somebody's rules ask about them.
  await host.sh("nft", ["-f", "-"], "table ip other { chain c { type filter hook forward priority 0; ct state established accept; }; }\n");
  await ca.ask({ act: "open", key: "old", host: IMDS4, port: 80 });
  await ca.ask({ act: "open", key: "other", host: "10.77.0.1", port: 9090 });
  await nftablesBackend(host.run).apply({ parts: "all", gatewayPort: GATEWAY_PORT, uplinkInterfaces: ["eth0"], workloadInterfaces: [] });
  await ca.ask({ act: "open", key: "redirected", host: IMDS4, port: 80 });

  const flows = async () => {
    const lines = (await host.sh("conntrack", ["-L", "-p", "tcp", "--src", "172.30.0.2"])).split("\n");
    return lines.flatMap((line) => / dst=(\S+) .* src=(\S+) /.exec(line)?.slice(1).join(" answered by ") ?? []).sort();
  };
  const kept = ["10.77.0.1 answered by 10.77.0.1", `${IMDS4} answered by 172.30.0.1`];
  expect(await flows()).toEqual([...kept, `${IMDS4} answered by ${IMDS4}`].sort());
  expect(await endOldFlows(host.run)).toBe("ended");
  expect(await flows()).toEqual(kept);
  expect(await ca.ask({ act: "speak", key: "redirected", timeoutMs: timeoutFor("gateway") })).toBe("gateway saw 172.30.0.2 on 172.30.0.1");
});
