import { type Endpoint, endpointText } from "../address.ts";

/** Where Docker's API is. Over TCP too it must be the daemon of this very host: only then are its containers' processes ours to prove. */
export type DockerEndpoint =
  | { readonly kind: "unix"; readonly path: string }
  | { readonly kind: "tcp"; readonly at: Endpoint; readonly tls: DockerTls | undefined };

/** Paths of PEM files. They are read at each connection, so that renewed ones count; the key itself is never kept. */
export interface DockerTls {
  /** Who signed the daemon's certificate. */
  readonly ca: string;
  /** What the daemon knows us by; undefined where it asks for nothing. */
  readonly client: { readonly cert: string; readonly key: string } | undefined;
}

/** How messages call it. */
export function dockerPlace(endpoint: DockerEndpoint): string {
  return endpoint.kind === "unix" ? `the ${engineAt(endpoint)} socket ${endpoint.path}` : `Docker at tcp://${endpointText(endpoint.at)}`;
}

/** Who is to answer there, as messages call him: Podman's sockets have its name. */
export function engineAt(endpoint: DockerEndpoint): "Docker" | "Podman" {
  return endpoint.kind === "unix" && endpoint.path.includes("podman") ? "Podman" : "Docker";
}
