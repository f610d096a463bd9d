import type { Server } from "node:net";

const BACKLOG = 1_024;

/** Makes `server` listen on a free port of `host`, says where in one line on stdout, and ends the process with its stdin. */
export function announce(server: Server, host: string): void {
  server.listen({ host, port: 0, backlog: BACKLOG }, () => {
    const address = server.address();
    const port = address !== null && typeof address === "object" ? address.port : 0;
    process.stdout.write(`${JSON.stringify({ event: "ready", listen: `${host}:${port}` })}\n`);
  });
  process.stdin.resume().on("end", () => process.exit(0));
}

/** The port in a `ready` line: of these programs, of `imdsgate run` or of `imdsgate sim`. Undefined when it is none. */
export function readyPort(line: string): number | undefined {
  const [, port] = /^\{"event":"ready","listen":\[?"[^"]*:(\d+)"/.exec(line) ?? [];
  return port === undefined ? undefined : Number(port);
}
