import type { InstanceFacts } from "./imds-content.ts";
import type { InstanceRole } from "./instance-role.ts";

/** The account that the embedded instance lives in. */
export const SIM_ACCOUNT = "111122223333";

/** The Region that the embedded instance lives in. */
export const SIM_REGION = "eu-central-1";

/** What is particular about one instance. */
export interface EmbeddedInstance {
  /** Twelve digits. */
  readonly account: string;
  readonly region: string;
  readonly availabilityZone: string;
  readonly instanceId: string;
  readonly instanceType: string;
  readonly imageId: string;
  /** An IPv4 address; the hostname follows from it. */
  readonly privateIp: string;
  readonly mac: string;
  readonly userData: string;
  /** Tags of the instance by key; none: `tags/` is not there, as where EC2 is not told to show them. */
  readonly tags: Readonly<Record<string, string>>;
}

/** The instance of the demonstration and the tests. */
export const SIM_INSTANCE: EmbeddedInstance = {
  account: SIM_ACCOUNT,
  region: SIM_REGION,
  availabilityZone: `${SIM_REGION}a`,
  instanceId: "i-0abcd1234imdsgate",
  instanceType: "m6i.large",
  imageId: "ami-0embedded0000001",
  privateIp: "10.0.0.10",
  mac: "0e:49:61:0f:c3:11",
  userData: "#!/bin/sh\necho hello from the embedded instance\n",
  tags: { Name: "embedded" },
};

/** The role of the embedded instance. Every one of its values holds the word HOST, so that a leak is seen at once. */
export const SIM_INSTANCE_ROLE: InstanceRole = {
  name: "host-role",
  account: SIM_ACCOUNT,
  credentials: {
    accessKeyId: "ASIAHOSTHOSTHOSTHOST",
    secretAccessKey: "HOST+SECRET/no+container+may+see+this+01",
    sessionToken: "HOST//TOKEN//no/container/may/see/this==",
  },
};

/** Who that instance is to STS. */
export function instanceArnOf({ account, instanceId }: EmbeddedInstance): string {
  return `arn:aws:sts::${account}:assumed-role/${SIM_INSTANCE_ROLE.name}/${instanceId}`;
}

/** Who the embedded instance is to STS. */
export const SIM_INSTANCE_ARN = instanceArnOf(SIM_INSTANCE);

/** What an instance tells of itself: listings as complete as their leaves (`docs/contract.md`, P8). */
export function factsOf(instance: EmbeddedInstance): InstanceFacts {
  const { instanceId, instanceType, imageId, region, availabilityZone, privateIp, mac, userData } = instance;
  const hostname = `ip-${privateIp.replaceAll(".", "-")}.${region}.compute.internal`;
  return {
    versions: VERSIONS,
    paths: {
      "/": VERSIONS.join("\n"),
      "/<v>/": "dynamic\nmeta-data\nuser-data",
      "/<v>/user-data": userData,
      "/<v>/dynamic/": "instance-identity/",
      "/<v>/dynamic/instance-identity/": "document",
      "/<v>/dynamic/instance-identity/document": identityDocument(instance),
      "/<v>/meta-data/": `ami-id\nhostname\ninstance-id\ninstance-type\nlocal-hostname\nlocal-ipv4\nmac\nplacement/\nreservation-id\nsecurity-groups\nservices/${hasTags(instance) ? "\ntags/" : ""}`,
      "/<v>/meta-data/ami-id": imageId,
      "/<v>/meta-data/hostname": hostname,
      "/<v>/meta-data/instance-id": instanceId,
      "/<v>/meta-data/instance-type": instanceType,
      "/<v>/meta-data/local-hostname": hostname,
      "/<v>/meta-data/local-ipv4": privateIp,
      "/<v>/meta-data/mac": mac,
      "/<v>/meta-data/placement/": "availability-zone\nregion",
      "/<v>/meta-data/placement/availability-zone": availabilityZone,
      "/<v>/meta-data/placement/region": region,
      "/<v>/meta-data/reservation-id": "r-0embedded00000001",
      "/<v>/meta-data/security-groups": "default",
      "/<v>/meta-data/services/": "domain\npartition",
      "/<v>/meta-data/services/domain": "amazonaws.com",
      "/<v>/meta-data/services/partition": "aws",
      ...tagPaths(instance),
    },
  };
}

const VERSIONS = ["1.0", "2009-04-04", "2012-01-12", "2016-09-02", "2018-08-17", "2019-10-01", "2021-03-23", "latest"];

/** What the embedded instance of the demonstration tells of itself. */
export const SIM_FACTS: InstanceFacts = factsOf(SIM_INSTANCE);

function identityDocument(instance: EmbeddedInstance): string {
  const fields = [
    ["accountId", instance.account],
    ["architecture", "x86_64"],
    ["availabilityZone", instance.availabilityZone],
    ["imageId", instance.imageId],
    ["instanceId", instance.instanceId],
    ["instanceType", instance.instanceType],
    ["privateIp", instance.privateIp],
    ["region", instance.region],
    ["version", "2017-09-30"],
  ];
  return `{\n${fields.map(([key, value]) => `  "${key}" : "${value}"`).join(",\n")}\n}`;
}

function hasTags({ tags }: EmbeddedInstance): boolean {
  return Object.keys(tags).length > 0;
}

function tagPaths(instance: EmbeddedInstance): Readonly<Record<string, string>> {
  if (!hasTags(instance)) return {};
  const leaves = Object.entries(instance.tags).map(([key, value]) => [`/<v>/meta-data/tags/instance/${key}`, value]);
  return {
    "/<v>/meta-data/tags/": "instance/",
    "/<v>/meta-data/tags/instance/": Object.keys(instance.tags).join("\n"),
    ...Object.fromEntries(leaves),
  };
}
