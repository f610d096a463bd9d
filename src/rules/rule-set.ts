/** The two addresses of the EC2 instance metadata service and its port. */
export const IMDS_IPV4 = "169.254.169.254";
export const IMDS_IPV6 = "fd00:ec2::254";
export const IMDS_PORT = 80;

/** What the kernel must do, in no tool's syntax. */
export interface RuleSet {
  /** `closed`: containers reach no IMDS at all; `all`: the redirect to the gateway too. */
  readonly parts: "closed" | "all";
  /** The port on which the gateway listens, the same for both families. */
  readonly gatewayPort: number;
  /**
   * Interfaces that lead out of this host (they hold a default route): what arrives there for IMDS is dropped, not
   * redirected, unless `workloadInterfaces` names them.
   */
  readonly uplinkInterfaces: readonly string[];
  /** Interface names (a trailing `*` matches any ending) that are redirected; empty: every one but loopback and the uplinks. */
  readonly workloadInterfaces: readonly string[];
  /** Sockets of this host that are caught although they are the host's own; undefined: none, and there is no output rule at all. */
  readonly hostNetwork?: HostNetworkCapture | undefined;
}

/** Whose sockets are caught: containers with the host's network have the host's address, and only their cgroup tells them from the host. */
export interface HostNetworkCapture {
  /** Paths in the cgroup2 tree without a leading slash. What runs in one of them, or below it, reaches the gateway instead of IMDS. */
  readonly caught: readonly string[];
  /** Paths that keep the real IMDS although they may lie below a caught one: the gateway's own. */
  readonly exempt: readonly string[];
}
