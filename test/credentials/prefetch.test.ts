import { describe, expect, test } from "vitest";
import { createPrefetch } from "../../src/credentials/prefetch.ts";
import type { Workload } from "../../src/identity/workload.ts";
import type { Decision } from "../../src/policy/decide.ts";
import { handMovedClock } from "../support/hand-moved-clock.ts";
import { grantOf, MINUTE } from "./scripted.ts";

const WEB: Workload = { kind: "container", name: "web", id: "aa", image: "nginx", labels: {}, networks: [], addresses: ["172.17.0.2"] };
const DB: Workload = { ...WEB, name: "db", id: "bb" };

/** Prefetch on a policy that gives each workload a session of its own name, or `shared` to all. */
function startPrefetch({ session }: { readonly session?: string } = {}) {
  const clock = handMovedClock();
  const told: string[] = [];
  let isKnown = true;
  const decide = ({ name, addresses }: Workload): Decision => {
    if (addresses.length === 0) return { kind: "none" };
    if (!isKnown) return { kind: "pending", missing: "account", binding: "name:*=app" };
    return { kind: "grant", grant: grantOf({ sessionName: session ?? [name, ...addresses.slice(1)].join("@") }) };
  };
  const leases = {
    prefetch: ({ sessionName }: { readonly sessionName: string }) => void told.push(`prefetch ${sessionName}`),
    drop: ({ sessionName }: { readonly sessionName: string }) => void told.push(`drop ${sessionName}`),
  };
  const prefetch = createPrefetch({ clock, decide, leases });
  return {
    clock,
    told,
    prefetch,
    setKnown(value: boolean) {
      isKnown = value;
    },
  };
}

describe("prefetch", () => {
  test("makes a lease ready for each workload that appears", () => {
    const { prefetch, told } = startPrefetch();
    prefetch.seen(WEB);
    prefetch.seen(DB);
    expect(told).toEqual(["prefetch web", "prefetch db"]);
  });

  test("drops a lease five minutes after its workload went", () => {
    const { prefetch, told, clock } = startPrefetch();
    prefetch.seen(WEB);
    prefetch.gone(WEB);
    clock.advance(5 * MINUTE - 1);
    expect(told).toEqual(["prefetch web"]);
    clock.advance(1);
    expect(told).toEqual(["prefetch web", "drop web"]);
  });

  test("keeps the lease of a workload that comes back in time", () => {
    const { prefetch, told, clock } = startPrefetch();
    prefetch.seen(WEB);
    prefetch.gone(WEB);
    clock.advance(MINUTE);
    prefetch.seen(WEB);
    clock.advance(10 * MINUTE);
    expect(told).toEqual(["prefetch web", "prefetch web"]);
  });

  test("keeps a lease that another workload still uses", () => {
    const { prefetch, told, clock } = startPrefetch({ session: "all" });
    prefetch.seen(WEB);
    prefetch.seen(DB);
    prefetch.gone(WEB);
    clock.advance(5 * MINUTE);
    expect(told).toEqual(["prefetch all", "prefetch all"]);
    prefetch.gone(DB);
    clock.advance(5 * MINUTE);
    expect(told.at(-1)).toBe("drop all");
  });

  test("drops the lease that a workload had before its addresses led to another, five minutes later", () => {
    const { prefetch, told, clock } = startPrefetch();
    const moved = { ...WEB, addresses: [...WEB.addresses, "10.0.0.2"] };
    prefetch.seen(WEB);
    prefetch.seen(moved);
    clock.advance(5 * MINUTE - 1);
    expect(told).toEqual(["prefetch web", "prefetch web@10.0.0.2"]);
    clock.advance(1);
    expect(told.slice(2)).toEqual(["drop web"]);
    prefetch.gone(moved);
    clock.advance(5 * MINUTE);
    expect([told.slice(3), clock.untilNext()]).toEqual([["drop web@10.0.0.2"], undefined]);
  });

  test("keeps the lease that a workload comes back to, or that another one has, after its addresses changed", () => {
    const { prefetch, told, clock } = startPrefetch();
    const moved = { ...WEB, addresses: [...WEB.addresses, "10.0.0.2"] };
    prefetch.seen(WEB);
    prefetch.seen(moved);
    prefetch.seen(WEB);
    prefetch.seen({ ...DB, name: "web", addresses: moved.addresses });
    clock.advance(10 * MINUTE);
    expect(told.filter((line) => line.startsWith("drop"))).toEqual([]);
  });

  test("drops the lease of a workload that has no binding any more", () => {
    const { prefetch, told, clock } = startPrefetch();
    prefetch.seen(WEB);
    prefetch.seen({ ...WEB, addresses: [] });
    clock.advance(5 * MINUTE);
    expect(told).toEqual(["prefetch web", "drop web"]);
  });

  test("looks again once a grant's host facts are known", () => {
    const { prefetch, told, setKnown } = startPrefetch();
    setKnown(false);
    prefetch.seen(WEB);
    expect(told).toEqual([]);
    setKnown(true);
    prefetch.lookAgain();
    expect(told).toEqual(["prefetch web"]);
  });

  test("leaves no timer behind", () => {
    const { prefetch, clock } = startPrefetch();
    prefetch.seen(WEB);
    prefetch.gone(WEB);
    prefetch.stop();
    expect(clock.untilNext()).toBeUndefined();
  });
});
