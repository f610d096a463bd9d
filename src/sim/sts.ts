import { createServer, type IncomingMessage } from "node:http";
import type { Endpoint } from "../address.ts";
import { type Clock, sleep } from "../clock.ts";
import { listenOn } from "./listener.ts";
import { type Assumable, answerCall, type StsKnowledge } from "./sts-answer.ts";
import { delayIn, type StsState } from "./sts-faults.ts";
import { createSessions, type IssuedCredentials } from "./sts-sessions.ts";

/** How an embedded STS is to be. */
export interface StsOptions {
  /** Port 0 picks a free one. */
  readonly listen: Endpoint;
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  /** Who calls with keys that were not issued here. */
  readonly baseCallerArn: string;
  /** Without it every role may be assumed by everybody. */
  readonly assumable?: Assumable;
  /** Keys by role ARN; other roles get new ones. */
  readonly scripted?: ReadonlyMap<string, IssuedCredentials>;
  /** `Expiration` with `.123` seconds. */
  readonly hasFraction?: boolean;
  /** How long every session lasts, whatever its caller asks for. Without it, as long as asked. */
  readonly lifeSeconds?: number;
  /** A text that every generated secret carries. */
  readonly canary?: string;
}

/** One call that arrived, whatever was answered. */
interface StsCall {
  readonly callerArn: string;
  readonly parameters: Readonly<Record<string, string>>;
  /** `ok` or the code of the error. */
  readonly outcome: string;
}

/** A running STS. */
export interface RunningSts extends AsyncDisposable {
  readonly endpoint: Endpoint;
  /** All calls since the start or the last `forget`; none while it is `down`. */
  readonly calls: readonly StsCall[];
  forget(): void;
  /** `expiredBaseOnce` becomes `ok` after the next AssumeRole. */
  setState(state: StsState): void;
  /** Ends every connection and stops listening. */
  close(): Promise<void>;
}

/** Starts an embedded Security Token Service: AssumeRole and GetCallerIdentity; a signature is wanted but not verified. Rejects with LISTEN_FAILED. */
export async function startSts(options: StsOptions): Promise<RunningSts> {
  const { clock, random, scripted = new Map(), canary = "", assumable = () => true, hasFraction = false, baseCallerArn } = options;
  const sessions = createSessions({ random, scripted, canary });
  const calls: StsCall[] = [];
  const closing = new AbortController();
  let state: StsState = "ok";
  let answered = 0;

  const knowledge = (): StsKnowledge => {
    const requestId = requestIdOf(++answered);
    return { sessions, baseCallerArn, assumable, state, now: clock.now(), hasFraction, lifeSeconds: options.lifeSeconds, requestId };
  };
  const server = createServer(async (request, response) => {
    if (state === "down") return void request.socket.resetAndDestroy();
    const parameters = await readParameters(request);
    if (parameters === undefined) return;
    const delayMs = delayIn(state);
    if (delayMs > 0) await sleep(clock, delayMs, closing.signal);
    const { status, xml, outcome, callerArn } = answerCall(parameters, request.headers.authorization ?? "", knowledge());
    if (state === "expiredBaseOnce" && parameters.get("Action") === "AssumeRole") state = "ok";
    calls.push({ callerArn, parameters: Object.fromEntries(parameters), outcome });
    response.writeHead(status, { "Content-Type": "text/xml" }).end(xml);
  });
  const listener = await listenOn(server, options.listen);
  const close = () => {
    closing.abort();
    return listener.close();
  };
  return {
    endpoint: listener.endpoint,
    calls,
    forget: () => void calls.splice(0),
    setState(next) {
      state = next;
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

/** The parameters in the body of a POST or the query of a GET; undefined when the caller left before the end. */
async function readParameters(request: IncomingMessage): Promise<URLSearchParams | undefined> {
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of request) chunks.push(Buffer.from(chunk));
  } catch {
    return undefined;
  }
  const query = (request.url ?? "").split("?")[1] ?? "";
  return new URLSearchParams(request.method === "GET" ? query : Buffer.concat(chunks).toString("utf8"));
}

/** Request ids that differ within a run and are the same from run to run. */
function requestIdOf(number: number): string {
  return `00000000-0000-4000-8000-${String(number).padStart(12, "0")}`;
}
