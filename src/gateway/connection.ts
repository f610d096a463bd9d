import { once } from "node:events";
import type { Socket } from "node:net";
import { fieldValues } from "../answer-head.ts";
import type { Clock } from "../clock.ts";
import { bugEvent, type Emit, type ImdsgateEvent, type RefusalReason, type RequestFacts } from "../events.ts";
import type { Source } from "../identity/source.ts";
import { type Workload, workloadFacts } from "../identity/workload.ts";
import type { Exchange } from "../imds-exchange.ts";
import type { DeniedPath } from "../policy/denied-path.ts";
import type { ImdsRequest } from "./answer.ts";
import { classify, type RouteClass } from "./classify.ts";
import { answerBytes, type Reply, type RoutedReply, refusalAnswer } from "./reply.ts";
import type { RequestHead } from "./request-head.ts";
import { createRequestReader } from "./request-reader.ts";

/** What a connection needs of the gateway. `answer` is the request path. */
export interface ConnectionContext {
  readonly clock: Clock;
  readonly emit: Emit;
  readonly deniedPaths: readonly DeniedPath[];
  readonly answer: (request: ImdsRequest) => Promise<RoutedReply>;
  /** Names who speaks, for the audit line of a refusal that needed no identity. */
  readonly speakerOf: (source: Source) => Promise<Workload | undefined>;
}

/** Who is at the other end of a connection. */
export interface Caller {
  readonly source: Source;
  /** Resolves when this caller's request may be served. */
  readonly turn: () => Promise<void>;
}

const LINGER_MS = 2_000;
const LINGER_BYTES = 65_536;
const STALLED_CLIENT_MS = 10_000;

/** Serves the one request of a connection and closes it (docs/contract.md, H2). It never rejects. */
export async function serveConnection(socket: Socket, { source, turn }: Caller, context: ConnectionContext): Promise<void> {
  const startedAt = context.clock.now();
  const reader = createRequestReader(socket, context.clock);
  const head = await reader.readHead();
  if (head === undefined) {
    socket.destroy();
    return;
  }
  await turn();
  if (socket.destroyed) return;
  const isHead = typeof head !== "number";
  const reply = isHead
    ? await answerSafely({ head, source, readBody: () => reader.readBody(head), untilGone: () => goneSignal(socket) }, context)
    : ownReply(head, "GET", "BAD", "malformed", context);
  const isWhole = await send(socket, reply, context.clock);
  const durationMs = context.clock.now() - startedAt;
  const workload = await workloadToTell(reply, source, context);
  const asked = requestFacts(isHead ? head : undefined);
  const facts = { ...asked, address: source.address, route: reply.route, status: statusOf(reply), durationMs };
  context.emit(eventOf({ ...reply, workload }, facts, isWhole));
}

/** Who was answered. A refusal for what was asked alone is laid at somebody's door too, after the answer and at nobody's cost. */
async function workloadToTell({ told, workload }: Reply, source: Source, { speakerOf }: ConnectionContext): Promise<Workload | undefined> {
  const isAnonymous = told.kind === "refuse" && !["unknown-source", "doubled-address", "spoofed-source", "starting"].includes(told.reason);
  return workload ?? (isAnonymous ? speakerOf(source) : undefined);
}

/** The one catch: a bug ends this request and no other. The container never sees its message. */
async function answerSafely(request: ImdsRequest, context: ConnectionContext): Promise<RoutedReply> {
  try {
    return await context.answer(request);
  } catch (error) {
    context.emit(bugEvent("gateway", error));
    const target = classify(request.head.target, context.deniedPaths);
    const reply = ownReply(500, request.head.method, target.class, "bug", context);
    return target.fate === "pass-through" ? { ...reply, body: { kind: "none" } } : reply;
  }
}

function ownReply(status: number, method: string, route: RouteClass, reason: RefusalReason, { clock }: ConnectionContext): RoutedReply {
  const bytes = answerBytes(refusalAnswer(status), method, clock.now());
  return { body: { kind: "own", status, bytes }, workload: undefined, told: { kind: "refuse", reason }, route };
}

/** Writes the reply and closes. False where the answer could not be brought to its end. */
async function send(socket: Socket, { body }: Reply, clock: Clock): Promise<boolean> {
  if (body.kind === "none") {
    socket.destroy();
    return false;
  }
  if (body.kind === "stream") {
    if (!(await relay(body.exchange, socket, clock))) return false;
  } else socket.write(body.bytes);
  linger(socket, clock);
  return true;
}

/** Relays an answer as its bytes come. One that does not reach its end is cut with a reset, so that nobody takes it for whole. */
async function relay(exchange: Exchange, socket: Socket, clock: Clock): Promise<boolean> {
  const close = () => exchange.close();
  let isGone: AbortSignal | undefined;
  socket.once("close", close);
  try {
    socket.write(exchange.headBytes);
    for await (const piece of exchange.body) {
      if (socket.write(piece)) continue;
      isGone ??= goneSignal(socket);
      await drained(socket, clock, isGone);
    }
    return !socket.destroyed;
  } catch {
    socket.resetAndDestroy();
    return false;
  } finally {
    socket.off("close", close);
  }
}

/** Waits for a slow client; rejects when it has stalled for too long or is gone. */
async function drained(socket: Socket, clock: Clock, isGone: AbortSignal): Promise<void> {
  const cancel = clock.after(STALLED_CLIENT_MS, () => socket.resetAndDestroy());
  try {
    await once(socket, "drain", { signal: isGone });
  } finally {
    cancel();
  }
}

/** Aborts when the client is gone. Costs more than most of a request, so it is made where something must be cancelled. */
function goneSignal(socket: Socket): AbortSignal {
  const gone = new AbortController();
  if (socket.destroyed) gone.abort("gone");
  else socket.once("close", () => gone.abort("gone"));
  return gone.signal;
}

/**
 * Ends our side and reads on for a while: closing with unread input would send a reset and cut the answer. Until the last byte is
 * with the kernel, a reader that stalls is cut with a reset, like in `relay`.
 */
function linger(socket: Socket, clock: Clock): void {
  let cancel = clock.after(STALLED_CLIENT_MS, () => socket.resetAndDestroy());
  socket.once("close", () => cancel());
  socket.once("finish", () => {
    cancel();
    cancel = clock.after(LINGER_MS, () => socket.destroy());
    discardInput(socket);
  });
  socket.end();
}

/** Reads what a client still sends after its answer, to its end or to a limit. */
function discardInput(socket: Socket): void {
  let seen = 0;
  socket.on("data", (bytes: Buffer) => {
    seen += bytes.length;
    if (seen > LINGER_BYTES) socket.destroy();
  });
  socket.once("end", () => socket.destroy());
  socket.resume();
}

function requestFacts(head: RequestHead | undefined): { method: string; path: string; userAgent: string | undefined } {
  const [path = ""] = (head?.target ?? "").split("?", 1);
  const [userAgent] = fieldValues(head?.fields ?? [], "user-agent");
  return { method: head?.method ?? "", path: path.slice(0, 256), userAgent: userAgent?.slice(0, 128) };
}

function statusOf({ body }: Reply): number | undefined {
  if (body.kind === "none") return undefined;
  return body.kind === "stream" ? body.exchange.head.status : body.status;
}

function eventOf({ told, workload }: Reply, facts: RequestFacts, isWhole: boolean): ImdsgateEvent {
  const who = workload && workloadFacts(workload);
  switch (told.kind) {
    case "vend":
      return { ...facts, ...told.facts, kind: "vend" };
    case "refuse":
      return { ...facts, ...told, workload: who };
    case "serve":
      return { ...facts, kind: "serve", workload: who };
    case "host-role":
    case "relay":
      return { ...facts, kind: told.kind, workload: who, outcome: isWhole ? "relayed" : "cut" };
  }
}
