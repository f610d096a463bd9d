import type { Emit, WorkloadFacts } from "../events.ts";
import type { Claimant } from "./inventory.ts";
import type { Workload } from "./workload.ts";

type Callback = (workload: Workload) => void;

/** Who wants to know of workloads that come and go. */
export interface Audience {
  onWorkload(callback: Callback): void;
  onGone(callback: Callback): void;
  greet(workload: Workload): void;
  /** Tells the difference between two states of one container. Without an address it is nobody that could ask. */
  tell(before: Claimant | undefined, after: Claimant | undefined): void;
}

/** An audience that has nobody in it yet. Coming and going are events too; a container with new facts is the same one. */
export function createAudience(emit: Emit): Audience {
  const forWorkload: Callback[] = [];
  const forGone: Callback[] = [];
  const greet = (workload: Workload) => {
    for (const callback of forWorkload) callback(workload);
  };
  return {
    onWorkload: (callback) => void forWorkload.push(callback),
    onGone: (callback) => void forGone.push(callback),
    greet,
    tell(before, after) {
      const old = before && isAddressed(before) ? before : undefined;
      const now = after && isAddressed(after) ? after : undefined;
      const isSame = old !== undefined && now !== undefined && isSameStart(old, now);
      if (old && !isSame) {
        emit({ kind: "workload-gone", workload: factsOf(old.workload) });
        for (const callback of forGone) callback(old.workload);
      }
      if (now && !isSame) emit({ kind: "workload-seen", workload: factsOf(now.workload) });
      if (now) greet(now.workload);
    },
  };
}

function isAddressed({ workload }: Claimant): boolean {
  return workload.addresses.length > 0;
}

function isSameStart(one: Claimant, other: Claimant): boolean {
  return one.pid === other.pid && one.startTime === other.startTime && one.workload.name === other.workload.name;
}

function factsOf({ name, id, image }: Workload): WorkloadFacts {
  return { name, id, image };
}
