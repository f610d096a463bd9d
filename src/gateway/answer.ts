import { fieldValues } from "../answer-head.ts";
import type { Clock } from "../clock.ts";
import type { LeaseOutcome } from "../credentials/lease.ts";
import type { RefusalReason } from "../events.ts";
import type { Source } from "../identity/source.ts";
import { type Attestation, type Attestor, type Workload, workloadFacts } from "../identity/workload.ts";
import type { Exchange } from "../imds-exchange.ts";
import { type Decision, type Grant, givesRole } from "../policy/decide.ts";
import type { DeniedPath } from "../policy/denied-path.ts";
import { classify, type Target } from "./classify.ts";
import { credentialsDocument, deniedDocument, IAM_ROOT_LISTING, iamInfoDocument } from "./documents.ts";
import type { ImdsTurn } from "./imds-rate.ts";
import { type ImdsTokens, TOKEN_FIELD, type TokenVerdict } from "./imds-token.ts";
import { listingEditFor } from "./listing.ts";
import { editedListing } from "./pass-through.ts";
import { answerBytes, okAnswer, type Reply, type RoutedReply, refusalAnswer, type Told } from "./reply.ts";
import type { RequestHead } from "./request-head.ts";

/** One request of one connection, its head judged well-formed. */
export interface ImdsRequest {
  readonly head: RequestHead;
  /** Who speaks, as the kernel says. The only identity there is (docs/contract.md, A2). */
  readonly source: Source;
  /** The whole body as received; a status where it is refused; undefined when the client is gone. */
  readBody(): Promise<Buffer | 400 | 413 | undefined>;
  /** Aborts when the client goes away. */
  untilGone(): AbortSignal;
}

/** What the request path asks of the other rooms. */
export interface Rooms {
  readonly clock: Clock;
  readonly identity: Attestor;
  /** What the operator allows `workload`, with the host facts of this moment. */
  readonly decide: (workload: Workload) => Decision;
  /** Whether the operator lets a container with this host's network keep this host's role. */
  readonly keepsHostRole: (workload: Workload) => boolean;
  readonly leases: Leases;
  readonly tokens: ImdsTokens;
  /** Sends the request to the real IMDS; undefined when it does not answer. */
  readonly forward: (request: ImdsRequest, body: Buffer, kind: ImdsTurn) => Promise<Exchange | undefined>;
  readonly deniedPaths: readonly DeniedPath[];
  readonly unknown: "metadata-only" | "deny";
  readonly unbound: "metadata-only" | "no-tokens";
  readonly imdsv2: Imdsv2Rule;
}

/** Who must show an IMDS token with each request. */
interface Imdsv2Rule {
  /** False when nobody must: then it is not asked who speaks. */
  readonly isAskedOfAnyone: boolean;
  readonly isAskedOf: (workload: Workload | undefined) => boolean;
}

interface Leases {
  leaseFor(grant: Grant): Promise<LeaseOutcome>;
  /** When the current lease of `grant` was issued; undefined while there is none. */
  issuedAt(grant: Grant): number | undefined;
}

type PassThrough = Extract<Target, { fate: "pass-through" }>;
type Intercepted = Extract<Target, { fate: "intercepted" }>;

/**
 * Answers one container's request. Every `return` is one way a request can end; nothing else in this room decides.
 * The rules are those of docs/contract.md.
 */
export async function answer(request: ImdsRequest, rooms: Rooms): Promise<RoutedReply> {
  const target = classify(request.head.target, rooms.deniedPaths);
  return { ...(await replyTo(request, target, rooms)), route: target.class };
}

async function replyTo(request: ImdsRequest, target: Target, rooms: Rooms): Promise<Reply> {
  switch (target.fate) {
    case "malformed":
      return refuse(request, rooms, 400, "malformed");
    case "withheld":
      return refuse(request, rooms, 404, WITHHELD_BECAUSE[target.class]);
    case "pass-through":
      return (await tokenRefusal(request, target, rooms)) ?? answerFromUpstream(request, target, rooms);
    case "intercepted":
      return (await tokenRefusal(request, target, rooms)) ?? answerHere(request, target, rooms);
  }
}

const WITHHELD_BECAUSE = { AMBIGUOUS: "ambiguous-path", GUARD: "guarded-path", DENY: "denied-path" } as const;

/** The operator may ask for IMDSv2 where the instance does not yet: no token, no answer, as the real IMDS says it (T13, F7). */
async function tokenRefusal(request: ImdsRequest, target: PassThrough | Intercepted, rooms: Rooms): Promise<Reply | undefined> {
  const { imdsv2, identity } = rooms;
  if (!imdsv2.isAskedOfAnyone || target.class === "TOKEN" || fieldValues(request.head.fields, TOKEN_FIELD).length > 0) return undefined;
  const speaker = await identity.attest(request.source, "now");
  if (speaker.kind === "starting") return refuse(request, rooms, 401, "token");
  const workload = speaker.kind === "known" ? speaker.workload : undefined;
  return imdsv2.isAskedOf(workload) ? refuse(request, rooms, 401, "token", workload && { workload }) : undefined;
}

/** The real IMDS answers; listings are edited so that they agree with what is answered here. */
async function answerFromUpstream(request: ImdsRequest, target: PassThrough, rooms: Rooms): Promise<Reply> {
  const speaker = await speakerOf(request, target, rooms);
  const refusal = speaker && refusalOfSpeaker(request, target, rooms, speaker);
  if (refusal) return refusal;

  const body = await request.readBody();
  if (body === undefined) return cut("malformed");
  if (typeof body === "number") return refuse(request, rooms, body, "malformed");
  const exchange = await rooms.forward(request, body, target.class === "TOKEN" ? "token" : "other");
  if (!exchange) return cut("upstream-unavailable");

  const workload = speaker?.kind === "known" ? speaker.workload : undefined;
  const hasTree = hasIamTree(workload, target, rooms) || isHostsOwn(speaker, rooms);
  const edit = listingEditFor(target.segments, rooms.deniedPaths, hasTree);
  if (!edit) return { body: { kind: "stream", exchange }, workload, told: { kind: "relay" } };
  return { body: await editedListing(exchange, request.head.method, edit), workload, told: { kind: "relay" } };
}

/** What policy withholds from who speaks. An IMDS token is never refused with a status (T4): the connection just ends, as if no packet arrived (T12). */
function refusalOfSpeaker(request: ImdsRequest, target: PassThrough, rooms: Rooms, speaker: Attestation): Reply | undefined {
  const isToken = target.class === "TOKEN";
  if (speaker.kind === "starting") return target.class === "META_LIST" ? cut("starting") : undefined;
  if (speaker.kind === "unknown" && rooms.unknown === "deny") {
    return isToken ? cut("unknown-source") : refuse(request, rooms, 404, "unknown-source");
  }
  const hasRole = speaker.kind === "known" && (givesRole(rooms.decide(speaker.workload)) || isHostsOwn(speaker, rooms));
  return isToken && rooms.unbound === "no-tokens" && !hasRole ? cut("no-binding") : undefined;
}

/** Whether the container finds an IAM tree in this version (docs/contract.md, V3): its line in the listing and the tree itself agree. */
function hasIamTree(workload: Workload | undefined, { segments: [version = ""] }: PassThrough, rooms: Rooms): boolean {
  return workload !== undefined && !isOlderThanIamTree(version) && givesRole(rooms.decide(workload));
}

/** Only what depends on who speaks asks for it: a silent runtime delays nothing else, and IMDS tokens are never held. */
async function speakerOf(request: ImdsRequest, target: PassThrough, rooms: Rooms): Promise<Attestation | undefined> {
  if (target.class === "META_LIST") return rooms.identity.attest(request.source, "hold");
  const isTokenJudged = target.class === "TOKEN" && rooms.unbound === "no-tokens";
  return rooms.unknown === "deny" || isTokenJudged ? rooms.identity.attest(request.source, "now") : undefined;
}

/** Whether who speaks keeps this host's role: only a container with the host's network can, told by its very socket. */
function isHostsOwn(speaker: Attestation | undefined, rooms: Rooms): boolean {
  return speaker?.kind === "known" && speaker.isHostSocket === true && rooms.keepsHostRole(speaker.workload);
}

/** The real IMDS answers about the host's own role, as it does to the host's processes, to whom the operator lets have it. */
async function answerAsHost(request: ImdsRequest, rooms: Rooms, workload: Workload): Promise<Reply> {
  const body = await request.readBody();
  if (body === undefined) return cut("malformed");
  if (typeof body === "number") return refuse(request, rooms, body, "malformed", { workload });
  const exchange = await rooms.forward(request, body, "other");
  if (!exchange) return refuse(request, rooms, 500, "upstream-unavailable", { workload });
  return { body: { kind: "stream", exchange }, workload, told: { kind: "host-role" } };
}

/** The IAM tree: never the instance's own, whatever upstream would say, but for whom `--host-role` names. */
async function answerHere(request: ImdsRequest, target: Intercepted, rooms: Rooms): Promise<Reply> {
  const refusal = refusalOfQuestion(request, target, rooms);
  if (refusal) return refusal;
  const speaker = await rooms.identity.attest(request.source, "hold");
  if (speaker.kind === "known" && isHostsOwn(speaker, rooms)) return answerAsHost(request, rooms, speaker.workload);
  const attestedAt = rooms.clock.now();
  if (speaker.kind === "unknown" && rooms.unknown === "deny") return refuse(request, rooms, 404, "unknown-source");
  const token = await rooms.tokens.verdictOn(request.head, target.version);
  if (token.kind === "unavailable") return refuse(request, rooms, 500, "upstream-unavailable");
  if (token.kind === "refused") return relayRefusal(token, request.head.method);
  if (speaker.kind !== "known") return refuseUnproven(request, rooms, speaker);

  const reply = await answerKnown(request, target, rooms, speaker.workload, token.ttlSeconds);
  const isProven = rooms.clock.now() - attestedAt <= PROOF_HOLDS_MS || (await isStillThere(request, rooms, speaker.workload));
  return isProven ? reply : cut("unknown-source");
}

/** What nobody is answered, whoever asks. */
function refusalOfQuestion(request: ImdsRequest, target: Intercepted, rooms: Rooms): Reply | undefined {
  const { method, fields } = request.head;
  if (method !== "GET" && method !== "HEAD") return refuse(request, rooms, 405, "method");
  if (fieldValues(fields, "expect").length > 0) return refuse(request, rooms, 417, "expectation");
  return VERSION.test(target.version) ? undefined : refuse(request, rooms, 404, "old-version");
}

/** How old a proof may be when the answer goes out: far less than a runtime needs to give an address away (300 ms and more). */
const PROOF_HOLDS_MS = 20;

/** No identity, no role: never the default one by race. A container that is starting may ask again, so it is not told that it has none. */
function refuseUnproven(request: ImdsRequest, rooms: Rooms, speaker: Exclude<Attestation, { kind: "known" }>): Reply {
  if (speaker.kind === "starting") return refuse(request, rooms, 500, "starting");
  return refuse(request, rooms, 404, UNKNOWN_BECAUSE[speaker.reason]);
}

const UNKNOWN_BECAUSE = {
  unlisted: "unknown-source",
  "runtime-silent": "unknown-source",
  doubled: "doubled-address",
  spoofed: "spoofed-source",
} as const;

/** The waits may have outlasted the container: whoever has its address by now would see the answer on the wire. */
async function isStillThere(request: ImdsRequest, rooms: Rooms, workload: Workload): Promise<boolean> {
  const speaker = await rooms.identity.attest(request.source, "now");
  return speaker.kind === "known" && speaker.workload.id === workload.id && speaker.workload.name === workload.name;
}

/** The workload is proven and the real IMDS would serve it: what may it have? */
async function answerKnown(
  request: ImdsRequest,
  target: Intercepted,
  rooms: Rooms,
  workload: Workload,
  tokenTtlSeconds: number | undefined,
): Promise<Reply> {
  if (isOlderThanIamTree(target.version)) return refuse(request, rooms, 404, "old-version", { workload });
  const decision = rooms.decide(workload);
  if (decision.kind === "none") return refuse(request, rooms, 404, "no-binding", { workload });
  if (decision.kind === "unfit") {
    const { role, binding, problem } = decision;
    return refuse(request, rooms, 404, "unfit-session", { workload, roleArn: role.arn, binding, detail: problem });
  }
  if (decision.kind === "pending") return refuse(request, rooms, 500, "host-facts-unknown", { workload, binding: decision.binding });

  const { grant } = decision;
  const serve = (text: string, updatedAt: number, told: Told): Reply => {
    const bytes = answerBytes(okAnswer(text, updatedAt, tokenTtlSeconds), request.head.method, rooms.clock.now());
    return { body: { kind: "own", status: 200, bytes }, workload, told };
  };
  const updatedAt = rooms.leases.issuedAt(grant) ?? rooms.clock.now();
  if (target.class === "IAM_ROOT") return serve(IAM_ROOT_LISTING, updatedAt, { kind: "serve" });
  if (target.class === "CRED_LIST") return serve(grant.role.name, updatedAt, { kind: "serve" });
  if (target.class === "IAM_INFO") return serve(iamInfoDocument(grant.role, updatedAt), updatedAt, { kind: "serve" });

  const facts = { roleArn: grant.role.arn, binding: grant.binding };
  if (target.role !== grant.role.name) return refuse(request, rooms, 404, "wrong-role", { workload, ...facts });
  const outcome = await rooms.leases.leaseFor(grant);
  if (outcome.kind === "unavailable") return refuse(request, rooms, 500, "sts-unavailable", { workload, ...facts });
  if (outcome.kind === "denied") {
    const text = deniedDocument(grant.role.name, outcome.deniedAt);
    return serve(text, outcome.deniedAt, { kind: "refuse", reason: "sts-denied", ...facts });
  }
  const { lease } = outcome;
  const { roleArn, sessionName, sourceIdentity, accessKeyId, expiresAt } = lease;
  const vended = { roleArn, sessionName, sourceIdentity, accessKeyId, expiresAt, binding: grant.binding };
  return serve(credentialsDocument(lease), lease.issuedAt, { kind: "vend", facts: { workload: workloadFacts(workload), ...vended } });
}

/** V3: what stands in a path that we make an answer for. */
const VERSION = /^[A-Za-z0-9._-]{1,32}$/;

/** V3: `1.0` and the dated versions before the IAM tree came, 2012-01-12. */
function isOlderThanIamTree(version: string): boolean {
  return version === "1.0" || (/^\d{4}-\d\d-\d\d$/.test(version) && version < "2012-01-12");
}

interface RefusalContext {
  readonly workload?: Workload;
  readonly roleArn?: string;
  readonly binding?: string;
  readonly detail?: string;
}

function refuse(request: ImdsRequest, rooms: Rooms, status: number, reason: RefusalReason, context: RefusalContext = {}): Reply {
  const { workload, ...facts } = context;
  const bytes = answerBytes(refusalAnswer(status), request.head.method, rooms.clock.now());
  return { body: { kind: "own", status, bytes }, workload, told: { kind: "refuse", reason, ...facts } };
}

/** What the gateway's own question to itself gets: an end (`self-check.ts`). */
export const OWN_QUESTION: RoutedReply = { ...cut("malformed"), route: "BAD" };

/** The connection is closed without an answer: another status would turn an SDK to IMDSv1 (T4, R5). */
function cut(reason: RefusalReason): Reply {
  return { body: { kind: "none" }, workload: undefined, told: { kind: "refuse", reason } };
}

/** T7: the refusal is the real IMDS's own, byte for byte. */
function relayRefusal({ answer: { head, headBytes, bodyBytes } }: Extract<TokenVerdict, { kind: "refused" }>, method: string): Reply {
  const bytes = method === "HEAD" ? headBytes : Buffer.concat([headBytes, bodyBytes]);
  return { body: { kind: "whole", status: head.status, bytes }, workload: undefined, told: { kind: "refuse", reason: "token" } };
}
