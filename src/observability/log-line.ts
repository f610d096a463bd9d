import type { ImdsgateEvent, RequestFacts, WorkloadFacts } from "../events.ts";

/** One event as a line: fields in OpenTelemetry's names where it has one, `imdsgate.` for our own. */
export interface LogLine {
  readonly level: "debug" | "info" | "warn" | "error";
  /** Part of the audit trail: told whatever the log level. */
  readonly isAudit: boolean;
  readonly message: string;
  readonly fields: Readonly<Record<string, string | number | undefined>>;
}

/** Renders an event. No field of an event can hold a secret, so none can stand here. */
export function logLineFor(event: ImdsgateEvent): LogLine {
  const name = { "event.name": `imdsgate.${event.kind}` };
  switch (event.kind) {
    case "vend":
      return audit("info", `${event.workload.name} got credentials of ${event.roleArn}`, {
        ...name,
        ...requestFields(event, event.workload),
        "imdsgate.role_arn": event.roleArn,
        "imdsgate.binding": event.binding,
        "imdsgate.session_name": event.sessionName,
        "imdsgate.source_identity": event.sourceIdentity,
        "imdsgate.access_key_id": event.accessKeyId,
        "imdsgate.lease_expires_at": isoTime(event.expiresAt),
      });
    case "refuse":
      return audit("warn", `${event.workload?.name ?? event.address} was refused: ${event.reason}`, {
        ...name,
        ...requestFields(event, event.workload),
        "imdsgate.reason": event.reason,
        "imdsgate.role_arn": event.roleArn,
        "imdsgate.binding": event.binding,
        "imdsgate.detail": event.detail,
      });
    case "host-role":
      return audit("info", `${event.workload?.name ?? event.address} was given what is this host's own (--host-role), ${event.outcome}`, {
        ...name,
        ...requestFields(event, event.workload),
      });
    case "serve":
      return line("debug", `${event.workload?.name ?? event.address} was answered`, { ...name, ...requestFields(event, event.workload) });
    case "relay":
      return line("debug", `passed through, ${event.outcome}`, { ...name, ...requestFields(event, event.workload) });
    default:
      return otherLine(event, name);
  }
}

type OtherEvent = Exclude<ImdsgateEvent, { kind: "vend" | "refuse" | "host-role" | "serve" | "relay" }>;

/** What is not about one request. */
function otherLine(event: OtherEvent, name: Readonly<Record<string, string>>): LogLine {
  switch (event.kind) {
    case "sts-call": {
      const { outcome, roleArn, sessionName, purpose, waitedMs, waitedFor, durationMs, accessKeyId, message } = event;
      return line(outcome === "ok" ? "info" : "warn", `AssumeRole ${roleArn}: ${message ?? outcome}`, {
        ...name,
        "imdsgate.role_arn": roleArn,
        "imdsgate.session_name": sessionName,
        "imdsgate.access_key_id": accessKeyId,
        "imdsgate.purpose": purpose,
        "imdsgate.outcome": outcome,
        "imdsgate.waited_for": waitedFor,
        "imdsgate.waited_ms": waitedFor && waitedMs,
        duration_ms: durationMs,
      });
    }
    case "workload-seen":
    case "workload-gone":
      return line("info", `${event.workload.name} ${event.kind === "workload-seen" ? "is here" : "is gone"}`, {
        ...name,
        ...workloadFields(event.workload),
      });
    case "bug":
      return line("error", `a bug in ${event.where}: ${event.message}`, {
        ...name,
        "error.message": event.message,
        "error.stack": event.stack,
      });
    default:
      return line(levelOf(event), sentenceFor(event), { ...name, ...plainFields(event) });
  }
}

type PlainEvent = Exclude<OtherEvent, { kind: "sts-call" | "workload-seen" | "workload-gone" | "bug" }>;

const HOST_NETWORK = {
  none: "containers with the host's network are led to the gateway from their first packet on",
  short: "containers with the host's network are led to the gateway a moment after they start",
  uncovered: "containers with the host's network reach the real IMDS, and this host's role",
} as const;

function levelOf(event: PlainEvent): LogLine["level"] {
  const { kind } = event;
  if (kind === "host-network") return event.window === "uncovered" ? "warn" : "info";
  if (kind === "handover-failed") return "error";
  const isTrouble = [
    "host-facts-missing",
    "runtime-disconnected",
    "runtime-note",
    "runtime-slow",
    "address-doubled",
    "connection-refused",
    "config-warning",
    "base-credentials-failing",
    "role-refused",
    "rules-repaired",
    "rules-flapping",
    "rules-unkept",
    "rules-released",
  ].includes(kind);
  return isTrouble ? "warn" : "info";
}

function sentenceFor(event: PlainEvent): string {
  switch (event.kind) {
    case "starting":
      return `imdsgate ${event.version} starts`;
    case "stopping":
      return `stops: ${event.reason}`;
    case "config-warning":
      return event.message;
    case "handover":
      return handoverSentenceFor(event);
    case "handover-failed":
      return `no other gateway takes this one's place: ${event.message}`;
    case "rules-chosen":
    case "rules-applied":
    case "rules-note":
    case "rules-repaired":
    case "rules-flapping":
    case "rules-unkept":
    case "rules-released":
      return rulesSentenceFor(event);
    case "guard-gap":
      return `the bridge guard does not know where these containers are, so each connection of theirs is proven by its socket: ${event.containers.join(", ")}`;
    case "host-network":
      return `${HOST_NETWORK[event.window]}: ${event.reason}`;
    case "host-facts":
      return `this host is in ${event.region}${event.account === undefined ? "" : `, account ${event.account}`}`;
    case "host-facts-missing":
      return `the ${event.missing} of this host is not known yet: ${event.message}`;
    case "runtime-connected":
      return `${event.runtime} is listed: ${event.workloads} containers`;
    case "runtime-disconnected":
      return `${event.runtime} does not answer: ${event.message}`;
    case "runtime-note":
      return event.message;
    case "runtime-slow":
      return `${event.runtime} did not say who ${event.address} is within ${event.waitedMs} ms`;
    case "address-doubled":
      return `${event.address} is claimed by ${event.claimants.join(" and ")}: both are refused`;
    case "base-credentials":
      return `imdsgate itself speaks with ${event.accessKeyId} (${event.source})`;
    case "base-credentials-failing":
      return event.leftMs ? `imdsgate's own credentials end in ${Math.ceil(event.leftMs / 1_000)} s: ${event.message}` : event.message;
    case "role-refused":
      return `${event.callerArn ?? "imdsgate"} may not assume ${event.roleArn}; its trust policy lacks: ${event.trustStatements}. ${event.hint}`;
    case "connection-refused":
      return event.count === 1
        ? `a connection from ${event.address} was closed: ${event.reason}`
        : `${event.count} connections were closed, the last one from ${event.address}: ${event.reason}`;
  }
}

function handoverSentenceFor({ step, leases }: Extract<PlainEvent, { readonly kind: "handover" }>): string {
  if (step === "given") return `another gateway is to take this one's place; leases given to it: ${leases}`;
  if (leases === undefined)
    return "this gateway takes the place of another, and cannot read what that handed over: it asks STS for leases of its own";
  return `this gateway takes the place of another; leases taken from it: ${leases}`;
}

type RulesEvent = Extract<PlainEvent, { readonly kind: `rules-${string}` }>;

function rulesSentenceFor(event: RulesEvent): string {
  switch (event.kind) {
    case "rules-chosen":
      return `rules by ${event.backend}: ${event.reason}`;
    case "rules-applied":
      return event.parts === "all" ? "the redirect is in the kernel" : "containers reach no IMDS until the gateway listens";
    case "rules-note":
      return event.message;
    case "rules-repaired":
      return event.parts === "all"
        ? `somebody changed the rules; they are back (${event.found})`
        : `somebody changed the rules; the closed part is back, the redirect is not (${event.found})`;
    case "rules-flapping":
      return `somebody changes the rules again and again: containers reach no IMDS for ${event.backOffMs / 1_000} s (${event.found})`;
    case "rules-unkept":
      return `the rules cannot be kept: ${event.message}`;
    case "rules-released":
      return "the rules are no longer kept (imdsgate rules remove --stop-keeper): containers may reach the real IMDS until imdsgate starts anew";
  }
}

/** The event's own fields, `imdsgate.` before each. */
function plainFields({ kind: _, ...fields }: PlainEvent): Readonly<Record<string, string | number>> {
  const entries = Object.entries(fields).filter(([key, value]) => value !== undefined && key !== "message");
  return Object.fromEntries(
    entries.map(([key, value]) => [`imdsgate.${snakeCase(key)}`, typeof value === "number" ? value : String(value)]),
  );
}

function requestFields(facts: RequestFacts, workload: WorkloadFacts | undefined): LogLine["fields"] {
  return {
    ...(workload && workloadFields(workload)),
    "client.address": facts.address,
    "http.request.method": facts.method,
    "url.path": facts.path,
    "http.response.status_code": facts.status,
    "user_agent.original": facts.userAgent,
    "imdsgate.route": facts.route.toLowerCase(),
    duration_ms: facts.durationMs,
  };
}

function workloadFields({ name, id, image }: WorkloadFacts): LogLine["fields"] {
  return { "imdsgate.workload": name, "container.id": id, "container.image.name": image };
}

function snakeCase(key: string): string {
  return key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

function isoTime(ms: number): string {
  return new Date(ms).toISOString();
}

function line(level: LogLine["level"], message: string, fields: LogLine["fields"]): LogLine {
  return { level, isAudit: false, message, fields };
}

function audit(level: LogLine["level"], message: string, fields: LogLine["fields"]): LogLine {
  return { level, isAudit: true, message, fields };
}
