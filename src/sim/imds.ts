import { createServer, type Socket } from "node:net";
import type { Endpoint } from "../address.ts";
import type { Clock } from "../clock.ts";
import { answerTo, type ImdsState, type SimAnswer } from "./imds-answer.ts";
import { contentOf, type InstanceFacts } from "./imds-content.ts";
import { AUTHENTIC, type Leniency, segmentsOf, VICTIM } from "./imds-path.ts";
import { readRequest, type SimRequest } from "./imds-request.ts";
import type { ImdsTokens } from "./imds-tokens.ts";
import type { InstanceRole } from "./instance-role.ts";
import { listenOn } from "./listener.ts";

/** How an embedded metadata service is to be. */
export interface ImdsOptions {
  /** Port 0 picks a free one. */
  readonly listen: Endpoint;
  readonly clock: Clock;
  /** `authentic`: as the real one. `victim`: fooled in every way, with credentials that say so. */
  readonly behaviour: "authentic" | "victim";
  /** Switches that differ from the behaviour's. */
  readonly leniency?: Partial<Leniency>;
  readonly facts: InstanceFacts;
  readonly role?: InstanceRole;
  readonly tokens: ImdsTokens;
  readonly tokenUse?: "optional" | "required";
  /** What the credential tree of a `victim` answers; without it, `LEAK`. */
  readonly leakMarker?: string;
  readonly onRequest?: (request: SeenRequest) => void;
}

/** A request that arrived, whatever was answered. */
export interface SeenRequest extends SimRequest {
  /** What `target` means to the most lenient reader, to find leaks; empty where it means nothing. */
  readonly lenientSegments: readonly string[];
  readonly sourceAddress: string;
  readonly status: number;
}

export interface RunningImds extends AsyncDisposable {
  readonly endpoint: Endpoint;
  /** All requests since the start or the last `forget`, in the order they arrived. */
  readonly requests: readonly SeenRequest[];
  forget(): void;
  setState(state: ImdsState): void;
  setTokenUse(use: "optional" | "required"): void;
  /** Ends every connection and stops listening. */
  close(): Promise<void>;
}

const REASONS: Readonly<Record<number, string>> = {
  200: "OK",
  206: "Partial Content",
  304: "Not Modified",
  400: "Bad Request",
  401: "Unauthorized",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
  417: "Expectation Failed",
  503: "Service Unavailable",
};

/** Starts an embedded metadata service: one request a connection, as the real one (`docs/contract.md`, H2). Rejects with LISTEN_FAILED. */
export async function startImds(options: ImdsOptions): Promise<RunningImds> {
  const leniency = { ...(options.behaviour === "victim" ? VICTIM : AUTHENTIC), ...options.leniency };
  const content = contentOf(options.facts, leniency);
  const leakMarker = options.behaviour === "victim" ? (options.leakMarker ?? "LEAK") : undefined;
  const requests: SeenRequest[] = [];
  let state: ImdsState = "ok";
  let tokenUse = options.tokenUse ?? "optional";

  const answer = (request: SimRequest, sourceAddress: string): Buffer => {
    const now = options.clock.now();
    const simAnswer = answerTo(request, {
      leniency,
      content,
      tokens: options.tokens,
      tokenUse,
      role: options.role,
      leakMarker,
      state,
      now,
    });
    const seen = { ...request, lenientSegments: segmentsOf(request.target, VICTIM) ?? [], sourceAddress, status: simAnswer.status };
    requests.push(seen);
    options.onRequest?.(seen);
    return renderAnswer(simAnswer, request.method, now);
  };
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on("error", () => socket.destroy());
    if (state === "down") socket.resetAndDestroy();
    else serve(socket, answer);
  });
  const listener = await listenOn(server, options.listen);
  return {
    endpoint: listener.endpoint,
    requests,
    forget: () => void requests.splice(0),
    setState(next) {
      state = next;
    },
    setTokenUse(use) {
      tokenUse = use;
    },
    close: listener.close,
    [Symbol.asyncDispose]: listener.close,
  };
}

/** Answers the first request and closes. What was pipelined behind it is told to `answer` too: a lenient service would run it. */
function serve(socket: Socket, answer: (request: SimRequest, sourceAddress: string) => Buffer): void {
  let received = Buffer.alloc(0);
  socket.on("data", (bytes: Buffer) => {
    received = Buffer.concat([received, bytes]);
    for (;;) {
      const progress = readRequest(received);
      if (progress.kind === "incomplete") return;
      received = Buffer.from(progress.rest);
      const bytesOut = answer(progress.request, socket.remoteAddress ?? "");
      if (!socket.writableEnded) socket.end(bytesOut);
    }
  });
  socket.on("end", () => socket.end());
}

function renderAnswer(answer: SimAnswer, method: string, now: number): Buffer {
  const fields = [
    ...answer.fields,
    ["Content-Length", String(answer.body.length)],
    ["Date", new Date(now).toUTCString()],
    ["Server", "EC2ws"],
    ["Connection", "close"],
  ];
  const head = `HTTP/1.1 ${answer.status} ${REASONS[answer.status] ?? ""}\r\n${fields.map(([name, value]) => `${name}: ${value}\r\n`).join("")}\r\n`;
  return Buffer.concat([Buffer.from(head, "latin1"), method === "HEAD" ? Buffer.alloc(0) : answer.body]);
}
