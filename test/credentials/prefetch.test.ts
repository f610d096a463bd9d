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
  const decide = ({ name }: Workload): Decision =>
    isKnown
      ? { kind: "grant", grant: grantOf({ sessionName: session ?? name }) }
      : { kind: "pending", missing: "account", binding: "name:*=app" };
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
