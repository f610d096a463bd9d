/** One row of docs/credentials.md and one test: who is given no role's credentials, whatever leases there are. */
export interface Withheld {
  readonly title: string;
  /** Clauses of docs/contract.md. */
  readonly rule: string;
  /** Who asks. The container at 127.0.0.1 is `web`, with a lease of `web-role`; at 127.0.0.2 is `other`, with one of `other-role`. */
  readonly source: string;
  /** What for, below `/latest/meta-data/iam`. */
  readonly paths: readonly string[];
  /** Lines of the configuration file that differ, and containers besides those two. */
  readonly config?: readonly string[];
  readonly workloads?: readonly string[];
  /** What the audit line says. */
  readonly reason: "no-binding" | "unfit-session" | "wrong-role" | "unknown-source";
}

const TREE = ["", "/", "/info", "/security-credentials/", "/security-credentials/web-role"];

/** X6 to X8: all of them are 404. */
export const WITHHELD: readonly Withheld[] = [
  {
    title: "a container without a binding, for anything of the IAM tree",
    rule: "X6",
    source: "127.0.0.3",
    paths: TREE,
    workloads: ["bare=127.0.0.3"],
    reason: "no-binding",
  },
  {
    title: "a container whose session cannot be made, for anything of the IAM tree",
    rule: "X6, S3",
    source: "127.0.0.3",
    paths: TREE,
    workloads: ["bare=127.0.0.3"],
    config: ['  - { match: "name:bare", role: web-role, tags: { team: "{label:team}" } }'],
    reason: "unfit-session",
  },
  {
    title: "a container, for the document of another container's role",
    rule: "X7",
    source: "127.0.0.1",
    paths: ["/security-credentials/other-role", "/security-credentials/other%2Drole"],
    reason: "wrong-role",
  },
  {
    title: "a container, for its own role's name in another case, or a part of it",
    rule: "X7",
    source: "127.0.0.1",
    paths: ["/security-credentials/Web-Role", "/security-credentials/web-rol", "/security-credentials/web-role2"],
    reason: "wrong-role",
  },
  {
    title: "a source that is no known workload, for anything of the IAM tree",
    rule: "X8, X6",
    source: "127.0.0.4",
    paths: TREE,
    reason: "unknown-source",
  },
  {
    title: "the same with `--unknown deny`",
    rule: "X8, X6",
    source: "127.0.0.4",
    paths: TREE,
    config: ["unknown: deny"],
    reason: "unknown-source",
  },
];
