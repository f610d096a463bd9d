import type { Emit } from "../events.ts";
import type { Claims } from "./judge.ts";
import type { Attestation, Workload } from "./workload.ts";

const UNLISTED: Attestation = { kind: "unknown", reason: "unlisted" };
const DOUBLED: Attestation = { kind: "unknown", reason: "doubled" };
const SPOOFED: Attestation = { kind: "unknown", reason: "spoofed" };

/** The verdict on what is settled about an address; who shares one is told once until that changes. */
export function createVerdict(emit: Emit): (address: string, claims: Claims) => Attestation {
  const told = new Map<string, string>();
  return (address, { live, pending, spoofed }) => {
    const [workload] = live;
    if (live.length + pending.length < 2) {
      told.delete(address);
      if (workload) return { kind: "known", workload };
      return spoofed.length > 0 ? SPOOFED : UNLISTED;
    }
    const claimants = [...live.map(labelOf), ...pending.map((id) => id.slice(0, 12))].sort();
    if (told.get(address) !== claimants.join()) emit({ kind: "address-doubled", address, claimants });
    told.set(address, claimants.join());
    return DOUBLED;
  };
}

function labelOf({ name, id }: Workload): string {
  return id === undefined ? name : `${name} (${id.slice(0, 12)})`;
}
