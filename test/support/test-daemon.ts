import { onTestFinished } from "vitest";
import type { Endpoint } from "../../src/address.ts";
import { parseConfig } from "../../src/config/config.ts";
import { createDaemon } from "../../src/daemon.ts";
import type { ImdsgateEvent } from "../../src/events.ts";
import { createWorld, type World } from "../../src/world.ts";

export interface TestDaemon {
  readonly endpoint: Endpoint;
  /** Everything the daemon told so far. */
  readonly events: ImdsgateEvent[];
  stop(): Promise<void>;
}

/** Nothing listens there. The default upstream is the real IMDS's address, which no test may dial. */
const NOWHERE = "http://127.0.0.1:9";

/** The whole daemon in this process, on a free loopback port, without rules and runtime unless `flags` says otherwise. It is stopped after the test. */
export async function startTestDaemon(flags: Readonly<Record<string, unknown>>, replaced: Partial<World> = {}): Promise<TestDaemon> {
  const config = parseConfig({
    flags: {
      listen: ["127.0.0.1:0"],
      rules: "none",
      runtime: "none",
      upstream: NOWHERE,
      region: "eu-central-1",
      account: "111122223333",
      ...flags,
    },
    environment: {},
  });
  const events: ImdsgateEvent[] = [];
  if (!config.upstream.host.startsWith("127.")) throw new Error("a test dials loopback alone");
  const operatorCredentials = async () => undefined;
  const daemon = createDaemon(config, { ...createWorld(config), operatorCredentials, ...replaced }, (event) => events.push(event), "0.0.0");
  let stopped: Promise<void> | undefined;
  const stop = () => (stopped ??= daemon.stop("the test is over"));
  onTestFinished(stop);
  await daemon.start();
  const [endpoint] = daemon.listening();
  if (!endpoint) throw new Error("the daemon listens nowhere");
  return { endpoint, events, stop };
}
