/** One container as a runtime's `inspect` tells it, reduced to what identity needs. */
export interface InspectedContainer {
  readonly id: string;
  /** Without the leading slash. */
  readonly name: string;
  /** The image as the container was created with. */
  readonly image: string;
  /** What the image was resolved to at that time; undefined where the runtime does not say. */
  readonly imageId: string | undefined;
  readonly labels: Readonly<Record<string, string>>;
  readonly isRunning: boolean;
  /** The init process in the host's pid namespace; undefined while there is none. */
  readonly pid: number | undefined;
  /** The runtime's own time stamp of this start; changes with every restart. */
  readonly startedAt: string;
  readonly networks: readonly InspectedEndpoint[];
  /** `bridge`, `host`, `none`, a network's name, or `container:ID`. */
  readonly networkMode: string;
}

/** Where a container is on one network, as its own inspection tells it. */
interface InspectedEndpoint {
  readonly name: string;
  readonly id: string;
  readonly addresses: readonly string[];
  /** Canonical text; undefined where the runtime does not say, as while it does not run. */
  readonly mac: string | undefined;
}

/** A network and, for each container on it, its addresses there (canonical text). */
export interface RuntimeNetwork {
  readonly id: string;
  readonly name: string;
  readonly driver: string;
  /** CIDR blocks of its address management. */
  readonly subnets: readonly string[];
  /** Container id to addresses. Other keys of a runtime (Swarm's `ingress-sbox`) are left out. */
  readonly endpoints: ReadonlyMap<string, readonly string[]>;
  /** Container id to the link address of its interface there, in canonical text; without those of which the runtime does not say it. */
  readonly macs: ReadonlyMap<string, string>;
}

export type RuntimeEvent =
  | { readonly kind: "connected"; readonly containerId: string; readonly networkId: string }
  | { readonly kind: "disconnected"; readonly containerId: string; readonly networkId: string }
  | { readonly kind: "created"; readonly containerId: string }
  | { readonly kind: "started"; readonly containerId: string }
  | { readonly kind: "died"; readonly containerId: string }
  | { readonly kind: "renamed"; readonly containerId: string }
  | { readonly kind: "network-changed"; readonly networkId: string }
  /** No event of the runtime's: what its door has to tell people. */
  | { readonly kind: "note"; readonly message: string };

/**
 * A container runtime, read only. Every call may reject with RUNTIME_UNAVAILABLE; where nobody listens, its cause has the code ENOENT or
 * ECONNREFUSED.
 */
export interface ContainerRuntime {
  readonly name: string;
  /** Ids of all running (also paused) containers, and of those that will join another's network namespace when they start. */
  listContainers(signal: AbortSignal): Promise<readonly string[]>;
  /** Undefined when there is no such container. */
  inspectContainer(id: string, signal: AbortSignal): Promise<InspectedContainer | undefined>;
  /**
   * The id of the container whose network namespace `id` joins when it starts, or has joined; undefined where it joins none, and where there
   * is no such container. That never changes, so it is answered also for a container that is starting.
   */
  namespaceOwner(id: string, signal: AbortSignal): Promise<string | undefined>;
  /** Whether each container has a cgroup of its own, so that the kernel shows who comes. */
  readonly haveAllCgroups: boolean;
  /** The ids of the containers that joined the network namespace of `ownerId`, or will when they start, also of those that are starting. */
  listJoiners(ownerId: string, signal: AbortSignal): Promise<readonly string[]>;
  listNetworks(signal: AbortSignal): Promise<readonly { readonly id: string; readonly subnets: readonly string[] }[]>;
  /** Undefined when there is no such network. */
  inspectNetwork(id: string, signal: AbortSignal): Promise<RuntimeNetwork | undefined>;
  /** The labels that an image itself carries. Rejects also when there is no such image: nothing is known of it then. */
  imageLabels(imageId: string, signal: AbortSignal): Promise<Readonly<Record<string, string>>>;
  /** Events from the moment the subscription stands (`onOpen`), until `signal` aborts or the stream ends. */
  watchEvents(onOpen: () => void, onEvent: (event: RuntimeEvent) => void, signal: AbortSignal): Promise<void>;
}
