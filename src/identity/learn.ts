import type { Claimant, NetworkNamespace } from "./inventory.ts";
import { operatorLabels } from "./operator-labels.ts";
import { type ProcessTable, UNREADABLE } from "./process-table.ts";
import type { ContainerRuntime, InspectedContainer } from "./runtime.ts";

/** What asking about one container gives. */
type Learned =
  | { readonly kind: "container"; readonly claimant: Claimant }
  | { readonly kind: "container-idle"; readonly id: string; readonly ownerId: string | undefined }
  | { readonly kind: "container-unprovable"; readonly id: string }
  | { readonly kind: "container-gone"; readonly id: string };

interface Changing {
  readonly kind: "changing";
  readonly container: InspectedContainer;
}

/** Learns one container; `known` is what was learned of it before. Rejects with RUNTIME_UNAVAILABLE. */
export type Learn = (id: string, known: Claimant | undefined, signal: AbortSignal) => Promise<Learned>;

/** A container that dies and starts again while it is looked at is looked at anew, this often. */
const ATTEMPTS = 3;
const IMAGES_KEPT = 512;
/** So long, in clock ticks of 10 ms, a runtime may take to notice that a process has ended. */
const NOTICED_TICKS = 100;

/**
 * Learns containers so that pid and start time surely belong to them, since the number of a process can go to another one: either the runtime
 * names the same process of the same start before and after its start time is read, or that process was there before this one. Then nobody
 * else had the number while the runtime was asked, and one answer is enough.
 */
export function createLearn(runtime: ContainerRuntime, processTable: ProcessTable): Learn {
  const readImageLabels = rememberedImageLabels(runtime);
  const isLongThere = longThereBy(processTable);

  /** `changing`: it changed while it was looked at. */
  async function learnOnce(id: string, known: Claimant | undefined, signal: AbortSignal): Promise<Learned | Changing> {
    const container = await runtime.inspectContainer(id, signal);
    if (container === undefined) return { kind: "container-gone", id };
    const { isRunning, pid, startedAt } = container;
    if (!isRunning || pid === undefined) return idle(container);
    const startTime = processTable.startTime(pid);
    if (startTime === UNREADABLE) return { kind: "container-unprovable", id };
    if (startTime === undefined) return { kind: "changing", container };
    const isSure = isSameProcess(known, { pid, startTime, startedAt }) || isLongThere(startTime) || (await isStillSo(container, signal));
    if (!isSure) return { kind: "changing", container };
    const labels = await countedLabels(container, signal);
    const place = { namespace: namespaceOf(container), macs: macsOf(container) };
    return { kind: "container", claimant: { workload: workloadOf(container, labels), pid, startTime, startedAt, ...place } };
  }

  async function isStillSo(container: InspectedContainer, signal: AbortSignal): Promise<boolean> {
    return isSameStart(container, await runtime.inspectContainer(container.id, signal));
  }

  /** An image that cannot be looked at fails the whole: with a label too few, a binding further down would give another role. */
  async function countedLabels({ labels, imageId }: InspectedContainer, signal: AbortSignal): Promise<InspectedContainer["labels"]> {
    if (Object.keys(labels).length === 0) return labels;
    return operatorLabels(labels, await readImageLabels(imageId ?? "", signal));
  }

  return async (id, known, signal) => {
    for (let attempt = 1; ; attempt += 1) {
      const learned = await learnOnce(id, known, signal);
      if (learned.kind !== "changing") return learned;
      if (attempt === ATTEMPTS) return idle(learned.container);
    }
  };
}

/** Whether a process that began at that time was there well before this one, which had not asked anything then. */
function longThereBy(processTable: ProcessTable): (startTime: string) => boolean {
  let ownStart: ReturnType<ProcessTable["startTime"]>;
  return (startTime) => {
    if (typeof ownStart !== "string") ownStart = processTable.startTime("self");
    return typeof ownStart === "string" && Number(startTime) + NOTICED_TICKS <= Number(ownStart);
  };
}

function idle(container: InspectedContainer): Learned {
  const namespace = namespaceOf(container);
  return { kind: "container-idle", id: container.id, ownerId: namespace.kind === "shared" ? namespace.ownerId : undefined };
}

function isSameProcess(
  known: Claimant | undefined,
  { pid, startTime, startedAt }: Pick<Claimant, "pid" | "startTime" | "startedAt">,
): boolean {
  return known?.pid === pid && known.startedAt === startedAt && known.startTime === startTime;
}

function isSameStart(before: InspectedContainer, after: InspectedContainer | undefined): boolean {
  return after?.isRunning === true && after.pid === before.pid && after.startedAt === before.startedAt;
}

/** An image id names its content, so what was read once stays true. */
function rememberedImageLabels(runtime: ContainerRuntime): ContainerRuntime["imageLabels"] {
  const remembered = new Map<string, InspectedContainer["labels"]>();
  return async (imageId, signal) => {
    const labels = remembered.get(imageId) ?? (await runtime.imageLabels(imageId, signal));
    remembered.set(imageId, labels);
    const [oldest] = remembered.keys();
    if (remembered.size > IMAGES_KEPT && oldest !== undefined) remembered.delete(oldest);
    return labels;
  };
}

/** Docker and Podman write `container:` and the id, whatever the operator wrote. Podman's `ns:PATH` is somebody's, and nobody says whose. */
function namespaceOf({ networkMode }: InspectedContainer): NetworkNamespace {
  if (networkMode === "host") return { kind: "host" };
  if (networkMode.startsWith("ns:")) return { kind: "shared", ownerId: networkMode };
  const ownerId = joinedContainer(networkMode);
  return ownerId === undefined ? { kind: "own" } : { kind: "shared", ownerId };
}

/** The id of the container whose network namespace is joined. */
export function joinedContainer(networkMode: string): string | undefined {
  return /^container:(.+)$/.exec(networkMode)?.[1];
}

function macsOf({ networks }: InspectedContainer): readonly string[] {
  return [...new Set(networks.flatMap(({ mac }) => mac ?? []))];
}

function workloadOf(container: InspectedContainer, labels: InspectedContainer["labels"]): Claimant["workload"] {
  // A container in another's network namespace has no address of its own, whatever a runtime copies there.
  const networks = container.networkMode.startsWith("container:") ? [] : container.networks;
  return {
    kind: "container",
    name: container.name,
    id: container.id,
    image: container.image,
    labels,
    networks: [...new Set([...networks.map(({ name }) => name), ...(container.networkMode === "host" ? ["host"] : [])])],
    addresses: [...new Set(networks.flatMap(({ addresses }) => addresses))],
  };
}
