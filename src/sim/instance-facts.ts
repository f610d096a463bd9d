import type { InstanceFacts } from "./imds-content.ts";
import type { InstanceRole } from "./instance-role.ts";

/** The account that the embedded instance lives in. */
export const SIM_ACCOUNT = "111122223333";

/** The Region that the embedded instance lives in. */
export const SIM_REGION = "eu-central-1";

const INSTANCE_ID = "i-0abcd1234imdsgate";

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

/** Who the embedded instance is to STS. */
export const SIM_INSTANCE_ARN = `arn:aws:sts::${SIM_ACCOUNT}:assumed-role/${SIM_INSTANCE_ROLE.name}/${INSTANCE_ID}`;

const IDENTITY_DOCUMENT = [
  ["accountId", SIM_ACCOUNT],
  ["architecture", "x86_64"],
  ["availabilityZone", `${SIM_REGION}a`],
  ["imageId", "ami-0embedded0000001"],
  ["instanceId", INSTANCE_ID],
  ["instanceType", "m6i.large"],
  ["privateIp", "10.0.0.10"],
  ["region", SIM_REGION],
  ["version", "2017-09-30"],
];

/** What the embedded instance tells of itself: listings as complete as their leaves (`docs/contract.md`, P8). */
export const SIM_FACTS: InstanceFacts = {
  versions: ["1.0", "2009-04-04", "2012-01-12", "2016-09-02", "2018-08-17", "2019-10-01", "2021-03-23", "latest"],
  paths: {
    "/": "1.0\n2009-04-04\n2012-01-12\n2016-09-02\n2018-08-17\n2019-10-01\n2021-03-23\nlatest",
    "/<v>/": "dynamic\nmeta-data\nuser-data",
    "/<v>/user-data": "#!/bin/sh\necho hello from the embedded instance\n",
    "/<v>/dynamic/": "instance-identity/",
    "/<v>/dynamic/instance-identity/": "document",
    "/<v>/dynamic/instance-identity/document": `{\n${IDENTITY_DOCUMENT.map(([key, value]) => `  "${key}" : "${value}"`).join(",\n")}\n}`,
    "/<v>/meta-data/":
      "ami-id\nhostname\ninstance-id\ninstance-type\nlocal-hostname\nlocal-ipv4\nmac\nplacement/\nreservation-id\nsecurity-groups\nservices/\ntags/",
    "/<v>/meta-data/ami-id": "ami-0embedded0000001",
    "/<v>/meta-data/hostname": `ip-10-0-0-10.${SIM_REGION}.compute.internal`,
    "/<v>/meta-data/instance-id": INSTANCE_ID,
    "/<v>/meta-data/instance-type": "m6i.large",
    "/<v>/meta-data/local-hostname": `ip-10-0-0-10.${SIM_REGION}.compute.internal`,
    "/<v>/meta-data/local-ipv4": "10.0.0.10",
    "/<v>/meta-data/mac": "0e:49:61:0f:c3:11",
    "/<v>/meta-data/placement/": "availability-zone\nregion",
    "/<v>/meta-data/placement/availability-zone": `${SIM_REGION}a`,
    "/<v>/meta-data/placement/region": SIM_REGION,
    "/<v>/meta-data/reservation-id": "r-0embedded00000001",
    "/<v>/meta-data/security-groups": "default",
    "/<v>/meta-data/services/": "domain\npartition",
    "/<v>/meta-data/services/domain": "amazonaws.com",
    "/<v>/meta-data/services/partition": "aws",
    "/<v>/meta-data/tags/": "instance/",
    "/<v>/meta-data/tags/instance/": "Name",
    "/<v>/meta-data/tags/instance/Name": "embedded",
  },
};
