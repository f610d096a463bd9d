import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { acceptedRequests, type OwnReading } from "./accepted-heads.ts";
import { askReader, type Outcome } from "./ask-reader.ts";
import { isInstalled, type Reader } from "./readers.ts";

/** Why a difference between this reader and the gateway does no harm. */
export interface Explanation {
  readonly reason: string;
  readonly covers: (own: OwnReading, outcome: Outcome) => boolean;
}

interface Difference {
  readonly name: string;
  readonly own: OwnReading;
  readonly outcome: Outcome;
  readonly differences: readonly string[];
}

const NOT_ASKED: Outcome = { readings: [], refusals: [], isWaiting: true };

/** Fewer requests than this that a reader accepts would say nothing about it. */
const MIN_READ = 120;

/** The tests of one reader: where it reads something else than the gateway, the gateway does not forward it, or `explanations` say why it may. */
export function garden(reader: Reader, explanations: readonly Explanation[]): void {
  const requests = acceptedRequests();
  const isHere = isInstalled(reader);

  describe.skipIf(!isHere)(`${reader.name}${isHere ? "" : ` (${reader.program} is not installed)`}`, () => {
    const stack = new AsyncDisposableStack();
    const outcomes = new Map<string, Outcome>();

    beforeAll(async () => {
      const where = await reader.start(stack);
      for (const { name, own } of requests) outcomes.set(name, await askReader(where, own.forwarded));
    });
    afterAll(() => stack.disposeAsync());

    const differing = (): readonly Difference[] =>
      requests.flatMap(({ name, own }) => {
        const outcome = outcomes.get(name) ?? NOT_ASKED;
        const differences = differencesOf(own, outcome);
        return differences.length > 0 && own.segments !== undefined ? [{ name, own, outcome, differences }] : [];
      });

    test("reads what is forwarded as the gateway does: one request, this target, this much body (R1, R2, R3, C9)", () => {
      const unexplained = differing().filter((one) => !explanations.some(({ covers }) => covers(one.own, one.outcome)));
      expect(unexplained.map(({ name, differences }) => `${name}: ${differences.join("; ")}`)).toEqual([]);
    });

    test.for(explanations)("needs this explanation: $reason", ({ covers }) => {
      expect(differing().some(({ own, outcome }) => covers(own, outcome))).toBe(true);
    });

    test("is heard: whatever else it had read would be noticed", () => {
      const read = requests.flatMap(({ name, own }) => {
        const outcome = outcomes.get(name) ?? NOT_ASKED;
        return outcome.readings.length > 0 && differencesOf(own, outcome).length === 0 ? [{ own, outcome }] : [];
      });
      const falsified = [{ target: "/other" }, { bodyBytes: -1 }].flatMap((part) =>
        read.map(({ own, outcome }) => differencesOf({ ...own, ...part }, outcome)),
      );
      const withAnother = read.map(({ own, outcome }) =>
        differencesOf(own, { ...outcome, readings: [...outcome.readings, ...outcome.readings] }),
      );
      expect([...falsified, ...withAnother].filter((differences) => differences.length === 0)).toEqual([]);
    });

    test("accepts enough of it to say something", () => {
      const read = [...outcomes.values()].filter(({ readings }) => readings.length > 0);
      expect(read.length).toBeGreaterThan(MIN_READ);
    });
  });
}

/** In what `outcome` is another request, other requests or more of them than the gateway forwarded. To refuse it is no difference. */
function differencesOf(own: OwnReading, { readings, isWaiting }: Outcome): readonly string[] {
  const [first, ...others] = readings;
  const differences = others.map(({ target }) => `a second request, ${JSON.stringify(target)}`);
  if (isWaiting) differences.push("it waits for more");
  if (!first) return differences;
  const { target, path, bodyBytes } = first;
  if (originForm(target) !== originForm(own.target)) differences.push(`target ${JSON.stringify(target)}`);
  if (path !== undefined && own.segments && segmentsOf(path) !== own.segments.join("/")) differences.push(`path ${JSON.stringify(path)}`);
  if (bodyBytes !== own.bodyBytes) differences.push(`a body of ${bodyBytes} bytes instead of ${own.bodyBytes}`);
  return differences;
}

/** A target without scheme and authority: what is compared is what is asked for there. */
function originForm(target: string): string {
  const rest = target.replace(/^http:\/\/[^/?]*/i, "");
  return rest.startsWith("/") ? rest : `/${rest}`;
}

function segmentsOf(path: string): string {
  return path
    .split("/")
    .filter((segment) => segment !== "")
    .join("/");
}
