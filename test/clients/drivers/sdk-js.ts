// A driver (loop.sh tells what it is asked): the AWS SDK for JavaScript v3, with its default chain.
import { setTimeout as delay } from "node:timers/promises";
import { GetCallerIdentityCommand, STSClient } from "@aws-sdk/client-sts";
import manifest from "@aws-sdk/client-sts/package.json" with { type: "json" };
import { defaultProvider } from "@aws-sdk/credential-provider-node";

const [command = "", count = "0", gapSeconds = "0"] = process.argv.slice(2);
const tell = (line: object): void => console.log(JSON.stringify(line));

if (command === "version") console.log(manifest.version);
if (command === "use") {
  const sts = new STSClient({});
  for (let number = 0; number < Number(count); number += 1) {
    if (number > 0) await delay(Number(gapSeconds) * 1000);
    try {
      const { Arn } = await sts.send(new GetCallerIdentityCommand({}));
      tell({ arn: Arn, key: (await sts.config.credentials()).accessKeyId });
    } catch (error) {
      tell({ error: String(error) });
    }
  }
}
if (command === "time") {
  for (let number = 0; number < Number(count); number += 1) {
    const startedAt = performance.now();
    await defaultProvider()();
    tell({ ms: performance.now() - startedAt });
  }
}
