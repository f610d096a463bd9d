/** The part of a V8 CPU profile that is read here (Chrome DevTools Protocol, Profiler.Profile). */
export interface CpuProfile {
  readonly nodes: readonly { readonly id: number; readonly callFrame: Frame }[];
  readonly samples: readonly number[];
  /** Microseconds from one sample to the next. */
  readonly timeDeltas: readonly number[];
  /** Of the monotonic clock, in microseconds. */
  readonly startTime: number;
}

interface Frame {
  readonly functionName: string;
  readonly url: string;
  readonly lineNumber: number;
}

const GROUPS = [
  "libuv and the kernel",
  "garbage collector",
  "pino",
  "imdsgate",
  "node internals",
  "V8 built-ins",
  "other packages",
] as const;
type Group = (typeof GROUPS)[number];

/** One function's own time. */
interface SelfTime {
  readonly name: string;
  readonly where: string;
  readonly group: Group;
  readonly micros: number;
}

export interface ProfileSummary {
  /** The longest first. */
  readonly functions: readonly SelfTime[];
  readonly groups: readonly { readonly group: Group; readonly micros: number }[];
  readonly busyMicros: number;
}

/** Sums up own times in the part of `profile` between two moments of the monotonic clock, in microseconds; waiting is left out. */
export function summarize(profile: CpuProfile, fromMicros: number, toMicros: number): ProfileSummary {
  const frames = new Map(profile.nodes.map(({ id, callFrame }) => [id, callFrame]));
  const found = new Map<string, SelfTime>();
  let now = profile.startTime;
  for (const [index, sample] of profile.samples.entries()) {
    const micros = profile.timeDeltas[index + 1] ?? 0;
    now += profile.timeDeltas[index] ?? 0;
    const frame = frames.get(sample);
    if (!frame || now < fromMicros || now > toMicros || frame.functionName === "(idle)") continue;
    const where = frame.url === "" ? "" : `${placeOf(frame.url)}:${frame.lineNumber + 1}`;
    const key = `${frame.functionName} ${where}`;
    const name = frame.functionName || "(anonymous)";
    found.set(key, { name, where, group: groupOf(frame), micros: (found.get(key)?.micros ?? 0) + micros });
  }
  const functions = [...found.values()].sort((one, other) => other.micros - one.micros);
  const sum = (of: readonly SelfTime[]) => of.reduce((total, { micros }) => total + micros, 0);
  const groups = GROUPS.map((group) => ({ group, micros: sum(functions.filter((one) => one.group === group)) }));
  return { functions, groups: groups.sort((one, other) => other.micros - one.micros), busyMicros: sum(functions) };
}

/** Functions of Node's C++ side have no file: these are the ones that end in a system call. */
const SYSTEM_CALLS =
  /^(?:\(program\)|open|openSync|close|read|readSync|readFileUtf8|fstat|stat|writev|writeBuffer|writeLatin1String|writeUtf8String|writeString|shutdown|readStart|readStop|connect6?|bind6?|setNoDelay|getpeername|getsockname|reset|destroy)$/;

function groupOf({ functionName, url }: Frame): Group {
  if (functionName === "(garbage collector)") return "garbage collector";
  if (url === "") return SYSTEM_CALLS.test(functionName) ? "libuv and the kernel" : "V8 built-ins";
  if (url.startsWith("node:")) return "node internals";
  if (/\/node_modules\/(?:pino|sonic-boom|quick-format-unescaped|safe-stable-stringify|thread-stream|on-exit-leak-free)/.test(url))
    return "pino";
  return url.includes("/node_modules/") ? "other packages" : "imdsgate";
}

function placeOf(url: string): string {
  return url.replace(/^.*\/(?:node_modules\/|(?=src\/))/, "");
}
