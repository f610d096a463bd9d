/** What was done to one container, or to all, and for how long: a refusal may have one of these as its excuse. */
export type Ordeal =
  | "paused"
  | "renaming"
  | "connecting"
  | "disconnecting"
  | "ending"
  | "gateway-down"
  | "docker-hung"
  | "inspect-slow"
  | "events-cut"
  | "events-late"
  | "dockerd-down";

/** A stretch of time, in milliseconds since the epoch. */
export interface Span {
  readonly ordeal: Ordeal;
  readonly from: number;
  /** Infinite while it lasts. */
  to: number;
}

/** One container as the churn knows it: the truth that answers are compared with. */
export interface KnownContainer {
  /** What its files are named after. */
  readonly key: string;
  readonly id: string;
  /** Undefined: no binding fits it. */
  readonly role: string | undefined;
  /** Every name that it ever had. */
  readonly names: string[];
  readonly ordeals: Span[];
}

/** Everything that was done in one run. */
export interface Chronicle {
  readonly containers: Map<string, KnownContainer>;
  /** What everybody went through. */
  readonly ordeals: Span[];
  /** How often each act was done. */
  readonly acts: Map<string, number>;
}

export function emptyChronicle(): Chronicle {
  return { containers: new Map(), ordeals: [], acts: new Map() };
}

export function countAct({ acts }: Chronicle, act: string): void {
  acts.set(act, (acts.get(act) ?? 0) + 1);
}

/** Does `work` and writes down that `ordeal` lasted as long, and `afterMs` longer. */
export async function during<T>(ordeals: Span[], ordeal: Ordeal, afterMs: number, work: () => Promise<T>): Promise<T> {
  const span: Span = { ordeal, from: Date.now(), to: Number.POSITIVE_INFINITY };
  ordeals.push(span);
  try {
    return await work();
  } finally {
    span.to = Date.now() + afterMs;
  }
}
