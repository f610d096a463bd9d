import { expect, test } from "vitest";
import { runSim } from "../../src/commands/sim.ts";
import { parseAnswer, rawRequest } from "../support/raw-request.ts";

const DEFAULTS = { listen: "127.0.0.1:0", tokens: "optional", refuse: [], canary: "" } as const;

/** Runs the command until `use` is done with the endpoint of its ready line; gives what `use` gave, the exit code and stdout. */
async function whileRunning<T>(args: Parameters<typeof runSim>[0], use: (endpoint: { host: string; port: number }) => Promise<T>) {
  const stop = new AbortController();
  const ready = Promise.withResolvers<string>();
  const io = { out: ready.resolve, err: () => {}, isTerminal: false, signal: stop.signal, environment: {} };
  const ended = runSim(args, io);
  const line = await Promise.race([ready.promise, ended.then(() => "ended too early")]);
  const [, port] = /^\{"event":"ready","listen":"127\.0\.0\.1:(\d+)"\}\n$/.exec(line) ?? [];
  try {
    const seen = await use({ host: "127.0.0.1", port: Number(port) });
    stop.abort();
    return { seen, exit: await ended };
  } finally {
    stop.abort();
  }
}

test("sim imds serves the embedded instance until it is told to stop", async () => {
  const result = await whileRunning({ ...DEFAULTS, service: "imds", tokens: "required" }, async (endpoint) => {
    const { bytes } = await rawRequest(endpoint, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    return parseAnswer(bytes).status;
  });
  expect(result).toEqual({ seen: 401, exit: 0 });
});

test("sim sts refuses the roles that it is told to refuse", async () => {
  const role = "arn:aws:iam::111122223333:role/forbidden";
  const result = await whileRunning({ ...DEFAULTS, service: "sts", refuse: [role] }, async ({ port }) => {
    const query = new URLSearchParams({ Action: "AssumeRole", RoleArn: role, RoleSessionName: "ab" });
    const headers = { Authorization: "AWS4-HMAC-SHA256 Credential=AKIA/x" };
    return (await fetch(`http://127.0.0.1:${port}/?${query}`, { headers })).status;
  });
  expect(result).toEqual({ seen: 403, exit: 0 });
});

test("sim names a --listen that is no endpoint", async () => {
  const io = { out: () => {}, err: () => {}, isTerminal: false, signal: AbortSignal.abort(), environment: {} };
  await expect(runSim({ ...DEFAULTS, service: "imds", listen: "nowhere" }, io)).rejects.toMatchObject({
    code: "CONFIG_INVALID",
    message:
      '--listen: "nowhere" is no address and port\n  allowed  ADDRESS:PORT, an IPv6 address in brackets, port 0 to 65535\n  example  --listen 0.0.0.0:18169',
  });
});
