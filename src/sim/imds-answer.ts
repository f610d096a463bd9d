import type { Content, Item } from "./imds-content.ts";
import { isInCredentialTree, type Leniency, segmentsOf } from "./imds-path.ts";
import { fieldValues, type SimRequest } from "./imds-request.ts";
import type { ImdsTokens } from "./imds-tokens.ts";
import { type InstanceRole, instanceRoleText } from "./instance-role.ts";

/** `down`: every connection is reset; `throttled`: every answer is 503; `noProfile`: the instance has no role. */
export type ImdsState = "ok" | "down" | "throttled" | "noProfile";

/** What a metadata service knows when it answers one request. */
export interface ImdsKnowledge {
  readonly leniency: Leniency;
  readonly content: Content;
  readonly tokens: ImdsTokens;
  readonly tokenUse: "optional" | "required";
  readonly role: InstanceRole | undefined;
  /** When set, the whole credential tree answers 200 with this text: a leak is loud. */
  readonly leakMarker: string | undefined;
  readonly state: ImdsState;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/** An answer before it is written out; Content-Length, Date, Server and Connection are added then. */
export interface SimAnswer {
  readonly status: number;
  readonly fields: readonly (readonly [string, string])[];
  readonly body: Buffer;
}

const TOKEN_LIFE_FIELD = "X-Aws-Ec2-Metadata-Token-Ttl-Seconds";
const FIRST_VERSION_WITH_IAM = "2012-01-12";
const NOT_FOUND_BODY = [
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

/** Answers as the metadata service does (`docs/contract.md`, T1 to T6, L, F, E4). */
export function answerTo(request: SimRequest, imds: ImdsKnowledge): SimAnswer {
  if (imds.state === "throttled") return refusal(503, [["Retry-After", "1"]]);
  if (!request.isWellFormed && !imds.leniency.readsLooseHeads) return refusal(400);
  const segments = segmentsOf(request.target, imds.leniency);
  if (segments === undefined) return refusal(400);
  if (segments.length >= 2 && segments.slice(-2).join("/") === "api/token") return tokenAnswer(request, segments, imds);

  const tokenRefusal = refusalByToken(request, imds);
  if (tokenRefusal) return tokenRefusal;
  const item = itemAt(segments, imds);
  if (!item) return { status: 404, fields: [["Content-Type", "text/html"]], body: Buffer.from(NOT_FOUND_BODY) };
  if (request.method !== "GET" && request.method !== "HEAD") return refusal(405, [["Allow", "GET, HEAD"]]);
  if (fieldValues(request.fields, "expect").length > 0) return refusal(417);
  return itemAnswer(item, request, imds);
}

function tokenAnswer(request: SimRequest, segments: readonly string[], imds: ImdsKnowledge): SimAnswer {
  if (request.method !== "PUT") return refusal(405, [["Allow", "OPTIONS, PUT"]]);
  if (fieldValues(request.fields, "expect").length > 0) return refusal(417);
  if (segments.join("/") !== "latest/api/token") return refusal(403);
  if (fieldValues(request.fields, "x-forwarded-for").length > 0) return refusal(403);
  const [ttlText = "", ...others] = fieldValues(request.fields, "x-aws-ec2-metadata-token-ttl-seconds");
  const ttlSeconds = Number(ttlText);
  if (others.length > 0 || !/^\d{1,5}$/.test(ttlText) || ttlSeconds < 1 || ttlSeconds > 21_600) return refusal(400);
  const token = imds.tokens.issue(ttlSeconds, imds.now);
  return { status: 200, fields: [[TOKEN_LIFE_FIELD, ttlText], ...okFields("text/plain", imds.now)], body: Buffer.from(token, "latin1") };
}

function refusalByToken(request: SimRequest, imds: ImdsKnowledge): SimAnswer | undefined {
  const given = fieldValues(request.fields, "x-aws-ec2-metadata-token");
  if (given.length === 0) return imds.tokenUse === "required" ? refusal(401) : undefined;
  if (fieldValues(request.fields, "x-forwarded-for").length > 0) return refusal(403);
  return tokenLeft(request, imds) === undefined ? refusal(401) : undefined;
}

function tokenLeft(request: SimRequest, imds: ImdsKnowledge): number | undefined {
  const given = fieldValues(request.fields, "x-aws-ec2-metadata-token");
  return given.length === 1 && given[0] !== undefined ? imds.tokens.leftSeconds(given[0], imds.now) : undefined;
}

function itemAt(segments: readonly string[], imds: ImdsKnowledge): Item | undefined {
  const [version = "", category, branch, ...below] = segments;
  const isVersion = imds.content([version]) !== undefined;
  if (imds.leakMarker !== undefined) {
    if (isInCredentialTree(segments)) return textItem(`${imds.leakMarker}-instance-role`);
  } else if (category === "meta-data" && branch === "iam" && imds.role && imds.state !== "noProfile") {
    const text = isVersion && hasIam(version) ? instanceRoleText(imds.role, below, imds.now) : undefined;
    return text === undefined ? undefined : textItem(text);
  }
  const item = imds.content(segments);
  return item && category === "meta-data" && segments.length === 2 ? listingWithIam(item, version, imds) : item;
}

/** `meta-data/` with the line `iam/` exactly if the instance has a role and the version knows the tree. */
function listingWithIam(item: Item, version: string, imds: ImdsKnowledge): Item {
  const hasRole = imds.state !== "noProfile" && (imds.role !== undefined || imds.leakMarker !== undefined) && hasIam(version);
  const lines = item.body
    .toString("utf8")
    .split("\n")
    .filter((line) => line !== "iam/");
  return textItem((hasRole ? [...lines, "iam/"].sort() : lines).join("\n"));
}

function hasIam(version: string): boolean {
  return version === "latest" || (/^\d{4}-/.test(version) && version >= FIRST_VERSION_WITH_IAM);
}

function itemAnswer(item: Item, request: SimRequest, imds: ImdsKnowledge): SimAnswer {
  const left = tokenLeft(request, imds);
  const fields = [...(left === undefined ? [] : [[TOKEN_LIFE_FIELD, String(left)] as const]), ...okFields(item.contentType, imds.now)];
  if (imds.leniency.obeysConditions) {
    if (request.fields.some(([name]) => /^if-/i.test(name))) return refusal(304);
    if (fieldValues(request.fields, "range").length > 0) {
      return { status: 206, fields: [...fields, ["Content-Range", `bytes 0-0/${item.body.length}`]], body: item.body.subarray(0, 1) };
    }
  }
  return { status: 200, fields, body: item.body };
}

function okFields(contentType: string, now: number): readonly (readonly [string, string])[] {
  const lastModified = new Date(Math.floor(now / 3_600_000) * 3_600_000).toUTCString();
  return [
    ["Content-Type", contentType],
    ["Accept-Ranges", "none"],
    ["Last-Modified", lastModified],
  ];
}

function refusal(status: number, fields: readonly (readonly [string, string])[] = []): SimAnswer {
  return { status, fields: [...fields, ["Content-Type", "text/plain"]], body: Buffer.alloc(0) };
}

function textItem(text: string): Item {
  return { contentType: "text/plain", body: Buffer.from(text, "utf8") };
}
