import type { ImdsOptions } from "../../src/sim/imds.ts";
import { SIM_INSTANCE_ROLE } from "../../src/sim/instance-facts.ts";
import { handMovedClock } from "../support/hand-moved-clock.ts";
import { rawRequest } from "../support/raw-request.ts";
import { testImds, testSts } from "../support/sims.ts";
import { startTestDaemon } from "../support/test-daemon.ts";

/** The time that stands still in these tests, as HTTP writes it. */
export const NOW = "Tue, 24 Nov 2026 02:00:00 GMT";
/** Of whom the embedded STS takes every call. */
const BASE = { accessKeyId: "AKIATEST", secretAccessKey: "base", sessionToken: undefined, expiresAt: undefined, source: "environment" };
export const IAM = "/latest/meta-data/iam";
export const OWN_TARGETS = [IAM, `${IAM}/info`, `${IAM}/security-credentials/`, `${IAM}/security-credentials/web-role`];

/** The service's page, written down here once more and byte for byte. */
export const PAGE = [
  '<?xml version="1.0" encoding="iso-8859-1"?>',
  '<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Transitional//EN"',
  '\t"http://www.w3.org/TR/xhtml1/DTD/xhtml1-transitional.dtd">',
  '<html xmlns="http://www.w3.org/1999/xhtml" xml:lang="en" lang="en">',
  " <head>",
  "  <title>404 - Not Found</title>",
  " </head>",
  " <body>",
  "  <h1>404 - Not Found</h1>",
  " </body>",
  "</html>",
  "",
].join("\n");
export const NOT_FOUND = `HTTP/1.1 404 Not Found\r\nContent-Type: text/html\r\nContent-Length: 337\r\nDate: ${NOW}\r\nServer: EC2ws\r\nConnection: close\r\n\r\n${PAGE}`;

/** A gateway before an instance with a role of its own; the container `web` has `web-role`, unless told otherwise. */
export async function startIamGateway(
  options: { readonly imds?: Partial<ImdsOptions>; readonly flags?: Readonly<Record<string, unknown>> } = {},
) {
  const clock = handMovedClock();
  const imds = await testImds({ clock, role: SIM_INSTANCE_ROLE, ...options.imds });
  const sts = await testSts({ clock });
  const flags = {
    upstream: `http://127.0.0.1:${imds.endpoint.port}`,
    "sts-endpoint": `http://127.0.0.1:${sts.endpoint.port}`,
    workload: ["web=127.0.0.1"],
    bind: ["name:web=team/web-role"],
    ...options.flags,
  };
  const daemon = await startTestDaemon(flags, { clock, operatorCredentials: async () => BASE });
  imds.forget();
  const ask = async (request: string, sourceAddress?: string) => textOf(await rawRequest(daemon.endpoint, request, sourceAddress));
  return { imds, sts, clock, endpoint: daemon.endpoint, events: daemon.events, ask };
}

export function textOf({ bytes }: { readonly bytes: Buffer }): string {
  return bytes.toString("latin1");
}

export function request(
  target: string,
  { method = "GET", lines = [] }: { readonly method?: string; readonly lines?: readonly string[] } = {},
): string {
  return [`${method} ${target} HTTP/1.1`, "Host: a", ...lines, "", ""].join("\r\n");
}
