import type { Breakage } from "./breakage.ts";

const AWS = { file: "src/dev/embedded-aws.ts", tests: ["test/dev/embedded-aws.test.ts"] };
const WAY = { file: "src/dev/way.ts", tests: ["test/dev/way.test.ts"] };

/** Whose keys are told to whom on a laptop, and who is given a role where nobody can be proven. */
export const DEV_BREAKAGES: readonly Breakage[] = [
  {
    ...AWS,
    name: "a stand-in for STS is told the developer's own keys",
    rule: "docs/dev.md, whose",
    search: "  if (!isAws) return async () => undefined;\n",
    replace: "",
  },
  {
    ...AWS,
    name: "a developer without keys is the embedded instance to AWS",
    rule: "docs/dev.md, whose",
    search: "if (found) return found;",
    replace: "if (found || isAws) return found;",
  },
  {
    ...WAY,
    name: "where containers can not be told apart it starts all the same",
    rule: "docs/dev.md, which way",
    search: "if (workloads.length > 0) return loopback(",
    replace: "if (workloads.length >= 0) return loopback(",
  },
  {
    ...WAY,
    name: "rules go into a network namespace that no container comes by",
    rule: "docs/dev.md, which way",
    search: "isIPv4(gateway) && ownAddresses.has(gateway)",
    replace: "isIPv4(gateway)",
  },
  {
    ...WAY,
    name: "a program on loopback has the redirect put in for it",
    rule: "docs/dev.md, which way",
    search: "  if (atLoopback) return loopback(",
    replace: "  if (atLoopback && !isRoot) return loopback(",
  },
];
