import { canonicalAddress } from "../address.ts";
import { type Fields, isFields } from "../fields.ts";
import { isContainerId } from "./docker-ids.ts";
import type { InspectedContainer, RuntimeEvent, RuntimeNetwork } from "./runtime.ts";

/*
 * What Docker's Engine API (and Podman's copy of it) answers, reduced to what identity needs. What is missing, null or odd makes one
 * container or network poorer and never fails the rest. Nothing else is kept: `Config.Env`, where people put secrets, ends here.
 */

/** An answer to `GET /containers/{id}/json`. Undefined when it is not about `id`. */
export function parseContainer(id: string, answer: unknown): InspectedContainer | undefined {
  const container = fieldsOf(answer);
  if (container["Id"] !== id) return undefined;
  const config = fieldsOf(container["Config"]);
  const state = fieldsOf(container["State"]);
  return {
    id,
    name: textOf(container["Name"])?.replace(/^\//, "") || id.slice(0, 12),
    image: textOf(config["Image"]) ?? "",
    imageId: imageIdOf(container),
    labels: parseLabels(config["Labels"]),
    isRunning: state["Running"] === true,
    pid: pidOf(state["Pid"]),
    startedAt: textOf(state["StartedAt"]) ?? "",
    networks: Object.entries(fieldsOf(fieldsOf(container["NetworkSettings"])["Networks"])).map(([name, value]) => {
      const endpoint = fieldsOf(value);
      return {
        name,
        id: textOf(endpoint["NetworkID"]) ?? name,
        addresses: addressesOf(endpoint["IPAddress"], endpoint["GlobalIPv6Address"]),
        mac: macOf(endpoint["MacAddress"]),
      };
    }),
    networkMode: textOf(fieldsOf(container["HostConfig"])["NetworkMode"]) ?? "",
  };
}

/** The networks in an answer to `GET /networks`. Undefined when it is no list. */
export function parseNetworks(answer: unknown): readonly { readonly id: string; readonly subnets: readonly string[] }[] | undefined {
  if (!Array.isArray(answer)) return undefined;
  const networks = new Map<string, readonly string[]>();
  for (const item of answer.map(fieldsOf)) {
    const id = textOf(item["Id"]);
    if (id) networks.set(id, subnetsOf(item));
  }
  return [...networks].map(([id, subnets]) => ({ id, subnets }));
}

/** An answer to `GET /networks/{id}`. Undefined when it is not about `id`. */
export function parseNetwork(id: string, answer: unknown): RuntimeNetwork | undefined {
  const network = fieldsOf(answer);
  if (network["Id"] !== id) return undefined;
  const endpoints = Object.entries(fieldsOf(network["Containers"]))
    .filter(([containerId]) => isContainerId(containerId))
    .map(([containerId, value]) => [containerId, fieldsOf(value)] as const);
  return {
    id,
    name: textOf(network["Name"]) ?? id,
    driver: textOf(network["Driver"]) ?? "",
    subnets: subnetsOf(network),
    endpoints: new Map(
      endpoints.map(([containerId, endpoint]) => [containerId, addressesOf(endpoint["IPv4Address"], endpoint["IPv6Address"])]),
    ),
    macs: new Map(endpoints.flatMap(([containerId, endpoint]) => pairOf(containerId, macOf(endpoint["MacAddress"])))),
  };
}

/** The labels in an answer to `GET /images/{id}/json`. Undefined when it is no object: then nothing is known of the image. */
export function parseImageLabels(answer: unknown): Readonly<Record<string, string>> | undefined {
  if (!isFields(answer)) return undefined;
  return parseLabels(fieldsOf(answer["Config"])["Labels"]);
}

/** One line of `GET /events`. Undefined when it says nothing that identity needs. */
export function parseEvent(line: string): RuntimeEvent | undefined {
  const event = fieldsOf(parseJson(line));
  const actor = fieldsOf(event["Actor"]);
  const id = textOf(actor["ID"]);
  if (!id) return undefined;
  if (event["Type"] === "container") return isContainerId(id) ? containerEvent(event["Action"], id) : undefined;
  if (event["Type"] === "network") return networkEvent(event["Action"], id, textOf(fieldsOf(actor["Attributes"])["container"]));
  return undefined;
}

/** The value of a JSON text; undefined when it is none. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function containerEvent(action: unknown, containerId: string): RuntimeEvent | undefined {
  switch (action) {
    case "create":
      return { kind: "created", containerId };
    case "start":
    case "init": // Podman: its networking is done, and it sends no `network connect`
      return { kind: "started", containerId };
    case "die":
    case "died":
    case "destroy":
    case "remove":
      return { kind: "died", containerId };
    case "rename":
      return { kind: "renamed", containerId };
    default:
      return undefined;
  }
}

function networkEvent(action: unknown, networkId: string, containerId: string | undefined): RuntimeEvent | undefined {
  switch (action) {
    case "connect":
      return isContainerId(containerId) ? { kind: "connected", containerId, networkId } : podmanNetworkEvent(networkId);
    case "disconnect":
      return isContainerId(containerId) ? { kind: "disconnected", containerId, networkId } : podmanNetworkEvent(networkId);
    case "create":
    case "destroy":
    case "remove":
      return { kind: "network-changed", networkId };
    default:
      return undefined;
  }
}

/** Podman puts the container's id where Docker has the network's, and names no network: the container is asked about anew. */
function podmanNetworkEvent(id: string): RuntimeEvent | undefined {
  return isContainerId(id) ? { kind: "renamed", containerId: id } : undefined;
}

function fieldsOf(value: unknown): Fields {
  return isFields(value) ? value : {};
}

function textOf(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}

/**
 * The image and, where one image is of several platforms (Docker 29's usual store), the one of them that the container runs: each has labels
 * of its own. Docker's and OCI's words for it are the same.
 */
function imageIdOf(container: Fields): string | undefined {
  const image = textOf(container["Image"]);
  const platform = fieldsOf(fieldsOf(container["ImageManifestDescriptor"])["platform"]);
  if (!image || textOf(platform["os"]) === undefined) return image || undefined;
  const { os, architecture, variant } = platform;
  return `${image} ${JSON.stringify({ os, architecture, variant })}`;
}

/** Where an image is told of that `parseContainer` named. */
export function imagePath(imageId: string): string {
  const [image = "", platform] = imageId.split(" ", 2);
  const query = platform === undefined ? "" : `?platform=${encodeURIComponent(platform)}`;
  return `/images/${encodeURIComponent(image)}/json${query}`;
}

function pidOf(value: unknown): number | undefined {
  return typeof value === "number" && Number.isSafeInteger(value) && value > 0 ? value : undefined;
}

function parseLabels(value: unknown): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(fieldsOf(value)).filter((entry): entry is [string, string] => typeof entry[1] === "string"));
}

/** Canonical addresses of an endpoint; Docker writes an absent one as `""`, and those of a network with their prefix length. */
function addressesOf(...values: readonly unknown[]): readonly string[] {
  return values.map((value) => canonicalAddress(textOf(value)?.replace(/\/.*$/, "") ?? "")).filter((address) => address !== undefined);
}

/** The canonical text of a link address; Docker writes an absent one as `""`. */
function macOf(value: unknown): string | undefined {
  const mac = textOf(value)?.toLowerCase() ?? "";
  return /^[0-9a-f]{2}(?::[0-9a-f]{2}){5}$/.test(mac) ? mac : undefined;
}

function pairOf<V>(key: string, value: V | undefined): readonly (readonly [string, V])[] {
  return value === undefined ? [] : [[key, value]];
}

function subnetsOf(network: Fields): readonly string[] {
  const blocks = fieldsOf(network["IPAM"])["Config"];
  if (!Array.isArray(blocks)) return [];
  return blocks
    .map((block) => textOf(fieldsOf(block)["Subnet"]))
    .filter((subnet) => subnet !== undefined && subnet !== "")
    .map(String);
}
