import type { Breakage } from "./breakage.ts";

const WIRE = "src/identity/docker-wire.ts";

/** What Docker is asked, and whom imdsgate believes to be Docker. */
export const DOOR_BREAKAGES: readonly Breakage[] = [
  {
    name: "Docker is asked by another method than GET",
    rule: "docs/decisions/0003, read only",
    file: WIRE,
    search: '{ path, method: "GET", agent: false, signal }',
    replace: '{ path, method: "POST", agent: false, signal }',
    tests: ["test/identity/docker-proxy.test.ts"],
    titled: "all that imdsgate asks of Docker is GET",
  },
  {
    name: "whoever answers over TLS is Docker",
    rule: "docs/decisions/0003, TCP",
    file: WIRE,
    search: "...pemOf(tls), servername }",
    replace: "...pemOf(tls), servername, rejectUnauthorized: false }",
    tests: ["test/identity/docker-tls.test.ts"],
    titled: "the daemon's certificate is",
  },
  {
    name: "a closed port over TCP says that there are no containers",
    rule: "README, security model 8",
    file: "src/identity/docker-failure.ts",
    search: 'endpoint.kind === "unix" ? error : withoutCode(error)',
    replace: "error",
    tests: ["test/identity/docker-tls.test.ts"],
    titled: "nobody who listens",
  },
  {
    name: "labels are compared with those of the image's other platform",
    rule: "README, security model 3",
    file: "src/identity/docker-answers.ts",
    search: 'if (!image || textOf(platform["os"]) === undefined) return image || undefined;',
    replace: "if (!image || platform) return image || undefined;",
    tests: ["test/identity/docker-answers.test.ts"],
    titled: "an image of several platforms",
  },
  {
    name: "a path that Docker does not know is a container that is gone",
    rule: "docs/decisions/0003, versions",
    file: "src/identity/docker.ts",
    search: " && !isUnknownPath(body)",
    replace: "",
    tests: ["test/identity/docker-version.test.ts"],
    titled: "that is no container that is gone",
  },
  {
    name: "an id in a container's labels is a container",
    rule: "README, security model 1",
    file: "src/identity/docker-ids.ts",
    search: "depth === ITEM_DEPTH && ",
    replace: "",
    tests: ["test/identity/docker-ids.test.ts"],
    titled: "are not what looks so",
  },
];
