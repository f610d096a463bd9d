/**
 * What the same work costs with node:http and nothing else: no identity, no decision, no log. `node bare-http.ts document HOST` answers every
 * request with one kept document; `node bare-http.ts forwarder HOST UPSTREAM_PORT` asks upstream with the head as it came, a connection for
 * each request. It ends with its stdin.
 */
import { createServer, type IncomingMessage, request, type ServerResponse } from "node:http";
import { connect } from "node:net";
import { announce } from "./ready-line.ts";
import { answerFields, CREDENTIALS_DOCUMENT } from "./stated-answers.ts";

const [form, host = "127.0.0.1", upstreamPort = ""] = process.argv.slice(2);

const fields = [...answerFields(CREDENTIALS_DOCUMENT)];

function answerDocument(_asked: IncomingMessage, response: ServerResponse): void {
  response.sendDate = false;
  response.writeHead(200, fields).end(CREDENTIALS_DOCUMENT);
}

/** No agent: making one for each request costs more than the request. */
const createConnection = () => connect({ host, port: Number(upstreamPort), noDelay: true });

function forward(asked: IncomingMessage, response: ServerResponse): void {
  const { method, url, rawHeaders } = asked;
  const options = { method, path: url, headers: rawHeaders, setHost: false, setDefaultHeaders: false, createConnection };
  const outgoing = request(options, (answer) => {
    response.sendDate = false;
    response.useChunkedEncodingByDefault = false;
    response.removeHeader("connection");
    response.removeHeader("transfer-encoding");
    response.on("finish", () => asked.socket.destroySoon());
    answer.on("error", () => asked.socket.destroy());
    response.writeHead(answer.statusCode ?? 502, answer.statusMessage, answer.rawHeaders);
    answer.pipe(response);
  });
  outgoing.on("error", () => asked.socket.destroy());
  asked.pipe(outgoing);
}

announce(createServer({ noDelay: true }, form === "forwarder" ? forward : answerDocument), host);
