import { existsSync } from "node:fs";
import { isIP } from "node:net";
import { canonicalAddress, type Endpoint, isInBlock } from "../address.ts";
import type { StaticWorkload } from "../identity/workload.ts";
import { isInterfacePattern } from "../interface-name.ts";
import type { Parsed } from "../parsed.ts";

/** Reads `HOST:PORT` to listen on: an address, IPv6 in brackets. */
export function parseListen(text: string): Parsed<Endpoint> {
  const [, v6, v4, port = ""] = /^(?:\[([^\]]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(text) ?? [];
  const address = canonicalAddress(v6 ?? v4 ?? "");
  if (address !== undefined && (isIP(address) === 6) === (v6 !== undefined) && Number(port) <= 65_535)
    return { value: { host: address, port: Number(port) } };
  return {
    problem: `${JSON.stringify(text)} is no address and port`,
    allowed: "ADDRESS:PORT, an IPv6 address in brackets, port 0 to 65535",
    example: "0.0.0.0:18169",
  };
}

/** Reads the URL of the real IMDS: plain http, no path. */
export function parseUpstream(text: string): Parsed<Endpoint> {
  const [, v6, name, port = "80"] = /^http:\/\/(?:\[([0-9a-f:]+)\]|([A-Za-z0-9.-]+))(?::(\d{1,5}))?\/?$/.exec(text) ?? [];
  const host = v6 === undefined ? name : canonicalAddress(v6);
  if (host !== undefined && Number(port) >= 1 && Number(port) <= 65_535) return { value: { host, port: Number(port) } };
  return {
    problem: `${JSON.stringify(text)} is no URL of an IMDS`,
    allowed: "http://HOST or http://HOST:PORT without a path",
    example: "http://169.254.169.254",
  };
}

/** Reads an http or https URL. */
export function parseUrl(text: string): Parsed<string> {
  const url = URL.parse(text);
  if (url && /^https?:$/.test(url.protocol) && url.username === "" && url.password === "") return { value: text };
  const shown = text.includes("@") ? "the text" : JSON.stringify(text);
  return {
    problem: `${shown} is no URL`,
    allowed: "an http or https URL without a user or password",
    example: "http://127.0.0.1:4566",
  };
}

/** Reads the name of a Region: it becomes part of a host name. */
export function parseRegion(text: string): Parsed<string> {
  if (/^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/.test(text)) return { value: text };
  return { problem: `${JSON.stringify(text)} is no Region`, allowed: "small letters, digits and -", example: "eu-central-1" };
}

/** Reads how many requests a second: `100/s`, or the number alone. */
export function parseRate(text: string): Parsed<number> {
  const [, number = ""] = /^([1-9]\d{0,3})(?:\/s)?$/.exec(text) ?? [];
  if (number !== "") return { value: Number(number) };
  return { problem: `${JSON.stringify(text)} is no rate`, allowed: "1 to 9999 requests a second", example: "100/s" };
}

/** Reads which interfaces are redirected. */
export function parseInterface(text: string): Parsed<string> {
  if (isInterfacePattern(text)) return { value: text };
  return {
    problem: `${JSON.stringify(text)} is no interface name`,
    allowed: "a name of up to 15 letters, digits and _.@:-, * only at its end",
    example: "br-*",
  };
}

/** Reads `true` or `false`. */
export function parseSwitch(text: string): Parsed<boolean> {
  if (text === "true" || text === "false") return { value: text === "true" };
  return { problem: `${JSON.stringify(text)} is neither`, allowed: "true or false", example: "true" };
}

/** Reads where the host's /proc is: without it no container could ever be proven. */
export function parseProcRoot(text: string): Parsed<string> {
  if (existsSync(`${text}/1/stat`)) return { value: text };
  return {
    problem: `${JSON.stringify(text)} is no /proc of a host: it has no 1/stat`,
    allowed: "a directory where the host's /proc is",
    example: "/proc",
  };
}

/** Reads `NAME=ADDRESS` of a static workload. */
export function parseWorkload(text: string): Parsed<StaticWorkload> {
  const [, name = "", given = ""] = /^([\w.-]{1,64})=(.+)$/.exec(text) ?? [];
  const address = canonicalAddress(given);
  if (address !== undefined) return { value: { name, address } };
  return {
    problem: `${JSON.stringify(text)} is no workload`,
    allowed: "NAME=ADDRESS, the name of letters, digits and _.-",
    example: "build-vm=192.168.122.10",
  };
}

/** Whether `host` can be reached from this machine alone. */
export function isLoopback(host: string): boolean {
  return host === "::1" || isInBlock(host, "127.0.0.0/8");
}
