import type { Field } from "../answer-head.ts";
import type { RefusalReason, VendFacts, WorkloadFacts } from "../events.ts";
import type { Workload } from "../identity/workload.ts";
import type { Exchange } from "../imds-exchange.ts";
import type { RouteClass } from "./classify.ts";

/** How a request ends, and why: the bytes to send, or none, and what the audit line tells. */
export interface Reply {
  readonly body: ReplyBody;
  readonly workload: Workload | undefined;
  readonly told: Told;
}

/** A reply and the class of what was asked. */
export interface RoutedReply extends Reply {
  readonly route: RouteClass;
}

export type ReplyBody =
  /** Made here. */
  | { readonly kind: "own"; readonly status: number; readonly bytes: Buffer }
  /** An answer of the upstream, complete: `bytes` as received, or with an edited listing. */
  | { readonly kind: "whole"; readonly status: number; readonly bytes: Buffer }
  /** An answer of the upstream whose body is still arriving. */
  | { readonly kind: "stream"; readonly exchange: Exchange }
  /** The connection is closed without an answer (docs/contract.md, T4 and R5). */
  | { readonly kind: "none" };

export type Told =
  | { readonly kind: "vend"; readonly facts: VendFacts & { readonly workload: WorkloadFacts } }
  | {
      readonly kind: "refuse";
      readonly reason: RefusalReason;
      readonly roleArn?: string;
      readonly binding?: string;
      readonly detail?: string;
    }
  /** What is the host's own, for a container that the operator lets keep it. */
  | { readonly kind: "host-role" }
  | { readonly kind: "serve" }
  | { readonly kind: "relay" };

const REASONS: Readonly<Record<number, string>> = {
  200: "OK",
  400: "Bad Request",
  401: "Unauthorized",
  404: "Not Found",
  405: "Method Not Allowed",
  413: "Content Too Large",
  414: "URI Too Long",
  417: "Expectation Failed",
  431: "Request Header Fields Too Large",
  500: "Internal Server Error",
};

/** An own 404: docs/contract.md, E4. The tab and the final newline are IMDS's. */
const NOT_FOUND_PAGE = `<?xml version="1.0" encoding="iso-8859-1"?>
<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Transitional//EN"
\t"http://www.w3.org/TR/xhtml1/DTD/xhtml1-transitional.dtd">
<html xmlns="http://www.w3.org/1999/xhtml" xml:lang="en" lang="en">
 <head>
  <title>404 - Not Found</title>
 </head>
 <body>
  <h1>404 - Not Found</h1>
 </body>
</html>
`;

/** One answer of our own, but for the fields that all have. */
export interface OwnAnswer {
  readonly status: number;
  readonly fields: readonly Field[];
  readonly text: string;
}

/** A 200 as IMDS sends it (docs/contract.md, H1). `tokenTtlSeconds` is undefined for a request without a token (T11). */
export function okAnswer(text: string, updatedAt: number, tokenTtlSeconds: number | undefined): OwnAnswer {
  const ttl: readonly Field[] = tokenTtlSeconds === undefined ? [] : [["X-Aws-Ec2-Metadata-Token-Ttl-Seconds", String(tokenTtlSeconds)]];
  const lastModified = new Date(updatedAt).toUTCString();
  return {
    status: 200,
    fields: [...ttl, ["Content-Type", "text/plain"], ["Accept-Ranges", "none"], ["Last-Modified", lastModified]],
    text,
  };
}

/** A refusal as IMDS sends it: the XHTML page for 404, no body for all else (F7). */
export function refusalAnswer(status: number): OwnAnswer {
  if (status === 404) return { status, fields: [["Content-Type", "text/html"]], text: NOT_FOUND_PAGE };
  if (status === 401) return { status, fields: [["Content-Type", "text/plain"]], text: "" };
  return { status, fields: status === 405 ? [["Allow", "GET, HEAD"]] : [], text: "" };
}

/** The bytes of an own answer: one write. `now` is for the Date header; a HEAD request gets the head alone (M1). */
export function answerBytes({ status, fields, text }: OwnAnswer, method: string, now: number): Buffer {
  const all: readonly Field[] = [
    ...fields,
    ["Content-Length", String(Buffer.byteLength(text))],
    ["Date", new Date(now).toUTCString()],
    ["Server", "EC2ws"],
    ["Connection", "close"],
  ];
  const lines = [`HTTP/1.1 ${status} ${REASONS[status] ?? ""}`, ...all.map(([name, value]) => `${name}: ${value}`)];
  return Buffer.from(`${lines.join("\r\n")}\r\n\r\n${method === "HEAD" ? "" : text}`, "latin1");
}
