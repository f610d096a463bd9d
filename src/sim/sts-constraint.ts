/** A fault that STS names in its answer. */
export interface StsFault {
  readonly status: 400 | 403;
  readonly code: string;
  readonly message: string;
}

/** What a text parameter may be. */
export interface TextLimits {
  readonly least: number;
  readonly most: number;
  readonly pattern: RegExp;
}

/** What STS says to a text that is outside of its limits; `name` as STS spells it: `tags.1.member.key`. Undefined where it is inside. */
export function textFault(name: string, value: string | null, limits: TextLimits): StsFault | undefined {
  if (value === null) return constraintFault(`Value null at '${name}'`, "Member must not be null");
  const at = `Value '${value}' at '${name}'`;
  if (value.length < limits.least) return constraintFault(at, `Member must have length greater than or equal to ${limits.least}`);
  if (value.length > limits.most) return constraintFault(at, `Member must have length less than or equal to ${limits.most}`);
  const pattern = limits.pattern.source.replace(/^\^|\$$/g, "");
  return limits.pattern.test(value) ? undefined : constraintFault(at, `Member must satisfy regular expression pattern: ${pattern}`);
}

/** What STS says of a parameter that breaks a rule. */
export function constraintFault(at: string, rule: string): StsFault {
  return invalid(`1 validation error detected: ${at} failed to satisfy constraint: ${rule}`);
}

/** A ValidationError. */
export function invalid(message: string): StsFault {
  return { status: 400, code: "ValidationError", message };
}
