import { endpointText } from "../address.ts";
import { ImdsgateError } from "../errors.ts";
import type { Policy } from "../policy/decide.ts";
import type { Config } from "./config.ts";
import { isLoopback } from "./places.ts";

/**
 * Refuses settings that are right one by one and wrong together: what would be unsafe, or could never work. `isOpenListenerWanted`:
 * `--listen-unprotected`. Throws CONFIG_INVALID.
 */
export function refuseContradictions(config: Config, isOpenListenerWanted: boolean): void {
  refuseStrayExternalIds(config.policy);
  refuseOpenListener(config, isOpenListenerWanted);
  refuseUnreachableListener(config);
  refuseLoopbackWorkloads(config);
  refuseSharedAddresses(config);
}

/** An external id for a role that nothing gives would never be sent, and that role's session would be made without it. */
function refuseStrayExternalIds({ externalIds, bindings, defaultRole }: Policy): void {
  const roles = [...bindings.map(({ role }) => role), ...(defaultRole ? [defaultRole] : [])];
  const written = new Set(roles.flatMap((role) => [role.text, ...(role.kind === "arn" ? [role.role.arn] : [])]));
  for (const key of externalIds.keys()) {
    if (!written.has(key))
      throw new ImdsgateError(
        "CONFIG_INVALID",
        `--external-id: no binding gives the role ${JSON.stringify(key)}; write it as the binding does`,
      );
  }
}

/** Without rules nothing keeps others from the gateway's port (docs/contract.md, A2 knows no other identity than the address). */
function refuseOpenListener({ rules, listen }: Config, isWanted: boolean): void {
  if (rules !== "none" || isWanted || listen.every(({ host }) => isLoopback(host))) return;
  throw new ImdsgateError(
    "CONFIG_INVALID",
    "--rules none leaves the gateway's port open to every neighbour; listen on loopback (--listen 127.0.0.1:18169), or say --listen-unprotected",
  );
}

/** A redirect lands on the address of the interface that the packet came in by, never on loopback. */
function refuseUnreachableListener({ rules, listen }: Config): void {
  const loopback = listen.find(({ host }) => isLoopback(host));
  if (rules === "none" || rules === "external" || !loopback) return;
  throw new ImdsgateError(
    "CONFIG_INVALID",
    `--listen ${endpointText(loopback)}: the redirect never leads to loopback; listen on 0.0.0.0 and [::], the rules guard the port, or say --rules none`,
  );
}

function refuseSharedAddresses({ workloads }: Config): void {
  const shared = workloads.find(({ address }, k) => workloads.findIndex((other) => other.address === address) !== k);
  if (shared)
    throw new ImdsgateError(
      "CONFIG_INVALID",
      `--workload ${shared.name}=${shared.address}: another workload has that address; one address is one workload`,
    );
}

function refuseLoopbackWorkloads({ rules, workloads }: Config): void {
  const loopback = workloads.find(({ address }) => isLoopback(address));
  if (rules === "none" || !loopback) return;
  throw new ImdsgateError(
    "CONFIG_INVALID",
    `--workload ${loopback.name}=${loopback.address}: a loopback address is a workload only with --rules none`,
  );
}
