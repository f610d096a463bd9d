import type { ImdsClient } from "../imds-client.ts";

/** Finds out whether the upstream is this very gateway: every request passed through would come back to it for ever. */
export interface SelfCheck {
  /** Whether a request that arrived here is the one that was sent to the upstream. */
  isOwn(rawTarget: string): boolean;
  /** Sends it. True when it arrived here. It never rejects: an upstream that is down is not this gateway. */
  isUpstreamSelf(imds: ImdsClient): Promise<boolean>;
}

/** `random` gives numbers in [0, 1): nobody can guess the target and stop the gateway with it. */
export function createSelfCheck(random: () => number): SelfCheck {
  const nonce = Array.from({ length: 4 }, () => Math.floor(random() * 2 ** 32).toString(16)).join("");
  const target = `/imdsgate-self-check/${nonce}`;
  let isUnderWay = false;
  let hasArrived = false;
  return {
    isOwn(rawTarget) {
      hasArrived ||= isUnderWay && rawTarget === target;
      return isUnderWay && rawTarget === target;
    },
    async isUpstreamSelf(imds) {
      isUnderWay = true;
      await imds.ask({ method: "GET", target, fields: [["Host", "169.254.169.254"], ["User-Agent", "imdsgate"]] }).catch(() => undefined);
      isUnderWay = false;
      return hasArrived;
    },
  };
}
