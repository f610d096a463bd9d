import { expect, test } from "vitest";
import { createLimits } from "../../src/gateway/limits.ts";

const isListed = (address: string) => address.startsWith("172.");

function admitTimes(limits: ReturnType<typeof createLimits>, address: string, times: number) {
  return Array.from({ length: times }, () => limits.admit(address));
}

test("one workload has 64 connections at once, another one is not delayed by that (R4)", () => {
  const limits = createLimits(isListed);
  const admissions = admitTimes(limits, "172.17.0.2", 65);
  expect(admissions.map(({ kind }) => kind)).toEqual([...Array.from({ length: 64 }, () => "admitted"), "over"]);
  expect(limits.admit("172.17.0.2")).toEqual({ kind: "over", limit: "workload-limit", budget: "172.17.0.2" });
  expect(limits.admit("172.17.0.3").kind).toBe("admitted");
});

test("all addresses that nobody knows share one budget of 64", () => {
  const limits = createLimits(isListed);
  for (let k = 0; k < 64; k++) expect(limits.admit(`10.0.0.${k}`)).toMatchObject({ kind: "admitted", budget: "unlisted" });
  expect(limits.admit("10.0.1.1")).toEqual({ kind: "over", limit: "workload-limit", budget: "unlisted" });
});

test("there are 1,024 in all", () => {
  const limits = createLimits(isListed);
  for (let k = 0; k < 1_024; k++) expect(limits.admit(`172.17.${k >> 6}.1`).kind).toBe("admitted");
  expect(limits.admit("172.18.0.1")).toEqual({ kind: "over", limit: "total-limit", budget: "172.18.0.1" });
});

test("a released connection makes room for the next", () => {
  const limits = createLimits(isListed);
  const [first] = admitTimes(limits, "172.17.0.2", 64);
  if (first?.kind === "admitted") first.release();
  expect(limits.admit("172.17.0.2").kind).toBe("admitted");
  expect(limits.admit("172.17.0.2").kind).toBe("over");
});
