import type { Emit } from "../events.ts";
import type { Claimant } from "./inventory.ts";
import { type Workload, workloadFacts } from "./workload.ts";

type Callback = (workload: Workload) => void;

/** Who wants to know of workloads that come and go. */
export interface Audience {
  onWorkload(callback: Callback): void;
  onGone(callback: Callback): void;
  greet(workload: Workload): void;
  /** Tells the difference between two states of one container. Without an address of its own or the host's it is nobody that could ask. */
  tell(before: Claimant | undefined, after: Claimant | undefined): void;
}

/** An audience that has nobody in it yet. Coming and going are events too; a container with new facts is the same one. */
export function createAudience(emit: Emit): Audience {
  const forWorkload: Callback[] = [];
  const forGone: Callback[] = [];
  const greet = (workload: Workload) => {
    for (const callback of forWorkload) callback(workload);
  };
  const seeOff = (workload: Workload) => {
    emit({ kind: "workload-gone", workload: workloadFacts(workload) });
    for (const callback of forGone) callback(workload);
  };
  return {
    onWorkload: (callback) => void forWorkload.push(callback),
    onGone: (callback) => void forGone.push(callback),
    greet,
    tell(before, after) {
      const [old, now] = [audible(before), audible(after)];
      const isSame = isSameStart(old, now);
      if (old && !isSame) seeOff(old.workload);
      if (now && !isSame) emit({ kind: "workload-seen", workload: workloadFacts(now.workload) });
      if (now) greet(now.workload);
    },
  };
}

function audible(claimant: Claimant | undefined): Claimant | undefined {
  return claimant && (claimant.workload.addresses.length > 0 || claimant.namespace.kind === "host") ? claimant : undefined;
}

function isSameStart(one: Claimant | undefined, other: Claimant | undefined): boolean {
  return one?.pid === other?.pid && one?.startTime === other?.startTime && one?.workload.name === other?.workload.name;
}
