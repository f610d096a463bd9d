import { ImdsgateError } from "../errors.ts";
import { type DockerEndpoint, dockerPlace, engineAt } from "./docker-endpoint.ts";
import { PemUnreadable } from "./docker-wire.ts";

/** What imdsgate reads of Docker: the paths that a proxy before its socket has to let through. */
const READ_PATHS = "/_ping, /containers, /networks, /images and /events";

/** RUNTIME_UNAVAILABLE for an answer that says what is of no use. */
export function uselessAnswer(endpoint: DockerEndpoint, what: string): ImdsgateError {
  return unavailable(`${dockerPlace(endpoint)} gave an answer of no use: ${what}. See whether it is Docker's API`);
}

/** RUNTIME_UNAVAILABLE for an answer other than 200. */
export function refusedAnswer(endpoint: DockerEndpoint, status: number, path: string, body: string): ImdsgateError {
  const said = body.slice(0, 200).trim();
  const place = dockerPlace(endpoint);
  if (status === 403) return unavailable(`${place} forbids GET ${path}: a proxy before it has to let GET of ${READ_PATHS} through`);
  if (/HTTP request to an HTTPS server/i.test(said)) return unavailable(`${place} wants TLS: set DOCKER_TLS_VERIFY=1 and DOCKER_CERT_PATH`);
  if (status === 400 && /version/i.test(said)) {
    return unavailable(`${place} refused the API version that it named itself in /_ping: ${said}. It is asked for its version anew`);
  }
  return uselessAnswer(endpoint, `it answered ${status} to ${path}: ${said}`);
}

/** RUNTIME_UNAVAILABLE for whatever kept an answer from coming; one that is so already stays as it is. */
export function dockerFailure(endpoint: DockerEndpoint, cause: unknown): ImdsgateError {
  if (cause instanceof ImdsgateError) return cause;
  const error = cause instanceof Error ? cause : new Error(String(cause));
  return unavailable(failureOf(endpoint, error), endpoint.kind === "unix" ? error : withoutCode(error));
}

/** A code says that nobody is there who could have containers; behind a port that is closed there may be. */
function withoutCode(error: Error): Error {
  return new Error(error.message, { cause: error });
}

function unavailable(message: string, cause?: unknown): ImdsgateError {
  return new ImdsgateError("RUNTIME_UNAVAILABLE", message, { cause });
}

function failureOf(endpoint: DockerEndpoint, error: Error): string {
  const place = dockerPlace(endpoint);
  const code = codeOf(error);
  if (code === "ENOENT" || code === "ECONNREFUSED") {
    const fix = endpoint.kind === "unix" ? "name its socket with --docker-socket" : "see DOCKER_HOST";
    const start = engineAt(endpoint) === "Podman" ? "start Podman's API (systemctl start podman.socket)" : "start Docker";
    return `nothing answers on ${place}: ${start}, or ${fix}`;
  }
  if (code === "EACCES" || code === "EPERM") {
    return `no permission to use ${place}: run imdsgate as root, put its user into the group that owns the socket (usually docker), or set a read-only socket proxy before it`;
  }
  if (error.name === "AbortError") return `${place} did not answer in time: see whether "docker ps" answers`;
  const isTls = endpoint.kind === "tcp" && endpoint.tls !== undefined;
  return grpcFailure(endpoint, error) ?? (isTls ? tlsFailure(place, error, code) : undefined) ?? brokenOff(place, error);
}

function brokenOff(place: string, error: Error): string {
  return `the talk with ${place} broke off (${error.message}): see whether "docker ps" answers`;
}

function codeOf(error: Error): string {
  return "code" in error && typeof error.code === "string" ? error.code : "";
}

/** containerd and CRI sockets speak gRPC: the first that they send is a SETTINGS frame of HTTP/2 (RFC 9113, 3.4 and 6.5), or nothing. */
function grpcFailure(endpoint: DockerEndpoint, error: Error): string | undefined {
  const packet = "rawPacket" in error && Buffer.isBuffer(error.rawPacket) ? error.rawPacket : Buffer.alloc(0);
  const isSettings = packet.length >= 9 && packet[3] === 4 && packet.readUInt32BE(5) === 0;
  const isNamedSo = endpoint.kind === "unix" && /(?:containerd|crio|cri-dockerd)\b[^/]*\.sock$/.test(endpoint.path);
  if (!isSettings && !isNamedSo) return undefined;
  return `${dockerPlace(endpoint)} does not speak Docker's API but, as it seems, gRPC, as the sockets of containerd (nerdctl) and CRI do: imdsgate needs the API of Docker or Podman`;
}

/** What is said of a certificate, by OpenSSL's and Node's codes. */
function tlsFailure(place: string, error: Error, code: string): string | undefined {
  if (error instanceof PemUnreadable) return `${error.message}, which ${place} needs: see DOCKER_CERT_PATH`;
  if (code === "ERR_TLS_CERT_ALTNAME_INVALID") return `the certificate of ${place} is for another name: ${error.message}; see DOCKER_HOST`;
  if (code === "CERT_HAS_EXPIRED" || code === "CERT_NOT_YET_VALID") {
    return `the certificate of ${place} does not hold at this time (${error.message}): renew it, and see this host's clock`;
  }
  if (/SELF_SIGNED|UNABLE_TO_|CERT_SIGNATURE|CERT_UNTRUSTED|INVALID_CA/.test(code)) {
    return `the certificate of ${place} is not signed by the ca.pem of DOCKER_CERT_PATH (${error.message})`;
  }
  if (/ALERT_(?:BAD_CERTIFICATE|CERTIFICATE|UNKNOWN_CA|UNSUPPORTED_CERTIFICATE|ACCESS_DENIED)|HANDSHAKE_FAILURE/.test(code)) {
    return `${place} refused the cert.pem of DOCKER_CERT_PATH (${code}): have it signed by the authority that the daemon trusts`;
  }
  if (code === "EPROTO" && /wrong version number|packet length too long/.test(error.message)) {
    return `${place} does not speak TLS: unset DOCKER_TLS_VERIFY and DOCKER_CERT_PATH`;
  }
  if (code === "ECONNRESET") return `${place} hung up: see whether it takes the cert.pem of DOCKER_CERT_PATH (${error.message})`;
  if (/^ERR_(?:SSL|OSSL)_/.test(code)) return `no TLS with ${place} (${error.message}): see the files of DOCKER_CERT_PATH`;
  return undefined;
}
