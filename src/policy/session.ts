import type { Workload } from "../identity/workload.ts";
import type { Fact } from "./session-fact.ts";
import { sessionNameFor } from "./session-name.ts";
import { type SessionTag, type TagPlan, tagsFor } from "./session-tags.ts";
import { sourceIdentityFor } from "./source-identity.ts";
import { variablesOf } from "./template.ts";

/** What makes one session of a role different from another: all that STS is told besides the role (docs/contract.md, S2 to S5). */
export interface SessionFacts {
  readonly sessionName: string;
  readonly externalId: string | undefined;
  readonly sourceIdentity: string | undefined;
  readonly tags: readonly SessionTag[];
  /** The inline session policy: JSON. */
  readonly policy: string | undefined;
  readonly policyArns: readonly string[];
  readonly durationSeconds: number;
}

/** What the operator says of the sessions of one binding. What is undefined is as for every other one. */
export interface SessionPlan {
  readonly externalId: string | undefined;
  /** A template, as `sourceIdentity` and the values of `tags`. */
  readonly sessionName: string | undefined;
  readonly sourceIdentity: string | undefined;
  readonly tags: readonly TagPlan[];
  readonly policy: string | undefined;
  readonly policyArns: readonly string[];
  readonly durationSeconds: number | undefined;
}

/** Of a binding that says nothing of its sessions. */
export const PLAIN_SESSION: SessionPlan = {
  externalId: undefined,
  sessionName: undefined,
  sourceIdentity: undefined,
  tags: [],
  policy: undefined,
  policyArns: [],
  durationSeconds: undefined,
};

/** The session of `workload` by a plan in which nothing but a source identity and a policy may be left open, or why there can be none. */
export function sessionFor(
  plan: SessionPlan & Pick<SessionFacts, "sessionName" | "durationSeconds">,
  workload: Workload,
  host: string,
): Fact<SessionFacts> {
  const textOf = variablesOf(workload, host);
  const tags = tagsFor(plan.tags, textOf);
  if ("problem" in tags) return tags;
  const identity = plan.sourceIdentity === undefined ? { value: undefined } : sourceIdentityFor(plan.sourceIdentity, textOf);
  if ("problem" in identity) return identity;
  const sessionName = sessionNameFor(plan.sessionName, workload, host);
  return { value: { ...plan, sessionName, sourceIdentity: identity.value, tags: tags.value } };
}
