import { request } from "node:http";

/** A container's endpoint came into being or is no more, as Docker tells it. */
export interface NetworkEvent {
  /** In milliseconds since the epoch. */
  readonly at: number;
  readonly action: "connect" | "disconnect";
  readonly containerId: string;
  readonly network: string;
}

const AGAIN_MS = 100;

/** Writes down what Docker tells of endpoints until `end`; where its stream breaks off it is taken up again, from the same moment. */
export function watchNetworks(socketPath: string): { readonly seen: readonly NetworkEvent[]; readonly end: () => void } {
  const seen: NetworkEvent[] = [];
  const over = new AbortController();
  let since = Date.now();

  function follow(): void {
    if (over.signal.aborted) return;
    const again = () => void setTimeout(follow, AGAIN_MS);
    const filters = encodeURIComponent(JSON.stringify({ type: ["network"], event: ["connect", "disconnect"] }));
    const path = `/events?since=${(since / 1_000).toFixed(3)}&filters=${filters}`;
    const asked = request({ socketPath, path, headers: { Host: "docker" }, agent: false, signal: over.signal }, (response) => {
      let rest = "";
      response.setEncoding("utf8").on("data", (chunk: string) => {
        const lines = `${rest}${chunk}`.split("\n");
        rest = lines.pop() ?? "";
        for (const line of lines) note(line);
      });
      response.on("error", () => undefined).on("close", again);
    });
    asked.on("error", again).end();
  }

  function note(line: string): void {
    const event: { Action: NetworkEvent["action"]; timeNano: number; Actor: { Attributes: { name: string; container: string } } } =
      JSON.parse(line);
    const { name, container } = event.Actor.Attributes;
    since = event.timeNano / 1e6;
    seen.push({ at: since, action: event.Action, containerId: container, network: name });
  }

  follow();
  return { seen, end: () => over.abort() };
}
