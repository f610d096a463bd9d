import { type Goal, goalTable } from "./goals.ts";
import type { IdentityCost, RoomFindings } from "./identity.ts";
import { median } from "./median.ts";
import { table } from "./table.ts";

/** As many containers as the goals are for. */
const GOAL_CONTAINERS = 1_000;
/** What "independent of their number" is held to. */
const INDEPENDENT = 1.2;

/** What it costs to know who is there, as Markdown: the machine, the goals, what they are made of. */
export function renderIdentity(cost: IdentityCost, facts: readonly string[]): string {
  const { rooms, startsMs } = cost;
  return [
    facts.map((fact) => `- ${fact}`).join("\n"),
    "### Goals of identity",
    goalTable(identityGoals(cost)),
    "### The identity room by the number of containers",
    roomTable(rooms),
    ...rooms.filter(({ eventMs }) => eventMs.length > 0).map(eventTable),
    `The daemon knew ${rooms.at(-1)?.known ?? 0} containers ${startsMs.map((ms) => `${(ms / 1_000).toFixed(2)} s`).join(", ")} after its starts.`,
  ].join("\n\n");
}

/** What it may cost to know who is there, and what it did. Nothing counts that was measured with fewer containers than it is for. */
export function identityGoals({ rooms, startsMs }: IdentityCost): readonly Goal[] {
  const [few, many] = [rooms[0], rooms.at(-1)];
  const full = many?.known === GOAL_CONTAINERS ? many : undefined;
  return [
    { name: "attestation with 1,000 containers, p50", atMost: 60, measured: full?.attestP50Micros, unit: "µs" },
    {
      name: "attestation of ten containers, with 1,000 known ÷ with 10",
      atMost: INDEPENDENT,
      measured: full && few && full.tenP50Micros / few.tenP50Micros,
      unit: "",
    },
    {
      name: "1,000 containers known after the start of the daemon",
      atMost: 2,
      measured: full && seconds(medianOfAny(startsMs)),
      unit: "s",
    },
    { name: "a container's start known after Docker's word, p50", atMost: 20, measured: full && medianOfAny(full.eventMs), unit: "ms" },
    { name: "memory of a container", atMost: 10, measured: full && few && bytesEach(few, full) / 1_000, unit: "KB" },
  ];
}

function roomTable(rooms: readonly RoomFindings[]): string {
  const [few] = rooms;
  return table(
    [
      "containers",
      "attestation, µs p50",
      "p99",
      "mean CPU µs",
      "of ten of them, µs p50",
      "asked",
      "known after, ms",
      "CPU ms of that",
      "live MB",
      "KB a container",
    ],
    rooms.map((room) => rowOf(room, few)),
  );
}

function rowOf(room: RoomFindings, few: RoomFindings | undefined): readonly string[] {
  return [
    String(room.known),
    room.attestP50Micros.toFixed(1),
    room.attestP99Micros.toFixed(1),
    room.attestMeanCpuMicros.toFixed(1),
    room.tenP50Micros.toFixed(1),
    String(room.asked),
    room.knownMs.toFixed(0),
    room.knownCpuMs.toFixed(0),
    (room.liveBytes / 1_000_000).toFixed(2),
    few === undefined || room === few ? "–" : (bytesEach(few, room) / 1_000).toFixed(2),
  ];
}

function eventTable({ known, eventMs }: RoomFindings): string {
  const sorted = eventMs.toSorted((one, other) => one - other);
  return table(
    ["from Docker's word to the inventory", "containers that came", "p50 ms", "fastest ms", "slowest ms"],
    [
      [
        `${known} known`,
        String(eventMs.length),
        (medianOfAny(eventMs) ?? 0).toFixed(1),
        (sorted[0] ?? 0).toFixed(1),
        (sorted.at(-1) ?? 0).toFixed(1),
      ],
    ],
  );
}

function bytesEach(few: RoomFindings, many: RoomFindings): number {
  return (many.liveBytes - few.liveBytes) / (many.known - few.known);
}

/** Undefined where there are none: what was not measured meets no goal. */
function medianOfAny(values: readonly number[]): number | undefined {
  return values.length === 0 ? undefined : median(values);
}

function seconds(ms: number | undefined): number | undefined {
  return ms === undefined ? undefined : ms / 1_000;
}
