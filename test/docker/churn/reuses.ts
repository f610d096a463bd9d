import { isInBlock } from "../../../src/address.ts";
import type { AnswerLog, Tenure } from "./answer-log.ts";
import type { Chronicle } from "./chronicle.ts";
import { NETWORKS } from "./churn-stage.ts";
import type { NetworkEvent } from "./network-events.ts";

/** What a log says of addresses. */
export type TenureLog = Pick<AnswerLog, "key" | "isExec" | "tenures">;

interface Stay extends Tenure {
  readonly containerId: string;
}

/** How often Docker gave an address to one container at most `ms` milliseconds after it had taken it from another. */
export function reusesWithin(ms: number, logs: readonly TenureLog[], { containers }: Chronicle, events: readonly NetworkEvent[]): number {
  const eventsOf = Map.groupBy(events, ({ containerId, network }) => `${containerId} ${network}`);
  const stays = logs
    .filter(({ isExec }) => !isExec)
    .flatMap(({ key, tenures }) => tenures.map((tenure): Stay => ({ ...tenure, containerId: containers.get(key)?.id ?? "" })))
    .map((stay) => asDockerTells(stay, eventsOf.get(`${stay.containerId} ${networkOf(stay.address)}`) ?? []));
  let reuses = 0;
  for (const ofAddress of Map.groupBy(stays, ({ address }) => address).values()) {
    const inOrder = ofAddress.toSorted((one, other) => one.from - other.from);
    reuses += inOrder.filter((stay, index) => {
      const before = inOrder[index - 1];
      return before !== undefined && before.containerId !== stay.containerId && stay.from - before.to <= ms;
    }).length;
  }
  return reuses;
}

/** From the last connection before the container saw the address to the first disconnection after it did so last; else what it saw itself. */
function asDockerTells(stay: Stay, events: readonly NetworkEvent[]): Stay {
  const connected = events.findLast(({ action, at }) => action === "connect" && at <= stay.from);
  const disconnected = events.find(({ action, at }) => action === "disconnect" && at >= stay.to);
  return { ...stay, from: connected?.at ?? stay.from, to: disconnected?.at ?? stay.to };
}

function networkOf(address: string): string {
  return Object.entries(NETWORKS).find(([, subnets]) => subnets.some((subnet) => isInBlock(address, subnet)))?.[0] ?? "";
}
