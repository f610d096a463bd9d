import { constraintFault, invalid, type StsFault, type TextLimits, textFault } from "./sts-constraint.ts";
import { sessionFault } from "./sts-session-parameters.ts";

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
  readonly sourceIdentity: string | undefined;
  readonly durationSeconds: number;
}

const ROLE_ARN = /^arn:(aws[a-z-]*):iam::(\d{12}):role\/(?:[\x21-\x7e]+\/)?([\w+=,.@-]{1,64})$/;
const ARN: TextLimits = { least: 20, most: 2048, pattern: /^[\t\n\r\x20-\x7e\x85\xa0-\uffff]+$/ };
const EXTERNAL_ID: TextLimits = { least: 2, most: 1224, pattern: /^[\w+=,.@:/-]*$/ };
const NAME: TextLimits = { least: 2, most: 64, pattern: /^[\w+=,.@-]*$/ };
const CHAINED_LIMIT_SECONDS = 3600;

/** Reads and checks the parameters as STS does, in the words of STS (API reference of AssumeRole; `docs/contract.md`, S1 to S7). */
export function parseAssumeRole(parameters: URLSearchParams, isChained: boolean): AssumeRoleParameters | StsFault {
  const durationText = parameters.get("DurationSeconds") ?? "3600";
  const fault = namesFault(parameters) ?? sessionFault(parameters) ?? durationFault(durationText, isChained);
  if (fault) return fault;

  const roleArn = parameters.get("RoleArn") ?? "";
  const [, partition, account, roleName] = ROLE_ARN.exec(roleArn) ?? [];
  if (partition === undefined || account === undefined || roleName === undefined) return invalid(`${roleArn} is invalid`);
  return {
    roleArn,
    partition,
    account,
    roleName,
    sessionName: parameters.get("RoleSessionName") ?? "",
    externalId: parameters.get("ExternalId") ?? undefined,
    sourceIdentity: parameters.get("SourceIdentity") ?? undefined,
    durationSeconds: Number(durationText),
  };
}

function namesFault(parameters: URLSearchParams): StsFault | undefined {
  const optional = (name: string, limits: TextLimits) => {
    const value = parameters.get(name);
    return value === null ? undefined : textFault(`${name.charAt(0).toLowerCase()}${name.slice(1)}`, value, limits);
  };
  return (
    textFault("roleArn", parameters.get("RoleArn"), ARN) ??
    textFault("roleSessionName", parameters.get("RoleSessionName"), NAME) ??
    optional("ExternalId", EXTERNAL_ID) ??
    optional("SourceIdentity", NAME)
  );
}

/** Whether parsing ended in a fault. */
export function isStsFault(value: AssumeRoleParameters | StsFault): value is StsFault {
  return "code" in value;
}

function durationFault(text: string, isChained: boolean): StsFault | undefined {
  const at = `Value '${text}' at 'durationSeconds'`;
  if (!/^-?\d{1,9}$/.test(text)) return { status: 400, code: "MalformedInput", message: "Invalid Argument" };
  if (Number(text) < 900) return constraintFault(at, "Member must have value greater than or equal to 900");
  if (Number(text) > 43_200) return constraintFault(at, "Member must have value less than or equal to 43200");
  return isChained && Number(text) > CHAINED_LIMIT_SECONDS ? chainedDurationFault() : undefined;
}

/** What STS says to a session that wants to assume a role for more than an hour. */
export function chainedDurationFault(): StsFault {
  return invalid("The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining");
}
