import type { Endpoint } from "../address.ts";

/** The far end of a connection to the gateway, as the kernel tells it. It is a claim: `attest.ts` has it proven. */
export interface Source {
  /** In canonical text. */
  readonly address: string;
  readonly port: number;
  /** Where the connection arrived, which with a redirect is not where it was meant to go. */
  readonly local: Endpoint;
  /** When it was accepted, in milliseconds since the epoch. */
  readonly acceptedAt: number;
}

const IMDS = { ipv4: { host: "169.254.169.254", port: 80 }, ipv6: { host: "fd00:ec2::254", port: 80 } };

/** The addresses of one family. */
export type AddressFamily = "ipv4" | "ipv6";

export function familyOf(address: string): AddressFamily {
  return address.includes(":") ? "ipv6" : "ipv4";
}

/** Where the caller's own kernel believes that the connection leads: to the IMDS address, or to this gateway where nothing redirects. */
export function meantEndpoints({ address, local }: Source): readonly Endpoint[] {
  return [IMDS[familyOf(address)], local];
}

/**
 * Whether a socket of this very host was redirected: that ends on loopback with the host's own address as its source, which nothing that
 * comes in from outside can bring about.
 */
export function isHostSocket({ address, local }: Source): boolean {
  return isLoopback(local.host) && !isLoopback(address);
}

function isLoopback(address: string): boolean {
  return address === "::1" || address.startsWith("127.");
}
