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
    case "serve":
      return line("debug", `${event.workload?.name ?? event.address} was answered`, { ...name, ...requestFields(event, event.workload) });
    case "relay":
      return line("debug", `passed through, ${event.outcome}`, { ...name, ...requestFields(event, event.workload) });
    default:
      return otherLine(event, name);
  }
}

type OtherEvent = Exclude<ImdsgateEvent, { kind: "vend" | "refuse" | "serve" | "relay" }>;

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

function levelOf({ kind }: PlainEvent): LogLine["level"] {
  const isTrouble = [
    "host-facts-missing",
    "runtime-disconnected",
    "runtime-slow",
    "address-doubled",
    "connection-refused",
    "config-warning",
    "base-credentials-failing",
    "role-refused",
    "rules-repaired",
    "rules-flapping",
    "rules-unkept",
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
    case "host-facts":
      return `this host is in ${event.region}${event.account === undefined ? "" : `, account ${event.account}`}`;
    case "host-facts-missing":
      return `the ${event.missing} of this host is not known yet: ${event.message}`;
    case "runtime-connected":
      return `${event.runtime} is listed: ${event.workloads} containers`;
    case "runtime-disconnected":
      return `${event.runtime} does not answer: ${event.message}`;
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
