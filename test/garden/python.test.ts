import { garden } from "./garden.ts";
import { PYTHON } from "./readers.ts";

garden(PYTHON, [
  {
    reason: "it makes several slashes at the beginning into one, as the gateway's own reading does (C6); what is asked for is the same",
    covers: (own, { readings: [first, ...others] }) =>
      others.length === 0 &&
      own.target.startsWith("//") &&
      first?.target === own.target.replace(/^\/+/, "/") &&
      first.bodyBytes === own.bodyBytes,
  },
  {
    reason: "nothing in it decodes chunks: it takes the first chunk's size for a request line, refuses that, and closes",
    covers: (own, { readings: [first, ...others] }) =>
      others.length === 0 && isChunked(own) && first?.target === own.target && first.bodyBytes === 0,
  },
]);

function isChunked({ forwarded }: { readonly forwarded: Buffer }): boolean {
  return /\r\ntransfer-encoding: ?chunked\r\n/i.test(forwarded.toString("latin1"));
}
