import { type Field, fieldValues } from "../answer-head.ts";
import type { ImdsClient } from "../imds-client.ts";

/** Finds out whether the upstream is this very gateway: every request passed through would come back to it for ever. */
export interface SelfCheck {
  /** Whether a request that arrived here, with these fields, is the one that was sent to the upstream. */
  isOwn(fields: readonly Field[]): boolean;
  /** Sends it. True when it arrived here. It never rejects: an upstream that is down is not this gateway. */
  isUpstreamSelf(imds: ImdsClient): Promise<boolean>;
}

/** The request is an ordinary one for the real IMDS. `random` gives numbers in [0, 1): nobody can guess the nonce and stop the gateway with it. */
export function createSelfCheck(random: () => number): SelfCheck {
  const nonce = Array.from({ length: 4 }, () =>
    Math.floor(random() * 2 ** 32)
      .toString(16)
      .padStart(8, "0"),
  ).join("");
  const name = `imdsgate/${nonce}`;
  let hasArrived = false;
  return {
    isOwn(fields) {
      const isNonce = fieldValues(fields, "user-agent").includes(name);
      hasArrived ||= isNonce;
      return isNonce;
    },
    async isUpstreamSelf(imds) {
      const fields: readonly Field[] = [
        ["Host", "169.254.169.254"],
        ["User-Agent", name],
        ["Accept", "*/*"],
      ];
      await imds.ask({ method: "GET", target: "/latest/meta-data/instance-id", fields }).catch(() => undefined);
      return hasArrived;
    },
  };
}
