import type { OpenAnswer } from "./docker-wire.ts";

/** Asks Docker in the API version that it speaks. */
export interface VersionedDocker {
  readonly ask: OpenAnswer;
  /** The next question first asks anew which version that is: a daemon that begins a new stream of events may be another one. */
  forget(): void;
}

/**
 * Every path carries the daemon's own API version, as `GET /_ping` tells it: that one no daemon refuses, while any fixed one is refused by
 * some from 20.10 (1.12 to 1.41) to 29 (1.44 to 1.52 and on). Paths without a version mean the same today and are deprecated; they are
 * used where a proxy keeps `/_ping` back.
 */
export function versionedDocker(open: OpenAnswer): VersionedDocker {
  let prefix: string | undefined;
  return {
    async ask(path, signal) {
      prefix ??= await askPrefix(open, signal);
      const response = await open(prefix + path, signal);
      if (response.statusCode === 400) prefix = undefined;
      return response;
    },
    forget() {
      prefix = undefined;
    },
  };
}

async function askPrefix(open: OpenAnswer, signal: AbortSignal): Promise<string> {
  const response = await open("/_ping", signal);
  response.destroy();
  const version = String(response.headers["api-version"] ?? "");
  return response.statusCode === 200 && /^\d{1,3}\.\d{1,3}$/.test(version) ? `/v${version}` : "";
}
