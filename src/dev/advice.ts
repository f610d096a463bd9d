import type { Endpoint } from "../address.ts";
import { endpointText } from "../address.ts";
import type { Surroundings, Way } from "./way.ts";

/** What a container is to be started with, and how one looks at what it got. */
export interface AdviceParts {
  readonly way: Way;
  readonly seen: Surroundings;
  /** Where the gateway listens. */
  readonly listening: Endpoint;
  /** The name of a container that a binding gives a role. */
  readonly name: string;
}

const IMDS_URL = "http://169.254.169.254";
const VARIABLE = "AWS_EC2_METADATA_SERVICE_ENDPOINT";
/** It looks for credentials as every SDK does, and calls no AWS. */
const LOOK = "amazon/aws-cli configure list";

/** What to type next, a command a line. */
export function nextCommands({ way, seen, listening, name }: AdviceParts): readonly string[] {
  const start = `docker run --rm --name ${name}`;
  switch (way.kind) {
    case "redirect":
      return [`${start} ${LOOK}`];
    case "owner":
      return [`${start} --network NETWORK ${LOOK}`];
    case "endpoint":
      return [`${start} --env ${VARIABLE}=http://${endpointText(listening)} ${LOOK}`];
    case "given":
      return [`${VARIABLE}=http://${endpointText(listening)} aws configure list`];
    case "loopback": {
      const here = `${VARIABLE}=http://${endpointText(listening)} aws configure list`;
      if (seen.docker.kind === "none") return [here];
      // Docker Desktop has the name by itself.
      const host = seen.platform === "linux" ? " --add-host host.docker.internal:host-gateway" : "";
      return [here, `${start}${host} --env ${VARIABLE}=http://host.docker.internal:${listening.port} ${LOOK}`];
    }
  }
}

/** What each way means for a container, as a sentence. */
export function wayText({ kind }: Way, listening: Endpoint): string {
  switch (kind) {
    case "redirect":
      return `the kernel leads ${IMDS_URL} here; containers need nothing`;
    case "owner":
      return `${IMDS_URL} is this gateway for all containers on its network`;
    case "endpoint":
      return `containers are pointed here by ${VARIABLE}=http://${endpointText(listening)}; without it they reach no metadata service`;
    case "loopback":
      return `programs are pointed here by ${VARIABLE}; everybody on this machine can ask`;
    case "given":
      return "the rules are as asked for";
  }
}
