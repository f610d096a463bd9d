import type { WorkloadFacts } from "../events.ts";
import type { Source } from "./source.ts";

/** A workload: what an operator binds a role to. A container of a runtime, or a name the operator gave an address. */
export interface Workload {
  readonly kind: "container" | "static";
  /** The container's name without the leading slash, or the static workload's name. */
  readonly name: string;
  /** The full container id; undefined for a static workload. */
  readonly id: string | undefined;
  /** The image as the container was created with; undefined for a static workload. */
  readonly image: string | undefined;
  /** Labels that count as the operator's word: those that the image alone brought are left out. */
  readonly labels: Readonly<Record<string, string>>;
  readonly networks: readonly string[];
  /** Every address of every endpoint, IPv4 and IPv6, in canonical text. */
  readonly addresses: readonly string[];
}

/** A workload that the operator names himself with `--workload NAME=ADDRESS`: attested by configuration alone. */
export interface StaticWorkload {
  readonly name: string;
  readonly address: string;
}

/** Who speaks from a source address, as far as it is proven at this moment. */
export type Attestation =
  /** `isHostSocket`: the container has this host's network, and its socket told which one it is. */
  | { readonly kind: "known"; readonly workload: Workload; readonly isHostSocket?: true }
  | { readonly kind: "starting" }
  | { readonly kind: "unknown"; readonly reason: "unlisted" | "doubled" | "spoofed" | "runtime-silent" };

/** `hold`: wait up to 5 s for a container that is starting; `now`: say `starting` at once. */
export type AttestManner = "hold" | "now";

export interface Attestor {
  /** Names the workload behind `source`, proven anew at every call. It never throws. */
  attest(source: Source, manner: AttestManner): Promise<Attestation>;
}

/** What events tell of a workload. */
export function workloadFacts({ name, id, image }: Workload): WorkloadFacts {
  return { name, id, image };
}
