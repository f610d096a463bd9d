import net from "node:net";
import type { Endpoint } from "../../src/address.ts";
import { sleep, systemClock } from "../../src/clock.ts";
import { parseConfig } from "../../src/config/config.ts";
import { createDaemon } from "../../src/daemon.ts";
import { type RunningImds, type SeenRequest, startImds } from "../../src/sim/imds.ts";
import { fixedTokens } from "../../src/sim/imds-tokens.ts";
import { SIM_FACTS } from "../../src/sim/instance-facts.ts";
import { startSts } from "../../src/sim/sts.ts";
import { type Connect, createWorld } from "../../src/world.ts";
import { GOOD_TOKEN } from "../support/sims.ts";
import { HOST_MARKER, keysOf, roleArnOf, SPEAKERS } from "./speakers.ts";

/** What reached the upstream since the last look. */
export interface UpstreamRecord {
  /** All bytes that were sent to it, a text for each connection. */
  readonly written: readonly string[];
  /** What the victim took them for. */
  readonly seen: readonly SeenRequest[];
}

/** A gateway between clients and a metadata service that can be fooled in every way. */
export interface FuzzStage extends AsyncDisposable {
  readonly gateway: Endpoint;
  setTokenUse(use: "optional" | "required"): void;
  /** What reached the upstream since the last call, and the bugs that the gateway told of. */
  takeRecord(): UpstreamRecord & { readonly bugs: readonly string[] };
}

/** Something to put between gateway and upstream, or in place of the gateway: to plant what has to be found. */
export interface Plant {
  readonly connect?: (connect: Connect) => Connect;
  readonly startGateway?: (upstream: Endpoint, connect: Connect) => Promise<AsyncDisposable & { readonly endpoint: Endpoint }>;
}

/** What the operator withholds from everybody. */
export const DENIED_PATH = "user-data";

const LOOPBACK = { host: "127.0.0.1", port: 0 };
const BASE = { accessKeyId: "AKIABASE", secretAccessKey: "base", sessionToken: undefined, expiresAt: undefined, source: "environment" };

/** Starts victim, STS and gateway in this process, on loopback. */
export async function startFuzzStage(plant: Plant = {}): Promise<FuzzStage> {
  const stack = new AsyncDisposableStack();
  const written: string[][] = [];
  const bugs: string[] = [];
  const imds = stack.use(await startVictim());
  const connect = plant.connect?.(recordingConnect(written)) ?? recordingConnect(written);
  const gateway = plant.startGateway
    ? stack.use(await plant.startGateway(imds.endpoint, connect)).endpoint
    : await startGateway(imds, { stack, connect, bugs });
  imds.forget();
  written.splice(0);
  return {
    gateway,
    setTokenUse: imds.setTokenUse,
    takeRecord() {
      const record = { written: written.splice(0).map((pieces) => pieces.join("")), seen: [...imds.requests], bugs: bugs.splice(0) };
      imds.forget();
      return record;
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

function startVictim(): Promise<RunningImds> {
  const tokens = fixedTokens([GOOD_TOKEN], 21_518);
  return startImds({ listen: LOOPBACK, clock: systemClock, behaviour: "victim", facts: SIM_FACTS, tokens, leakMarker: HOST_MARKER });
}

async function startGateway(
  imds: RunningImds,
  { stack, connect, bugs }: { stack: AsyncDisposableStack; connect: Connect; bugs: string[] },
): Promise<Endpoint> {
  const scripted = new Map((["alpha", "beta"] as const).map((name) => [roleArnOf(name), keysOf(name)]));
  const sts = stack.use(
    await startSts({
      listen: LOOPBACK,
      clock: systemClock,
      random: () => 0.5,
      baseCallerArn: "arn:aws:iam::111122223333:user/base",
      scripted,
    }),
  );
  const known = SPEAKERS.filter(({ name }) => name !== "unknown");
  const flags = {
    listen: ["127.0.0.1:0"],
    rules: "none",
    runtime: "none",
    upstream: `http://127.0.0.1:${imds.endpoint.port}`,
    "sts-endpoint": `http://127.0.0.1:${sts.endpoint.port}`,
    region: "eu-central-1",
    account: "111122223333",
    "deny-path": [DENIED_PATH],
    workload: known.flatMap(({ name, addresses }) => addresses.map((address, n) => `${name}-${n}=${address}`)),
    bind: [`name:alpha-*=${roleArnOf("alpha")}`, `name:beta-*=${roleArnOf("beta")}`],
  };
  const config = parseConfig({ flags, environment: {} });
  const world = { ...createWorld(config), connect, operatorCredentials: async () => BASE };
  const daemon = createDaemon(config, world, (event) => void (event.kind === "bug" && bugs.push(event.message)), "0.0.0");
  stack.defer(() => daemon.stop("the run is over"));
  await daemon.start();
  // On a busy machine the start does not wait for its question to the upstream, which is nobody's input.
  while (imds.requests.length === 0) await sleep(systemClock, 5);
  const [endpoint] = daemon.listening();
  if (!endpoint) throw new Error("the gateway listens nowhere");
  return endpoint;
}

/** Connects as the daemon does, and keeps what is written. */
function recordingConnect(written: string[][]): Connect {
  return ({ host, port }) => {
    const stream = net.connect({ host, port, allowHalfOpen: true, noDelay: true });
    const pieces: string[] = [];
    written.push(pieces);
    const { write } = stream;
    const recording = (...args: readonly unknown[]): unknown => {
      if (Buffer.isBuffer(args[0])) pieces.push(args[0].toString("latin1"));
      return Reflect.apply(write, stream, args);
    };
    Object.defineProperty(stream, "write", { value: recording, configurable: true });
    return stream;
  };
}
