import { ImdsgateError } from "../../src/errors.ts";
import { type ProcessTable, UNREADABLE } from "../../src/identity/process-table.ts";
import type { RuntimeEvent } from "../../src/identity/runtime.ts";
import { type Call, createFakeApi, type FakeContainer, type FakeNetwork, type NewContainer, type Watcher } from "./fake-runtime-api.ts";

/**
 * A Docker daemon and the kernel under it, as far as identity sees them. It gives out the lowest free address again at once, keeps an
 * inspection waiting while the container starts, and refuses what Docker refuses. Calls can hang or fail, events can be lost or kept.
 */
export function createFakeRuntime({ haveAllCgroups = true }: { readonly haveAllCgroups?: boolean } = {}) {
  const containers = new Map<string, FakeContainer>();
  const networks = new Map<string, FakeNetwork>();
  const images = new Map<string, Readonly<Record<string, string>>>();
  const processes = new Map<number, { readonly startTime: string; readonly addresses: Set<string> }>();
  const watchers = new Set<Watcher>();
  const hanging = new Map<string, PromiseWithResolvers<void>>();
  const calls: string[] = [];
  const spoofedPorts = new Set<number>();
  const cgroups = new Map<number, string>();
  let kept: RuntimeEvent[] = [];
  let ticks = 100;
  let events: "delivered" | "lost" | "kept" = "delivered";
  let isDown = false;
  let isUnreadable = false;

  const containerOf = (name: string) => [...containers.values()].find((one) => one.name === name) ?? refuse(`No such container: ${name}`);
  const networkOf = (name: string) => networks.get(name) ?? refuse(`network ${name} not found`);

  function tell(event: RuntimeEvent): void {
    if (events === "kept") kept.push(event);
    if (events === "delivered") for (const watcher of watchers) watcher.tell(event);
  }

  function freeAddresses(network: FakeNetwork): readonly string[] {
    const taken = new Set([...containers.values()].flatMap(({ endpoints }) => endpoints.get(network.name) ?? []));
    return network.subnets.map((subnet) => {
      for (let host = 2; host < 250; host += 1) {
        const address = subnet.replace(/(\.0|)\/\d+$/, subnet.includes(":") ? host.toString(16) : `.${host}`);
        if (!taken.has(address)) return address;
      }
      return refuse(`no available addresses on ${network.name}`);
    });
  }

  function plug(container: FakeContainer, name: string): void {
    const network = networkOf(name);
    const addresses = freeAddresses(network);
    container.endpoints.set(name, addresses);
    for (const address of addresses) processes.get(container.pid)?.addresses.add(address);
    tell({ kind: "connected", containerId: container.id, networkId: network.id });
  }

  function unplug(container: FakeContainer, name: string): void {
    for (const address of container.endpoints.get(name) ?? []) processes.get(container.pid)?.addresses.delete(address);
    container.endpoints.delete(name);
    tell({ kind: "disconnected", containerId: container.id, networkId: networkOf(name).id });
  }

  const host = {
    createNetwork(name: string, subnets: readonly string[], options: { readonly isHidden?: boolean } = {}): void {
      if (networks.has(name)) refuse(`network with name ${name} already exists`);
      const network = { id: idOf(`network ${name} ${ticks++}`), name, subnets, isHidden: options.isHidden === true };
      networks.set(name, network);
      tell({ kind: "network-changed", networkId: network.id });
    },
    removeNetwork(name: string): void {
      const { id } = networkOf(name);
      if ([...containers.values()].some(({ endpoints }) => endpoints.has(name))) refuse(`network ${name} has active endpoints`);
      networks.delete(name);
      tell({ kind: "network-changed", networkId: id });
    },
    addImage(id: string, labels: Readonly<Record<string, string>>): void {
      images.set(id, labels);
    },
    removeImage(id: string): void {
      images.delete(id);
    },
    create(options: NewContainer): string {
      if ([...containers.values()].some(({ name }) => name === options.name))
        refuse(`The container name "/${options.name}" is already in use`);
      const id = idOf(`container ${options.name} ${ticks++}`);
      const { name, networks: attached = ["bridge"] } = options;
      const whenStarted = Promise.withResolvers<void>();
      containers.set(id, {
        ...options,
        name,
        id,
        endpoints: new Map(),
        attached: new Set(attached),
        state: "idle",
        pid: 0,
        startedAt: "",
        whenStarted,
      });
      tell({ kind: "created", containerId: id });
      return id;
    },
    /** The container's process runs and has its addresses, but the daemon has not said so yet: inspections wait. */
    beginStart(name: string, options: { readonly pid?: number } = {}): void {
      const container = containerOf(name);
      if (container.state !== "idle") refuse(`Container ${name} is already running`);
      const pid = options.pid ?? 1000 + ticks;
      if (processes.has(pid)) refuse(`pid ${pid} is taken`);
      const [, owner = ""] = /^container:(.+)$/.exec(container.networkMode ?? "") ?? [];
      const addresses = processes.get(containers.get(owner)?.pid ?? 0)?.addresses ?? new Set<string>();
      processes.set(pid, { startTime: String(ticks++), addresses });
      Object.assign(container, { state: "starting", pid, whenStarted: Promise.withResolvers<void>() });
      for (const network of container.attached) plug(container, network);
    },
    finishStart(name: string): void {
      const container = containerOf(name);
      if (container.state !== "starting") refuse(`Container ${name} is not starting`);
      Object.assign(container, { state: "running", startedAt: `start ${ticks++}` });
      container.whenStarted.resolve();
      tell({ kind: "started", containerId: container.id });
    },
    start(name: string, options: { readonly pid?: number } = {}): void {
      host.beginStart(name, options);
      host.finishStart(name);
    },
    /** Creates and starts; gives the id. */
    run(options: NewContainer & { readonly pid?: number }): string {
      const { pid, ...container } = options;
      const id = host.create(container);
      host.start(options.name, pid === undefined ? {} : { pid });
      return id;
    },
    stop(name: string): void {
      const container = containerOf(name);
      if (container.state !== "running") refuse(`Container ${name} is not running`);
      processes.delete(container.pid);
      container.state = "idle";
      tell({ kind: "died", containerId: container.id });
      for (const network of [...container.endpoints.keys()]) unplug(container, network);
    },
    remove(name: string): void {
      const container = containerOf(name);
      if (container.state !== "idle") refuse(`cannot remove container "/${name}": container is running`);
      containers.delete(container.id);
      tell({ kind: "died", containerId: container.id });
    },
    connect(name: string, network: string): void {
      const container = containerOf(name);
      if (container.attached.has(network)) refuse(`endpoint with name ${name} already exists in network ${network}`);
      container.attached.add(network);
      if (container.state === "running") plug(container, network);
    },
    disconnect(name: string, network: string): void {
      const container = containerOf(name);
      if (!container.attached.delete(network)) refuse(`container ${name} is not connected to network ${network}`);
      if (container.state === "running") unplug(container, network);
    },
    rename(name: string, to: string): void {
      const container = containerOf(name);
      container.name = to;
      tell({ kind: "renamed", containerId: container.id });
    },
    addressesOf: (name: string): readonly string[] => [...containerOf(name).endpoints.values()].flat(),
    idOf: (name: string): string => containerOf(name).id,
    pidOf: (name: string): number => containerOf(name).pid,
    networkIdOf: (name: string): string => networkOf(name).id,
    names: (): readonly string[] => [...containers.values()].map(({ name }) => name),
    networksOf: (name: string): readonly string[] => [...containerOf(name).attached],
    isRunning: (name: string): boolean => containerOf(name).state === "running",
    /** Ends a process behind the daemon's back. */
    killProcess: (pid: number): void => void processes.delete(pid),
    /** Gives an address by hand, as `docker network connect --ip` or a second address management would. */
    forceAddress(name: string, network: string, address: string): void {
      const container = containerOf(name);
      container.endpoints.set(network, [address]);
      processes.get(container.pid)?.addresses.add(address);
      tell({ kind: "connected", containerId: container.id, networkId: networkOf(network).id });
    },
    setEvents(mode: typeof events): void {
      events = mode;
    },
    /** The events that were kept; they are the test's to tell now. */
    takeKept(): readonly RuntimeEvent[] {
      const taken = kept;
      kept = [];
      return taken;
    },
    tellAgain(told: readonly RuntimeEvent[]): void {
      for (const event of told) for (const watcher of watchers) watcher.tell(event);
    },
    cutEvents(): void {
      for (const { end } of watchers) end();
    },
    /** Calls of this kind (about `id`, if given) are not answered until `release`. */
    hang(call: Call, id = ""): void {
      hanging.set(`${call} ${id}`, Promise.withResolvers<void>());
    },
    release(call: Call, id = ""): void {
      hanging.get(`${call} ${id}`)?.resolve();
      hanging.delete(`${call} ${id}`);
    },
    setDown(down: boolean): void {
      isDown = down;
      if (down) host.cutEvents();
    },
    /** From now on the kernel cannot be asked about any process, or can be again. */
    setUnreadable(unreadable: boolean): void {
      isUnreadable = unreadable;
    },
    /** No container holds a connection from this port: whoever speaks from there borrowed the address. */
    spoof: (port: number): void => void spoofedPorts.add(port),
    /** Puts a container's process into a place in the cgroup2 tree. */
    setCgroup: (name: string, path: string): void => void cgroups.set(containerOf(name).pid, path),
    /** The calls since the last look, as `inspectContainer ID`. */
    takeCalls: (): readonly string[] => calls.splice(0),
  };

  const runtime = createFakeApi({
    haveAllCgroups,
    containers,
    networks,
    images,
    watchers,
    async isAnswered(call, id) {
      calls.push(`${call} ${id}`.trim());
      await (hanging.get(`${call} ${id}`) ?? hanging.get(`${call} `))?.promise;
      if (isDown) throw new ImdsgateError("RUNTIME_UNAVAILABLE", "the runtime is down", { cause: REFUSED });
    },
  });

  const processTable: ProcessTable = {
    startTime: (pid) => (isUnreadable ? UNREADABLE : processes.get(Number(pid))?.startTime),
    ownedAddresses: (pid) => (isUnreadable ? UNREADABLE : processes.get(pid)?.addresses),
    holdsConnection(pid, connections) {
      if (isUnreadable) return UNREADABLE;
      return processes.has(pid) ? connections.some(({ from }) => !spoofedPorts.has(from.port)) : undefined;
    },
    interfaceIndexes: (pid) => (isUnreadable ? UNREADABLE : processes.has(pid) ? [pid] : undefined),
    cgroup: (pid) => (isUnreadable ? UNREADABLE : cgroups.get(Number(pid))),
  };

  host.createNetwork("bridge", ["172.17.0.0/16"]);
  images.set("app:1", {});
  return { ...host, runtime, processTable };
}

/** What a socket says behind which nobody listens. */
const REFUSED = Object.assign(new Error("connect ECONNREFUSED"), { code: "ECONNREFUSED" });

export type FakeRuntime = ReturnType<typeof createFakeRuntime>;

/** 64 hexadecimal digits that are the same for the same text. */
function idOf(text: string): string {
  let hash = 7;
  for (const character of text) hash = (hash * 31 + (character.codePointAt(0) ?? 0)) % 0xffffff;
  return `${hash.toString(16).padStart(6, "0")}${Buffer.from(text).toString("hex")}`.padEnd(64, "0").slice(0, 64);
}

function refuse(message: string): never {
  throw new Error(message);
}
