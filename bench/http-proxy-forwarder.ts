/**
 * The same forwarding with http-proxy, to compare with. `node http-proxy-forwarder.ts documented|exact HOST UPSTREAM`; it ends with its stdin.
 *
 * `exact` is what it takes to keep the bytes: http-proxy fills the object that it is given as `ssl` and hands it to `http.request`, and
 * accessors on that object win over what it assigns. A check of the raw head, which would have to stand in front, is left out.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createProxyServer } from "http-proxy-3";
import { announce } from "./ready-line.ts";

const [form, host = "127.0.0.1", target = ""] = process.argv.slice(2);

type Forward = (request: IncomingMessage, response: ServerResponse) => void;

function documented(): Forward {
  const proxy = createProxyServer({ target });
  proxy.on("error", (_error, _request, response) => response.destroy());
  return (request, response) => void proxy.web(request, response);
}

function exact(): Forward {
  const proxy = createProxyServer();
  proxy.on("proxyRes", (answer, request, response) => {
    response.sendDate = false;
    response.useChunkedEncodingByDefault = false;
    response.removeHeader("connection");
    response.removeHeader("transfer-encoding");
    response.on("finish", () => request.socket.destroySoon());
    answer.on("error", () => response.socket?.destroy());
    response.writeHead(answer.statusCode ?? 502, answer.statusMessage, answer.rawHeaders);
    answer.pipe(response);
  });
  proxy.on("error", (_error, request) => request.socket.destroy());
  proxy.on("econnreset", () => {});
  return (request, response) => {
    const { rawHeaders, url } = request;
    const isHostNeeded = request.httpVersion === "1.0" && request.headers.host === undefined;
    const headers = isHostNeeded ? [...rawHeaders, "Host", "169.254.169.254"] : rawHeaders;
    const outgoing = { setHost: false, setDefaultHeaders: false };
    for (const [key, value] of [["path", url] as const, ["headers", headers] as const]) {
      Object.defineProperty(outgoing, key, { enumerable: true, get: () => value, set: () => {} });
    }
    const options = { target, ssl: outgoing, selfHandleResponse: true, xfwd: false, connectTimeout: 1_000, proxyTimeout: 5_000 };
    proxy.web(request, response, options);
  };
}

const forward = form === "exact" ? exact() : documented();
const server = createServer(
  form === "exact" ? { requireHostHeader: false, maxHeaderSize: 32_768, shouldUpgradeCallback: () => false, noDelay: true } : {},
  forward,
);
if (form === "exact") {
  Object.assign(server, { httpAllowHalfOpen: true }); // documented nowhere but in Node's source, and without it a client's FIN costs the answer
  server.on("checkContinue", forward);
  server.on("checkExpectation", forward);
}

announce(server, host);
