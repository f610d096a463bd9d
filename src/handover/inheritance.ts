/** What a gateway inherits of the one before it, as numbers of descriptors. */
export interface Inheritance {
  /** Sockets that listen. */
  readonly listeners: readonly number[];
  /** The way back to the one before. */
  readonly pipe: number;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** No IMDSGATE_… variable, since it is no setting. The last number is the pipe's. */
const VARIABLE = "HANDOVER_FDS";
/** These name a process, which the next one is not (sd_listen_fds(3), sd_watchdog_enabled(3)). */
const OF_THIS_PROCESS = ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "WATCHDOG_PID"];

/** What `environment` says of an inheritance; undefined where it says nothing, or nothing that makes sense. */
export function inheritanceIn(environment: Environment): Inheritance | undefined {
  const text = environment[VARIABLE] ?? "";
  if (!/^\d{1,4}( \d{1,4})+$/.test(text)) return undefined;
  const descriptors = text.split(" ").map(Number);
  return { listeners: descriptors.slice(0, -1), pipe: descriptors.at(-1) ?? 0 };
}

/** The environment of a gateway that inherits. */
export function environmentOfHeir(environment: Environment, { listeners, pipe }: Inheritance): Record<string, string> {
  const kept = Object.entries(environment).filter(([name]) => !OF_THIS_PROCESS.includes(name));
  const own = Object.fromEntries(kept.flatMap(([name, value]) => (value === undefined ? [] : [[name, value] as const])));
  return { ...own, [VARIABLE]: [...listeners, pipe].join(" ") };
}
