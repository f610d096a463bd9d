import type { Breakage } from "./breakage.ts";

const LEASE = { file: "src/credentials/handed-lease.ts", tests: ["test/credentials/handed-lease.test.ts"] };

/** What an earlier gateway hands over. */
export const HANDOVER_BREAKAGES: readonly Breakage[] = [
  {
    ...LEASE,
    name: "a lease that was handed over is for any grant",
    rule: "S7",
    search: "left.get(key)",
    replace: "[...left.values()].at(-1)",
  },
  {
    ...LEASE,
    name: "a lease that was handed over is taken by its key alone",
    rule: "S7",
    search: "return isSameSession && isInTime &&",
    replace: "return isInTime &&",
  },
  {
    ...LEASE,
    name: "a lease that was handed over lasts for any time",
    rule: "N4",
    search: "return isSameSession && isInTime &&",
    replace: "return isSameSession &&",
  },
  {
    ...LEASE,
    name: "a lease that was handed over is not judged as an answer of STS",
    rule: "F4",
    search: " && credentialsProblem(lease, now) === undefined",
    replace: "",
  },
  {
    file: "src/handover/handed-over.ts",
    tests: ["test/handover/handed-over.test.ts"],
    name: "what was handed over is read whatever its schema",
    rule: "S7",
    search: 'value["schema"] !== SCHEMA || ',
    replace: "",
  },
];
