import type { StsTurn } from "../../support/scripted-sts-server.ts";
import type { Fault, Trouble } from "./fault.ts";
import { errorTurn, httpTurn, keysTurn, secondsOf } from "./sts-texts.ts";

const SKEW_MS = 600_000;

/** What is wrong on the way, and with the time that passes on it. */
export const BROKEN_WAYS: readonly Fault[] = [
  ...[
    without("a name that does not exist (`ENOTFOUND`)", { kind: "name", leadsTo: "ENOTFOUND" }),
    without("a resolver that does not answer (`EAI_AGAIN`)", { kind: "name", leadsTo: "EAI_AGAIN" }),
    without("a refused connection", { kind: "name", leadsTo: "127.0.0.9" }),
    without("TLS: a certificate that has expired", { kind: "certificate", shown: "expired" }),
    without("TLS: a certificate of another name", { kind: "certificate", shown: "of another name" }),
    without("TLS: a certificate of an authority that is not known", { kind: "certificate", shown: "of an unknown authority" }),
    without("the end of the connection in place of an answer", always({ bytes: "", ending: "end" })),
    without("a reset within the head", always({ bytes: "HTTP/1.1 200 OK\r\nContent-Le", ending: "reset" })),
    without("302, as the page of a guest network", always(httpTurn(302, "", "text/html", ["Location: /login"]))),
    without("403 without XML, as a proxy says it", always(httpTurn(403, "<html>Forbidden</html>", "text/html"))),
  ].map((row): Fault => ({ ...row, outcomes: ["unavailable", "unavailable", "unavailable"] })),
  {
    ...without("silence: a call ends after 5 s, and none is begun so late", always({ bytes: "", ending: "open" })),
    outcomes: ["unavailable"],
    takesMs: [5_000],
  },
  {
    ...without("a head, then silence", always({ bytes: "HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n<A", ending: "open" })),
    outcomes: ["unavailable"],
    takesMs: [5_000],
  },
  {
    title: "503 after 4 s, then the keys after 4 s: later than a request waits",
    rule: "S9, S10",
    trouble: {
      kind: "answer",
      answer: (call) => ({ ...(call.nth === 1 ? errorTurn(503, "ServiceUnavailable") : keysTurn(call)), afterMs: 4_000 }),
    },
    outcomes: ["unavailable", "ok"],
    takesMs: [4_000, 4_000],
    without: "500, then the lease",
    next: "renewal",
  },
  skewed("ahead of imdsgate's: its keys last until 70 minutes from now, and are served for 60", SKEW_MS),
  skewed("behind imdsgate's: the keys last until 50 minutes from now", -SKEW_MS),
];

function without(title: string, trouble: Trouble): Omit<Fault, "outcomes"> {
  return { title, rule: "X4, S9", trouble, without: "500", next: "backoff" };
}

function always(turn: StsTurn): Trouble {
  return { kind: "answer", answer: () => turn };
}

/**
 * STS takes a signature of the last 5 minutes by its own clock, and its refusal says what time it is. The SDK signs by the machine's
 * clock and what it has learnt of STS's.
 */
function skewed(words: string, skewMs: number): Fault {
  return {
    title: `a clock 10 minutes ${words}`,
    rule: "S9, N2",
    trouble: {
      kind: "answer",
      answer: (call) => {
        const now = Date.now() + skewMs;
        if (Math.abs(now - call.question.signedAt) < 300_000)
          return keysTurn(call, { expiration: secondsOf(call.now + skewMs + 3_600_000) });
        const line = `Date: ${new Date(now).toUTCString()}`;
        return errorTurn(403, "SignatureDoesNotMatch", "Signature expired or not yet current", [line]);
      },
    },
    outcomes: ["unavailable", "ok"],
    without: "the lease",
    next: "renewal",
  };
}
