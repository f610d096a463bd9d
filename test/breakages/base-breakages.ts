import type { Breakage } from "./breakage.ts";

const PROVIDERS = "src/credentials/operator-credentials.ts";
const AT_IMDS = { file: PROVIDERS, tests: ["test/credentials/profile-at-imds.test.ts"] };
const OPERATOR = { file: PROVIDERS, tests: ["test/credentials/operator-credentials.test.ts"] };
const STS = { file: "src/credentials/sts.ts", tests: ["test/credentials/sts-endpoint.test.ts"] };
const ADVICE = { file: "src/credentials/trust-advice.ts", tests: ["test/credentials/trust-advice.test.ts"] };

/** Where imdsgate's own credentials come from, whom it speaks to with them, and what it says of a refusal. */
export const BASE_BREAKAGES: readonly Breakage[] = [
  {
    ...AT_IMDS,
    name: "the SDK falls back to IMDSv1",
    rule: "S8",
    search: "ec2MetadataV1Disabled: true",
    replace: "ec2MetadataV1Disabled: false",
  },
  {
    ...AT_IMDS,
    name: "the SDK looks for IMDS where the environment says",
    rule: "S8",
    search: 'process.env["AWS_EC2_METADATA_SERVICE_ENDPOINT"]',
    replace: 'process.env["IMDSGATE_NOTHING"]',
  },
  {
    ...OPERATOR,
    name: "the SDK finds IMDS by itself",
    rule: "S8",
    search: 'process.env["AWS_EC2_METADATA_DISABLED"] = "true";',
    replace: "",
  },
  {
    ...OPERATOR,
    name: "credentials that are configured and fail are replaced by the instance's",
    rule: "S8",
    search: "if (reason !== undefined) throw noBaseCredentials(reason);",
    replace: "",
  },
  {
    ...OPERATOR,
    name: "a provider that hangs is never ended",
    rule: "S8",
    search: "await stoppable(signal, () => defaultProvider(settings)());",
    replace: "await defaultProvider(settings)();",
    titled: "end with the question: a container",
  },
  {
    ...OPERATOR,
    name: "keys with an unreadable end are loaded anew without end",
    rule: "S8",
    search: "if (!Number.isNaN(found.expiresAt)) return found;",
    replace: 'if (found.source !== "") return found;',
    titled: "an end is no time",
  },
  {
    ...OPERATOR,
    name: "a part of a key in an answer that is no JSON is told",
    rule: "S8",
    search: 'if (BAD_JSON.test(text)) return "what it answered is no JSON";',
    replace: "",
    titled: "no JSON",
  },
  {
    name: "the children of whoever has an ended program's pid are ended",
    rule: "S8",
    file: "src/credentials/stoppable.ts",
    search: "if (program.exitCode !== null || program.signalCode !== null) return;",
    replace: "",
    tests: ["test/credentials/stoppable.test.ts"],
  },
  {
    name: "keys whose end is far away are loaded anew at each early timer",
    rule: "S8",
    file: "src/credentials/base-credentials.ts",
    search: "clock.after(Math.max(0, waitMs), () => this.#look())",
    replace: "clock.after(Math.max(0, waitMs), () => this.#loadBehind())",
    tests: ["test/credentials/base-credentials-clock.test.ts"],
    titled: "further away than a timer",
  },
  {
    name: "a timer that is set for a month goes off at once",
    rule: "S8",
    file: "src/clock.ts",
    search: "Math.min(ms, LONGEST_TIMER_MS)",
    replace: "ms",
    tests: ["test/clock.test.ts"],
  },
  {
    name: "what an STS calls its refusal comes into the log as it is",
    rule: "R4",
    file: "src/credentials/sts-failure.ts",
    search: "return oneLine(text).slice(0, 64);",
    replace: "return text;",
    tests: ["test/credentials/sts.test.ts"],
    titled: "64 printable characters",
  },
  { ...STS, name: "the SDK looks for its mode at IMDS", rule: "S6", search: '    defaultsMode: "legacy",\n', replace: "" },
  {
    ...STS,
    name: "STS is asked for a role of another partition",
    rule: "S6",
    search: "if (endpoint === undefined) refuseOtherPartition(request.roleArn, region, action);",
    replace: "",
  },
  {
    name: "an answer of STS is read however long it is",
    rule: "R4",
    file: "src/credentials/sts-body.ts",
    search: "needed > MAX_ANSWER_BYTES",
    replace: "needed > 1_000 * MAX_ANSWER_BYTES",
    tests: ["test/credentials/sts-body.test.ts"],
    titled: "one byte too long",
  },
  {
    ...ADVICE,
    name: "the advice names the session instead of its role",
    rule: "S7",
    search: "if (role !== undefined) {",
    replace: 'if (role === "") {',
  },
  {
    ...ADVICE,
    name: "the advice leaves the external id out",
    rule: "S4",
    search: "if (externalId === undefined) return [allow(actions)];",
    replace: "if (externalId !== actions[0]) return [allow(actions)];",
  },
];
