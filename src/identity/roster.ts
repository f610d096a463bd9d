import { type Claimant, claimsOn, EMPTY_INVENTORY, sharersOf } from "./inventory.ts";
import type { RuntimeEvent } from "./runtime.ts";

/** The inventory, kept current by asking the runtime. Events only say what to ask about: their order and number do not matter. */
export interface Roster {
  claimsOn(address: string): ReturnType<typeof claimsOn>;
  /** The container `id`, if it has a process. */
  claimant(id: string): Claimant | undefined;
  /** All containers that have a process. */
  claimants(): Iterable<Claimant>;
  /** The containers that joined the network namespace of the container `id`, and ids of those that will when they start, or have by now. */
  sharersOf(id: string): ReturnType<typeof sharersOf>;
  /** Another value whenever what is known of containers and networks has changed. */
  version(): unknown;
  /** Whether it is known in whose network namespace the container `id` is, or will be. */
  isPlaced(id: string): boolean;
  /** Finds that out, of containers that are starting too. Whether there was an answer about each. It never rejects. */
  place(ids: readonly string[]): Promise<boolean>;
  /**
   * Places the containers that are in the network namespace of `ownerId`, or will be, by a question that is asked after this call; whether it was
   * answered. It never rejects.
   */
  seekJoiners(ownerId: string): Promise<boolean>;
  /** Whether each container has a cgroup of its own. */
  readonly haveAllCgroups: boolean;
  /** Whether one of the runtime's networks could hold `address`. */
  isOnNetwork(address: string): boolean;
  /** Whether everything was listed once, or the runtime turned out to be absent. */
  isHeard(): boolean;
  /** Resolves when `isHeard` becomes true. */
  whenHeard(): Promise<void>;
  /** Takes note that nobody answers where the runtime should be. */
  noteAbsence(): void;
  /** Asks for the list of networks, if that was not done within the last second. Waits up to 1 s for the answer; it never rejects. */
  renewNetworks(): Promise<void>;
  /**
   * Asks who has `address`, by a question asked after this call; a runtime is asked that about one network ten times a second at most.
   * False when the runtime did not answer. It never rejects.
   */
  lookup(address: string): Promise<boolean>;
  /** Asks about containers; joins what is under way. Whether there was an answer about each. It never rejects. */
  learn(ids: readonly string[]): Promise<boolean>;
  /** As `learn`, by questions that are asked after this call. */
  learnAnew(ids: readonly string[]): Promise<boolean>;
  /** Forgets a container whose process is gone. */
  drop(id: string): void;
  hear(event: RuntimeEvent): void;
  /** Asks for everything; gives the number of containers. Rejects with RUNTIME_UNAVAILABLE when the runtime does not list them. */
  list(): Promise<number>;
  /** Ends all questions under way. */
  hangUp(): void;
}

/** The roster where there is no runtime: nobody is on it, and it knows that at once. */
export const EMPTY_ROSTER: Roster = {
  claimsOn: (address) => claimsOn(EMPTY_INVENTORY, address),
  claimant: () => undefined,
  claimants: () => [],
  sharersOf: (id) => sharersOf(EMPTY_INVENTORY, id),
  version: () => EMPTY_INVENTORY,
  isPlaced: () => true,
  place: async () => true,
  seekJoiners: async () => true,
  haveAllCgroups: true,
  isOnNetwork: () => false,
  isHeard: () => true,
  whenHeard: async () => {},
  noteAbsence: () => {},
  renewNetworks: async () => {},
  lookup: async () => true,
  learn: async () => true,
  learnAnew: async () => true,
  drop: () => {},
  hear: () => {},
  list: async () => 0,
  hangUp: () => {},
};
