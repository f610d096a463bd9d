import type { Workload } from "../identity/workload.ts";
import type { Parsed } from "../parsed.ts";

/** One `--host-role`: a container, by its very name or image, that keeps this host's own role. */
export interface HostRole {
  readonly fact: "name" | "image";
  readonly value: string;
}

/** Reads one `--host-role SELECTOR`: exact, since a pattern could one day match somebody who was not meant. */
export function parseHostRole(text: string): Parsed<HostRole> {
  const [, fact, value = ""] = /^(name|image):(\S+)$/.exec(text) ?? [];
  if ((fact === "name" || fact === "image") && !/[*?[\]{}]/.test(value)) return { value: { fact, value } };
  return {
    problem: `${JSON.stringify(text)} does not name one container`,
    allowed: "name:NAME or image:IMAGE, in full: no pattern gives away this host's role",
    example: "name:ecs-agent",
  };
}

/** Whether the operator lets a container keep this host's own role. It is for those with the host's network alone: that is for the caller to see to. */
export function keepsHostRole(container: Pick<Workload, "name" | "image">, hostRoles: readonly HostRole[]): boolean {
  return hostRoles.some(({ fact, value }) => container[fact] === value);
}
