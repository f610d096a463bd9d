import type { DockerHost } from "../../support/docker-host/docker-host.ts";
import { STS_ENDPOINT } from "./churn-stage.ts";

/** GetCallerIdentity signed with each key in turn; the embedded STS wants a signature and does not verify it. */
const ASK_STS = `
import json, re, sys, urllib.request
owners = {}
for key in json.load(sys.stdin):
    headers = {"Authorization": f"AWS4-HMAC-SHA256 Credential={key}/20260101/eu-west-1/sts/aws4_request, SignedHeaders=host, Signature=0"}
    body = b"Action=GetCallerIdentity&Version=2011-06-15"
    with urllib.request.urlopen(urllib.request.Request("${STS_ENDPOINT}", body, headers), timeout=10) as answer:
        owners[key] = re.search("<Arn>(.*?)</Arn>", answer.read().decode())[1]
print(json.dumps(owners))
`;

/** Asks STS whose keys these are. Keys that it never gave out are nobody's: it takes them for the base caller's. */
export async function askForOwners(host: DockerHost, accessKeyIds: ReadonlySet<string>): Promise<ReadonlyMap<string, string>> {
  const output = await host.run("/usr/bin/python3", ["-c", ASK_STS], JSON.stringify([...accessKeyIds]));
  const owners: Readonly<Record<string, string>> = JSON.parse(output);
  return new Map(Object.entries(owners));
}
