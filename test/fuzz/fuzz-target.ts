import { CORPUS } from "../../src/selftest/corpus.ts";
import type { Random } from "./random.ts";

const VERSIONS = ["latest", "latest", "latest", "2021-03-23", "2016-09-02", "1.0", "2009-04-04", "nope", "LATEST", ""];

const HARMLESS = [
  ...["meta-data/ami-id", "meta-data/placement/region", "meta-data/instance-id", "user-data", "dynamic/instance-identity/document"],
  ...["meta-data/", "", "api/token", "meta-data/tags/instance/iam-team", "meta-data/network/interfaces/macs/", "meta-data/services/domain"],
  ...["meta-data/xiam", "metadata/iam/info", "dynamic/iam", "meta-data/.../x", "meta-data/tags/iam/info", "user-data/meta-data"],
];

const IN_THE_TREE = [
  ...["meta-data/iam/security-credentials/host-role", "meta-data/iam/security-credentials/", "meta-data/iam/info", "meta-data/iam"],
  ...["meta-data/iam/security-credentials/alpha-role", "meta-data/iam/security-credentials/beta-role"],
  ...["meta-data/identity-credentials/ec2/security-credentials/ec2-instance", "meta-data/iam/security-credentials-extended/"],
];

const SEGMENTS = [
  ...[
    "iam",
    "meta-data",
    "security-credentials",
    "identity-credentials",
    "info",
    "host-role",
    "beta-role",
    "latest",
    "ec2",
    "api",
    "token",
  ],
  ...["ami-id", "x", ".", "..", "...", "", "iam;x", "IAM", "%69am", "%2569am", "..;", "+iam", "~", "-", "ia", "m", "~iam", "iam.", "*"],
];

const SEPARATORS = [
  "//",
  "/./",
  "/../",
  "/x/../",
  "%2F",
  "%2f",
  "%252F",
  "\\",
  "%5C",
  "%255c",
  ";",
  ";x=/",
  "?",
  "#",
  "%3F",
  "%23",
  "/%2e%2e/",
  "%3B",
];

const BYTES = [
  "%00",
  "%0A",
  "%0d%0a",
  "%09",
  "%20",
  "+",
  "%7F",
  "%C4%B1",
  "%C5%BF",
  "%C0%AF",
  "%E2%80%8B",
  "\xc4\xb1",
  "\0",
  "\t",
  "%",
  "%2",
  "%zz",
  "%u0069",
  '"',
  "|",
  "^",
];

const ORIGINS = [
  ...["http://169.254.169.254", "HTTP://169.254.169.254:80", "http://[fd00:ec2::254]", "http://[fd00:ec2::254]:80"],
  ...[
    "http://attacker.example",
    "https://169.254.169.254",
    "http://a@169.254.169.254",
    "http://169.254.169.254:81",
    "http:/",
    "//169.254.169.254",
  ],
];

const CORPUS_TARGETS = CORPUS.flatMap(({ request }) => /^[A-Za-z]+ (\S{1,300}) HTTP\/1\.[01]\r\n/.exec(request)?.[1] ?? []).map((target) =>
  target.replaceAll("{role}", "host-role"),
);

type Mutation = (target: string, random: Random) => string;

const GENTLE: readonly Mutation[] = [
  (target, random) => atLetter(target, random, escapeOf),
  (target, random) => atLetter(target, random, escapeOf),
  (target, random) => target.replaceAll("/", () => (random.chance(30) ? "//" : "/")),
  (target, random) => `${target}${random.pick(["/", "?x=1", "?", "?/../meta-data/iam/info", "/x", "?%2e%2e", "//", "?a=%00"])}`,
  (target, random) => `${random.pick(ORIGINS.slice(0, 4))}${target}`,
];

const HARSH: readonly Mutation[] = [
  (target, random) => atLetter(target, random, (letter) => `%25${escapeOf(letter).slice(1)}`),
  (target, random) => atLetter(target, random, (letter) => (letter === letter.toLowerCase() ? letter.toUpperCase() : letter.toLowerCase())),
  (target, random) => target.replace(/[a-z-]+/g, (word) => (random.chance(30) ? word.toUpperCase() : word)),
  (target, random) => insertAt(target, random, random.pick(SEPARATORS)),
  (target, random) => insertAt(target, random, random.pick(BYTES)),
  (target, random) => replaceSlash(target, random, random.pick(SEPARATORS)),
  (target, random) => replaceSlash(target, random, `/${random.pick(SEGMENTS)}/`),
  (target, random) => `${random.pick(ORIGINS)}${target}`,
  (target, random) => [...target].map((letter) => (random.chance(40) ? escapeOf(letter) : letter)).join(""),
  (target, random) => target.slice(random.below(4)),
  (target, random) => `${target.slice(0, random.below(target.length + 1))}${random.pick(CORPUS_TARGETS)}`,
];

/** A request target: harmless or hostile, spelled as it is or in up to four odd ways. */
export function fuzzTarget(random: Random): string {
  let target = random.chance(12)
    ? random.pick(CORPUS_TARGETS)
    : `/${random.pick(VERSIONS)}/${random.pick(random.chance(82) ? HARMLESS : IN_THE_TREE)}`;
  if (random.chance(8)) target = `/${Array.from({ length: 1 + random.below(6) }, () => random.pick(SEGMENTS)).join("/")}`;
  const gentle = random.pick([0, 0, 1, 1, 2]);
  const harsh = random.pick([0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 2]);
  for (let n = 0; n < gentle; n++) target = random.pick(GENTLE)(target, random);
  for (let n = 0; n < harsh; n++) target = random.pick(HARSH)(target, random);
  return target;
}

function escapeOf(letter: string): string {
  return `%${letter.charCodeAt(0).toString(16).padStart(2, "0")}`;
}

function atLetter(target: string, random: Random, change: (letter: string) => string): string {
  const at = random.below(target.length);
  const letter = target[at];
  return letter === undefined || letter === "/" ? target : `${target.slice(0, at)}${change(letter)}${target.slice(at + 1)}`;
}

function insertAt(target: string, random: Random, text: string): string {
  const at = random.below(target.length + 1);
  return `${target.slice(0, at)}${text}${target.slice(at)}`;
}

function replaceSlash(target: string, random: Random, text: string): string {
  const slashes = [...target.matchAll(/\//g)].map(({ index }) => index);
  const at = slashes[random.below(slashes.length)];
  return at === undefined ? `${text}${target}` : `${target.slice(0, at)}${text}${target.slice(at + 1)}`;
}
