import { isIP } from "node:net";
import { canonicalAddress, isInBlock } from "../address.ts";
import type { Workload } from "../identity/workload.ts";
import type { Parsed, Problem } from "../parsed.ts";
import { matchesGlob } from "./glob.ts";

/** Which workloads a binding is for. Patterns are anchored globs of `*` and `?`. */
export type Selector =
  | { readonly kind: "name"; readonly pattern: string }
  | { readonly kind: "image"; readonly pattern: string }
  | { readonly kind: "label"; readonly key: string; readonly pattern: string }
  | { readonly kind: "compose"; readonly project: string; readonly service: string }
  | { readonly kind: "swarm"; readonly service: string }
  | { readonly kind: "network"; readonly pattern: string }
  | { readonly kind: "ip"; readonly block: string };

/** Whether a binding with `selector` is for `workload`. A static workload has a name and an address, and is selected by these alone. */
export function selects(selector: Selector, workload: Workload): boolean {
  switch (selector.kind) {
    case "name":
      return matchesGlob(selector.pattern, workload.name);
    case "ip":
      return workload.addresses.some((address) => isInBlock(address, selector.block));
    default:
      return workload.kind === "container" && selectsContainer(selector, workload);
  }
}

function selectsContainer(selector: Exclude<Selector, { kind: "name" | "ip" }>, { image, labels, networks }: Workload): boolean {
  const hasLabel = (key: string, pattern: string) => Object.hasOwn(labels, key) && matchesGlob(pattern, labels[key] ?? "");
  switch (selector.kind) {
    case "image":
      return image !== undefined && matchesGlob(selector.pattern, image);
    case "label":
      return hasLabel(selector.key, selector.pattern);
    case "compose":
      return hasLabel("com.docker.compose.project", selector.project) && hasLabel("com.docker.compose.service", selector.service);
    case "swarm":
      return hasLabel("com.docker.swarm.service.name", selector.service);
    case "network":
      return networks.some((network) => matchesGlob(selector.pattern, network));
  }
}

const PARSERS: Readonly<Record<string, (text: string) => Parsed<Selector>>> = {
  name: parseName,
  image: parseImage,
  label: parseLabel,
  compose: parseCompose,
  swarm: parseSwarm,
  network: parseNetwork,
  ip: parseBlock,
};

/** Reads a selector: `name:`, `image:`, `label:K=V`, `compose:PROJECT/SERVICE`, `swarm:SERVICE`, `network:NAME` or `ip:CIDR`. */
export function parseSelector(text: string): Parsed<Selector> {
  const colon = text.indexOf(":");
  const kind = text.slice(0, Math.max(colon, 0));
  const parse = Object.hasOwn(PARSERS, kind) ? PARSERS[kind] : undefined;
  if (parse) return parse(text.slice(colon + 1));
  return {
    problem: `${JSON.stringify(text)} is no selector`,
    allowed: "name:, image:, label:K=V, compose:PROJECT/SERVICE, swarm:SERVICE, network:NAME or ip:CIDR",
    example: "name:web=web-role",
  };
}

/** What the names of containers, services and networks are made of, and the wildcards. */
const NAME_PATTERN = /^[\w.*?-]+$/;

function parseName(pattern: string): Parsed<Selector> {
  if (NAME_PATTERN.test(pattern)) return { value: { kind: "name", pattern } };
  return badPattern(
    pattern,
    "the name of a container",
    'letters, digits and _.- without a leading "/", with * and ? as wildcards',
    "name:web-*=web-role",
  );
}

function parseImage(pattern: string): Parsed<Selector> {
  if (/^[\w.*?:/@-]+$/.test(pattern)) return { value: { kind: "image", pattern } };
  return badPattern(
    pattern,
    "an image",
    "the image as the container was created with, * and ? as wildcards",
    "image:registry.example.com/web:*=web-role",
  );
}

function parseLabel(text: string): Parsed<Selector> {
  const end = text.indexOf("=");
  const key = text.slice(0, Math.max(end, 0));
  const pattern = text.slice(end + 1);
  if (/^[^\s*?]+$/.test(key) && pattern !== "") return { value: { kind: "label", key, pattern } };
  return badPattern(
    text,
    "a label and its value",
    "label:KEY=VALUE, with * and ? as wildcards in the value",
    "label:team=payments=payments-role",
  );
}

function parseCompose(text: string): Parsed<Selector> {
  const parts = /^([\w.*?-]+)\/([\w.*?-]+)$/.exec(text);
  const [, project = "", service = ""] = parts ?? [];
  if (parts) return { value: { kind: "compose", project, service } };
  return badPattern(text, "a Compose service", "compose:PROJECT/SERVICE, with * and ? as wildcards", "compose:shop/web=web-role");
}

function parseSwarm(service: string): Parsed<Selector> {
  if (NAME_PATTERN.test(service)) return { value: { kind: "swarm", service } };
  return badPattern(
    service,
    "a Swarm service",
    "the service's name, in a stack STACK_SERVICE, with * and ? as wildcards",
    "swarm:shop_web=web-role",
  );
}

function parseNetwork(pattern: string): Parsed<Selector> {
  if (NAME_PATTERN.test(pattern)) return { value: { kind: "network", pattern } };
  return badPattern(
    pattern,
    "the name of a network",
    "the name that the runtime lists, with * and ? as wildcards",
    "network:payments=payments-role",
  );
}

/** A single address is the block that holds it alone. */
function parseBlock(text: string): Parsed<Selector> {
  const parts = /^([^/%]+)(?:\/(0|[1-9]\d{0,2}))?$/.exec(text);
  const [, base = "", bits] = parts ?? [];
  const address = canonicalAddress(base);
  const width = isIP(base) === 6 ? 128 : 32;
  // An IPv4 address in IPv6 spelling has two readings of its prefix length.
  if (address === undefined || isIP(address) !== isIP(base) || Number(bits ?? 0) > width) {
    return badPattern(
      text,
      "an address or a block of addresses",
      "ip:ADDRESS or ip:ADDRESS/BITS, IPv4 or IPv6",
      "ip:172.20.0.0/16=web-role",
    );
  }
  return { value: { kind: "ip", block: `${address}/${bits ?? width}` } };
}

function badPattern(text: string, what: string, allowed: string, example: string): Problem {
  return { problem: `${JSON.stringify(text)} is not ${what}`, allowed, example };
}
