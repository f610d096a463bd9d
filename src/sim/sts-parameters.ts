/** A fault that STS names in its answer. */
export interface StsFault {
  readonly status: 400 | 403;
  readonly code: string;
  readonly message: string;
}

/** AssumeRole's parameters, checked. */
export interface AssumeRoleParameters {
  readonly roleArn: string;
  /** Twelve digits, out of the role's ARN. */
  readonly account: string;
  readonly partition: string;
  /** The last segment of the role's ARN. */
  readonly roleName: string;
  readonly sessionName: string;
  readonly externalId: string | undefined;
  readonly durationSeconds: number;
}

const ROLE_ARN = /^arn:(aws[a-z-]*):iam::(\d{12}):role\/(?:[\x21-\x7e]+\/)?([\w+=,.@-]{1,64})$/;
const CHAINED_LIMIT_SECONDS = 3600;

/** Reads and checks the parameters as STS does, in the words of STS (API reference of AssumeRole; `docs/contract.md`, S1 to S7). */
export function parseAssumeRole(parameters: URLSearchParams, isChained: boolean): AssumeRoleParameters | StsFault {
  const roleArn = parameters.get("RoleArn");
  const sessionName = parameters.get("RoleSessionName");
  const externalId = parameters.get("ExternalId") ?? undefined;
  const durationText = parameters.get("DurationSeconds") ?? "3600";
  const fault =
    textFault("roleArn", roleArn, { least: 20, most: 2048, pattern: /^[\t\n\r\x20-\x7e\x85\xa0-\uffff]+$/ }) ??
    textFault("roleSessionName", sessionName, { least: 2, most: 64, pattern: /^[\w+=,.@-]*$/ }) ??
    (externalId === undefined ? undefined : textFault("externalId", externalId, { least: 2, most: 1224, pattern: /^[\w+=,.@:/-]*$/ })) ??
    durationFault(durationText, isChained);
  if (fault) return fault;

  const [, partition, account, roleName] = ROLE_ARN.exec(roleArn ?? "") ?? [];
  if (partition === undefined || account === undefined || roleName === undefined) return invalid(`${roleArn} is invalid`);
  return {
    roleArn: roleArn ?? "",
    partition,
    account,
    roleName,
    sessionName: sessionName ?? "",
    externalId,
    durationSeconds: Number(durationText),
  };
}

/** Whether parsing ended in a fault. */
export function isStsFault(value: AssumeRoleParameters | StsFault): value is StsFault {
  return "code" in value;
}

function textFault(
  name: string,
  value: string | null,
  limits: { readonly least: number; readonly most: number; readonly pattern: RegExp },
): StsFault | undefined {
  if (value === null) return constraint(`Value null at '${name}'`, "Member must not be null");
  const at = `Value '${value}' at '${name}'`;
  if (value.length < limits.least) return constraint(at, `Member must have length greater than or equal to ${limits.least}`);
  if (value.length > limits.most) return constraint(at, `Member must have length less than or equal to ${limits.most}`);
  const pattern = limits.pattern.source.replace(/^\^|\$$/g, "");
  return limits.pattern.test(value) ? undefined : constraint(at, `Member must satisfy regular expression pattern: ${pattern}`);
}

function durationFault(text: string, isChained: boolean): StsFault | undefined {
  const at = `Value '${text}' at 'durationSeconds'`;
  if (!/^-?\d{1,9}$/.test(text)) return { status: 400, code: "MalformedInput", message: "Invalid Argument" };
  if (Number(text) < 900) return constraint(at, "Member must have value greater than or equal to 900");
  if (Number(text) > 43_200) return constraint(at, "Member must have value less than or equal to 43200");
  return isChained && Number(text) > CHAINED_LIMIT_SECONDS ? chainedDurationFault() : undefined;
}

/** What STS says to a session that wants to assume a role for more than an hour. */
export function chainedDurationFault(): StsFault {
  return invalid("The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining");
}

function constraint(at: string, rule: string): StsFault {
  return invalid(`1 validation error detected: ${at} failed to satisfy constraint: ${rule}`);
}

function invalid(message: string): StsFault {
  return { status: 400, code: "ValidationError", message };
}
