import type { StsTurn } from "../../support/scripted-sts-server.ts";
import type { Fault } from "./fault.ts";
import { type Call, httpTurn, keysTurn, keysXml, secondsOf } from "./sts-texts.ts";

const HOUR_MS = 3_600_000;
const OTHER_ROLE = "arn:aws:sts::111122223333:assumed-role/other-role";

/** Answers with 200 that are not those of STS, or not to the question. */
export const BROKEN_ANSWERS: readonly Fault[] = [
  broken("a reset within the body", (call) => ({ ...cut(call), ending: "reset" })),
  broken("a body that ends before its `Content-Length`", cut),
  broken("XML that is cut off", (call) => httpTurn(200, keysXml(call).slice(0, 300))),
  broken("malformed XML", (call) => httpTurn(200, keysXml(call).replace("</Credentials>", "</Credential>"))),
  broken("a page of HTML", () => httpTurn(200, "<html><body>Welcome</body></html>", "text/html")),
  broken("JSON", () => httpTurn(200, '{"Credentials":{}}', "application/json")),
  broken("no body", () => httpTurn(200, "")),
  broken("a body of 10 MiB: no more than 1 MiB is read", (call) => httpTurn(200, keysXml(call) + " ".repeat(10_485_760))),
  broken("an `Expiration` in the past", (call) => keysTurn(call, { expiration: secondsOf(call.now - 1_000) })),
  broken("an `Expiration` in 13 hours", (call) => keysTurn(call, { expiration: secondsOf(call.now + 13 * HOUR_MS) })),
  broken("an `Expiration` that is no time", (call) => keysTurn(call, { expiration: "soon" })),
  broken("keys of another role", (call) => keysTurn(call, { arn: `${OTHER_ROLE}/${call.question.sessionName}` }), "X4, S7"),
  broken("keys of another session", (call) => keysTurn(call, { arn: `${OTHER_ROLE.replace("other", "web")}/elsewhere` }), "X4, S7"),
  {
    title: "the keys, with another `Content-Type`",
    rule: "S9",
    trouble: { kind: "answer", answer: (call) => httpTurn(200, keysXml(call), "text/html") },
    outcomes: ["ok"],
    without: "the lease",
    next: "renewal",
  },
];

function broken(title: string, answer: (call: Call) => StsTurn, rule = "X4, S9"): Fault {
  const outcomes = ["answer-bad", "answer-bad", "answer-bad"] as const;
  return { title, rule, trouble: { kind: "answer", answer }, outcomes, without: "500", next: "backoff" };
}

/** A head that promises more than comes. */
function cut(call: Call): StsTurn {
  return { bytes: `HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: 900\r\n\r\n${keysXml(call).slice(0, 300)}`, ending: "end" };
}
