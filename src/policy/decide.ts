import type { Workload } from "../identity/workload.ts";
import { type RoleArn, type RoleReference, roleInAccount } from "./role-arn.ts";
import type { RoleBinding } from "./role-binding.ts";
import { selects } from "./selector.ts";
import { PLAIN_SESSION, type SessionFacts, sessionFor } from "./session.ts";

/** What the operator allows one workload: the role, and all that makes its session different from another's. */
export interface Grant extends SessionFacts {
  readonly role: RoleArn;
  /** The binding that decided, as the operator wrote it: `name:php=php-role`, or `default-role`. */
  readonly binding: string;
}

/** Where this host is. What is not known yet is undefined. */
export interface HostFacts {
  readonly region: string | undefined;
  readonly partition: string | undefined;
  readonly account: string | undefined;
}

export type Decision =
  | { readonly kind: "grant"; readonly grant: Grant }
  /** A binding applies, but its bare role name needs a host fact that is not known yet: 500, never 404. */
  | { readonly kind: "pending"; readonly missing: "account" | "partition"; readonly binding: string }
  /** A binding applies, but what its session is to hold cannot be made of this workload: no role, rather than other facts. */
  | { readonly kind: "unfit"; readonly role: RoleArn; readonly binding: string; readonly problem: string }
  | { readonly kind: "none" };

/** What the operator decided, parsed. */
export interface Policy {
  /** In the operator's order: the first match wins. */
  readonly bindings: readonly RoleBinding[];
  /** For known workloads without a binding. */
  readonly defaultRole: RoleReference | undefined;
  /** The template of session names, as `parseSessionName` accepts it. */
  readonly sessionName: string;
  readonly durationSeconds: number;
  /** Role (as the operator wrote it: alias, name or ARN) to external id. */
  readonly externalIds: ReadonlyMap<string, string>;
  /** This host's name, for {host} in session names. */
  readonly host: string;
  /** For everyone whose binding does not say otherwise. */
  readonly requireImdsv2: boolean;
}

/** Whether `workload` must show an IMDS token with each request. One that nobody knows has no binding to relax it. */
export function requiresImdsv2(workload: Workload | undefined, policy: Policy): boolean {
  const bound = workload && policy.bindings.find(({ selector }) => selects(selector, workload));
  return bound?.requireImdsv2 ?? policy.requireImdsv2;
}

/**
 * What `policy` says of a known workload. The first binding that matches decides, also when it can not be carried out yet;
 * the default role is for known workloads without a binding.
 */
export function decide(workload: Workload, policy: Policy, hostFacts: HostFacts): Decision {
  const bound = policy.bindings.find(({ selector }) => selects(selector, workload));
  const reference = bound?.role ?? policy.defaultRole;
  if (!reference) return { kind: "none" };
  const binding = bound?.text ?? "default-role";
  const role = resolveRole(reference, hostFacts);
  if ("missing" in role) return { kind: "pending", missing: role.missing, binding };
  const plan = bound?.session ?? PLAIN_SESSION;
  const session = sessionFor(
    {
      ...plan,
      sessionName: plan.sessionName ?? policy.sessionName,
      externalId: plan.externalId ?? policy.externalIds.get(reference.text) ?? policy.externalIds.get(role.arn),
      durationSeconds: plan.durationSeconds ?? policy.durationSeconds,
    },
    workload,
    policy.host,
  );
  if ("problem" in session) return { kind: "unfit", role, binding, problem: session.problem };
  return { kind: "grant", grant: { ...session.value, role, binding } };
}

/** Whether a decision gives its workload a role, be it later: only then it finds an IAM tree (docs/contract.md, X6). */
export function givesRole({ kind }: Decision): boolean {
  return kind === "grant" || kind === "pending";
}

/** Whether two workloads are given the same, each in its own name: the same role by the same binding, or none. */
export function isSameDecision(one: Decision, other: Decision): boolean {
  if (one.kind === "none" || other.kind === "none") return one.kind === other.kind;
  if (one.kind === "grant" && other.kind === "grant")
    return one.grant.role.arn === other.grant.role.arn && one.grant.binding === other.grant.binding;
  return one.kind === "pending" && other.kind === "pending" && one.binding === other.binding;
}

/** The role that `reference` means on this host, or the fact that a bare name still waits for. */
function resolveRole(reference: RoleReference, { account, partition }: HostFacts): RoleArn | { readonly missing: "account" | "partition" } {
  if (reference.kind === "arn") return reference.role;
  if (account === undefined) return { missing: "account" };
  if (partition === undefined) return { missing: "partition" };
  return roleInAccount(reference.name, partition, account);
}
