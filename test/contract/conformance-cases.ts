import { readFileSync } from "node:fs";
import { Ajv2020 } from "ajv/dist/2020.js";
import type { StsState } from "../../src/sim/sts-faults.ts";

/** One value or rule for a header: the exact text, a pattern for the whole of it, or null for absent. */
export type HeaderRule = string | { readonly matches: string } | null;

export type CaseRequest =
  | { readonly raw: string }
  | {
      readonly method: string;
      readonly target: string;
      readonly httpVersion: string;
      readonly headers: readonly (readonly [string, string])[];
      readonly body: string;
    };

export interface CaseContext {
  readonly container: "app" | "odd" | "none" | "unknown";
  readonly imdsTokens: "optional" | "required";
  readonly imdsState?: "ok" | "down" | "throttled" | "noProfile";
  readonly stsState: StsState;
  readonly cache?: "cold" | "warm" | "warmFraction" | "left20m" | "expired";
  readonly policy?: { readonly deny?: readonly string[] };
  readonly config?: { readonly durationSeconds?: number };
  readonly parallel?: number;
  readonly setup?: readonly CaseRequest[];
}

/** What must hold. Every field has its check in `expectations.ts`. */
export interface CaseExpectation {
  readonly class?: string;
  readonly status?: number | readonly number[];
  readonly headers?: Readonly<Record<string, HeaderRule>>;
  readonly bodyEquals?: string;
  readonly bodyBase64?: string;
  readonly bodyEmpty?: true;
  readonly bodyMatches?: string;
  readonly bodyMustNotContain?: readonly string[];
  readonly jsonFields?: Readonly<Record<string, string>>;
  readonly jsonKeysExact?: readonly string[];
  readonly minLifeSeconds?: number;
  readonly forwardedUpstream: boolean;
  readonly forwardedTargetExact?: string;
  readonly forwardedMethod?: string;
  readonly upstreamHeaders?: Readonly<Record<string, HeaderRule>>;
  readonly upstreamHeaderLinesInOrder?: readonly string[];
  readonly upstreamMustNotSee?: readonly string[];
  readonly probeUpstream?: "must" | "may" | "mustNot";
  readonly stsCalls?: number | { readonly min?: number; readonly max?: number };
  readonly connectionClosed?: boolean;
  readonly noResponse?: true;
  readonly responses?: number;
  readonly maxMillis?: number;
}

export interface ConformanceCase {
  readonly id: string;
  readonly title: string;
  readonly rule: string;
  readonly request: CaseRequest;
  readonly context: CaseContext;
  readonly expect: CaseExpectation;
}

interface Credentials {
  readonly AccessKeyId: string;
  readonly SecretAccessKey: string;
  readonly SessionToken: string;
}

interface Container {
  readonly sourceAddress: string;
  readonly role?: { readonly arn: string; readonly name: string } | null;
  readonly credentials?: Credentials;
}

interface ConformanceFile {
  readonly fixtures: {
    readonly tokens: { readonly VALID: string; readonly VALID2: string; readonly EXPIRED: string; readonly remainingTtl: number };
    readonly containers: Readonly<Record<CaseContext["container"], Container>>;
    readonly upstream: { readonly versions: readonly string[]; readonly paths: Readonly<Record<string, string>> };
  };
  readonly cases: readonly ConformanceCase[];
}

/** Reads and checks a file of cases against the schema. Throws, naming each fault: an unknown field is one. */
export function parseCases(data: unknown): ConformanceFile {
  const schema: unknown = JSON.parse(readFileSync(new URL("cases.schema.json", import.meta.url), "utf8"));
  if (typeof schema !== "object" || schema === null) throw new Error("cases.schema.json is no schema");
  const ajv = new Ajv2020({ allErrors: true, strict: true, allowUnionTypes: true, strictRequired: false, strictTypes: false });
  const isConform = ajv.compile<ConformanceFile>(schema);
  if (isConform(data)) return data;
  throw new Error(`cases.json breaks its schema: ${ajv.errorsText(isConform.errors, { separator: "\n" })}`);
}

const { fixtures: FIXTURES, cases: CASES } = parseCases(JSON.parse(readFileSync(new URL("cases.json", import.meta.url), "utf8")));

export { CASES, FIXTURES };

/** The request's bytes as latin-1, tokens put in. */
export function requestText(request: CaseRequest): string {
  const text =
    "raw" in request
      ? request.raw
      : [
          `${request.method} ${request.target} ${request.httpVersion}`,
          ...request.headers.map(([name, value]) => `${name}: ${value}`),
          "",
          request.body,
        ].join("\r\n");
  return text.replaceAll(/\$\{(VALID|VALID2|EXPIRED)\}/g, (_, name: "VALID" | "VALID2" | "EXPIRED") => FIXTURES.tokens[name]);
}

/** The request's method and target as written. */
export function requestLine(request: CaseRequest): { readonly method: string; readonly target: string } {
  const [method = "", target = ""] =
    "raw" in request ? (request.raw.split(/[\r\n]/, 1)[0]?.split(" ") ?? []) : [request.method, request.target];
  return { method, target };
}
