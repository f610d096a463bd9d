import type { Ordeal } from "./chronicle.ts";

/** What lets a refusal pass: something that was done at that time, or that the container had begun less than a second before. */
export type Excuse = Ordeal | "young";

interface AllowedRefusal {
  readonly outcomes: readonly string[];
  readonly excuses: readonly Excuse[];
  readonly because: string;
}

/** Everything that a container with a binding may be told instead of its role, and when. Whatever stands in no row fails the run. */
const ALLOWED_REFUSALS: readonly AllowedRefusal[] = [
  {
    outcomes: ["ConnectionRefusedError", "ConnectionResetError", "cut"],
    excuses: ["gateway-down"],
    because: "no gateway, no metadata: the rules stay and lead to a port where nobody listens",
  },
  {
    outcomes: ["errno 113"],
    excuses: ["gateway-down", "docker-hung", "dockerd-down", "inspect-slow", "events-late", "young"],
    because:
      "the bridge guard holds an address for who was there before until the gateway has seen it go; a gateway that died, for up to 30 s (docs/security.md)",
  },
  {
    outcomes: ["ConnectionResetError", "cut"],
    excuses: ["renaming", "connecting", "disconnecting", "young", "events-late"],
    because:
      "an answer that took more than 20 ms is not sent where the container is not proven again, under the same name (README, security model 1)",
  },
  {
    outcomes: ["404"],
    excuses: ["docker-hung", "dockerd-down"],
    because: "docs/contract.md, X8: who is not known within the second that Docker has is nobody",
  },
  {
    outcomes: ["404"],
    excuses: ["connecting"],
    because: "the kernel has the new address before Docker names it, and an address that Docker does not name is nobody's",
  },
  {
    outcomes: ["500"],
    excuses: ["docker-hung", "dockerd-down", "inspect-slow", "young"],
    because: "docs/contract.md, N5: a container that is starting is waited for, up to 5 s",
  },
  {
    outcomes: ["timeout", "cut"],
    excuses: ["paused"],
    because: "a frozen process does not read its answer, and the gateway waits for no client for ever",
  },
  {
    outcomes: ["errno 101", "timeout"],
    excuses: ["connecting", "disconnecting"],
    because: "the container's own kernel has no route at that moment, or the answer finds no way back",
  },
  {
    outcomes: ["errno 101", "timeout"],
    excuses: ["dockerd-down"],
    because:
      "a dockerd that dies in the moment in which it starts a container forgets it and takes its network away, and the process goes on",
  },
];

/** The excuse that the table takes for `outcome`; undefined when it takes none of `excuses`. */
export function excuseFor(outcome: string, excuses: readonly Excuse[]): Excuse | undefined {
  const rows = ALLOWED_REFUSALS.filter(({ outcomes }) => outcomes.includes(outcome));
  return excuses.find((excuse) => rows.some((row) => row.excuses.includes(excuse)));
}
