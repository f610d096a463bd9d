/** How the body of an upstream answer ends (RFC 9112, 6.3). */
type AnswerFraming =
  | { readonly kind: "none" }
  | { readonly kind: "length"; readonly bytes: number }
  | { readonly kind: "chunked" }
  | { readonly kind: "close" };

/** A header field: the name as received, the value without surrounding blanks; one character a byte (latin-1). */
export type Field = readonly [name: string, value: string];

/** The head of an answer, read for its status and framing; its bytes stay as they are. */
export interface AnswerHead {
  readonly status: number;
  readonly fields: readonly Field[];
  readonly framing: AnswerFraming;
}

const STATUS_LINE = /^HTTP\/1\.[01] ([1-9]\d\d)(?: [^\r\n]*)?$/;

/**
 * Reads the head of one answer to a `method` request. `text` is the head in latin-1 without its final blank line.
 * Undefined where the framing cannot be told for certain: such an answer is not passed on (docs/contract.md, R5).
 */
export function parseAnswerHead(text: string, method: string): AnswerHead | undefined {
  const [statusLine = "", ...lines] = text.split("\r\n");
  const status = Number(STATUS_LINE.exec(statusLine)?.[1]);
  const fields = lines.map(parseField);
  if (Number.isNaN(status) || !fields.every((field) => field !== undefined)) return undefined;
  const framing = framingOf(status, fields, method);
  return framing && { status, fields, framing };
}

/** The values of every field called `name` (any case), in order. */
export function fieldValues(fields: readonly Field[], name: string): readonly string[] {
  const wanted = name.toLowerCase();
  return fields.filter(([key]) => key.toLowerCase() === wanted).map(([, value]) => value);
}

function parseField(line: string): Field | undefined {
  const colon = line.indexOf(":");
  if (colon <= 0 || /[\r\n\0]/.test(line) || /^[ \t]|[ \t]$/.test(line.slice(0, colon))) return undefined;
  return [line.slice(0, colon), line.slice(colon + 1).replace(/^[ \t]+|[ \t]+$/g, "")];
}

function framingOf(status: number, fields: readonly Field[], method: string): AnswerFraming | undefined {
  const lengths = fieldValues(fields, "content-length");
  const encodings = fieldValues(fields, "transfer-encoding");
  const isPlain = lengths.every((length) => /^\d{1,15}$/.test(length) && Number(length) === Number(lengths[0]));
  if (!isPlain || encodings.length > 1 || (encodings.length > 0 && lengths.length > 0)) return undefined;
  if (method === "HEAD" || status === 204 || status === 304 || status < 200) return { kind: "none" };
  if (encodings.length > 0) return encodings[0]?.toLowerCase() === "chunked" ? { kind: "chunked" } : undefined;
  return lengths.length > 0 ? { kind: "length", bytes: Number(lengths[0]) } : { kind: "close" };
}
