/** One request as it came off the wire; text is latin-1. */
export interface SimRequest {
  readonly method: string;
  readonly target: string;
  /** The third word of the request line: `HTTP/1.1`; empty when there is none. */
  readonly protocol: string;
  /** Names as received, values without surrounding blanks; order and duplicates kept. */
  readonly fields: readonly (readonly [string, string])[];
  /** The head's bytes up to and with the empty line. */
  readonly head: Buffer;
  /** The body's bytes as they came, chunk sizes included. */
  readonly body: Buffer;
  /** Whether the head keeps to the grammar of RFC 9112 and has the one Host that HTTP/1.1 asks for. */
  readonly isWellFormed: boolean;
}

/** What the bytes received so far amount to. `rest` is what follows the request. */
export type RequestProgress =
  | { readonly kind: "incomplete" }
  | { readonly kind: "request"; readonly request: SimRequest; readonly rest: Buffer };

const STRICT_HEAD =
  /^[!#$%&'*+.^_`|~0-9A-Za-z-]+ [\x21-\x7e]+ HTTP\/1\.[01]\r\n(?:[!#$%&'*+.^_`|~0-9A-Za-z-]+:[\t\x20-\x7e\x80-\xff]*\r\n)*\r\n$/;

/** Reads one request, as loosely as can be: bare LF, folded lines and odd blanks are read, and told by `isWellFormed`. */
export function readRequest(received: Buffer): RequestProgress {
  const text = received.toString("latin1");
  const end = /\r?\n\r?\n/.exec(text);
  if (!end) return { kind: "incomplete" };
  const headText = text.slice(0, end.index + end[0].length);
  const [requestLine = "", ...fieldLines] = headText.trimStart().split(/\r?\n/);
  const [method = "", target = "", protocol = ""] = requestLine.trim().split(/[ \t]+/);
  const fields = parseFields(fieldLines);

  const after = text.slice(headText.length);
  // Whoever waits to be told to go on is refused by the head alone (docs/contract.md, T3).
  const isWaiting = after === "" && fieldValues(fields, "expect").length > 0;
  const bodyLength = isWaiting ? 0 : declaredBodyLength(fields, after);
  if (bodyLength === undefined || after.length < bodyLength) return { kind: "incomplete" };
  const hosts = fieldValues(fields, "host").length;
  const request = {
    method,
    target,
    protocol,
    fields,
    head: received.subarray(0, headText.length),
    body: received.subarray(headText.length, headText.length + bodyLength),
    isWellFormed: STRICT_HEAD.test(headText) && (protocol === "HTTP/1.0" ? hosts <= 1 : hosts === 1),
  };
  return { kind: "request", request, rest: received.subarray(headText.length + bodyLength) };
}

/** All values of the fields called `name` (lower case), in order. */
export function fieldValues(fields: SimRequest["fields"], name: string): readonly string[] {
  return fields.filter(([fieldName]) => fieldName.toLowerCase() === name).map(([, value]) => value);
}

function parseFields(lines: readonly string[]): readonly (readonly [string, string])[] {
  const fields: [string, string][] = [];
  for (const line of lines) {
    const previous = fields.at(-1);
    const colon = line.indexOf(":");
    if (/^[ \t]/.test(line) && previous) previous[1] += ` ${line.trim()}`;
    else if (colon >= 0) fields.push([line.slice(0, colon).trim(), line.slice(colon + 1).trim()]);
  }
  return fields;
}

/** The length of the body as it stands in `after`; undefined while a chunked body has not ended. */
function declaredBodyLength(fields: SimRequest["fields"], after: string): number | undefined {
  if (fieldValues(fields, "transfer-encoding").length > 0) return chunkedLength(after);
  const length = Number(fieldValues(fields, "content-length")[0] ?? "0");
  return Number.isInteger(length) && length >= 0 ? length : 0;
}

function chunkedLength(text: string): number | undefined {
  let at = 0;
  for (;;) {
    const size = /^([0-9a-f]+)[^\r\n]*\r\n/i.exec(text.slice(at));
    if (!size) return /^[0-9a-f]*[^\r\n]*\r?$/i.test(text.slice(at)) ? undefined : text.length;
    const bytes = Number.parseInt(size[1] ?? "0", 16);
    at += size[0].length;
    if (bytes === 0) return trailerEnd(text, at);
    at += bytes + 2;
    if (at > text.length) return undefined;
  }
}

function trailerEnd(text: string, from: number): number | undefined {
  const end = /^(?:[^\r\n]+\r\n)*\r\n/.exec(text.slice(from));
  return end ? from + end[0].length : undefined;
}
