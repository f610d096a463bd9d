const CR = 0x0d;
const LF = 0x0a;
/** Longest chunk-size or trailer line that is read; far above what any client of IMDS sends. */
const MAX_LINE_BYTES = 4_096;

/** Follows one chunked body (RFC 9112, 7.1) as its bytes arrive, however they are cut. */
export interface ChunkedScanner {
  /** Reads on. Gives how many of `bytes` belong to the body; what follows the last chunk does not. */
  push(bytes: Buffer): number;
  /** `done` after the last chunk's end; `bad` once the framing is broken: nothing after that is read. */
  state(): "open" | "done" | "bad";
}

/** Makes a scanner for one body. `onData` receives the payload without its framing. */
export function createChunkedScanner(onData: (data: Buffer) => void = () => {}): ChunkedScanner {
  let part: Part = "size";
  let line = "";
  let left = 0;

  function pushData(bytes: Buffer): number {
    const data = bytes.subarray(0, left);
    onData(data);
    left -= data.length;
    if (left === 0) part = "data-end";
    return data.length;
  }

  function pushLineByte(byte: number): void {
    const isAfterCr = line.endsWith("\r");
    if (isAfterCr !== (byte === LF) || line.length > MAX_LINE_BYTES || !isLineByte(byte)) part = "bad";
    else if (byte !== LF) line += String.fromCharCode(byte);
    else endLine(line.slice(0, -1));
  }

  function endLine(text: string): void {
    if (part === "size") left = chunkSize(text) ?? 0;
    part = partAfter(part, text);
    line = "";
  }

  return {
    push(bytes) {
      let at = 0;
      while (at < bytes.length && part !== "done" && part !== "bad") {
        if (part === "data") at += pushData(bytes.subarray(at));
        else pushLineByte(bytes[at++] ?? 0);
      }
      return at;
    },
    state: () => (part === "done" || part === "bad" ? part : "open"),
  };
}

type Part = "size" | "data" | "data-end" | "trailer" | "done" | "bad";

/** What comes after the line `text` that ended `part`. */
function partAfter(part: Part, text: string): Part {
  if (part === "data-end") return text === "" ? "size" : "bad";
  if (part === "trailer") return text === "" ? "done" : isTrailer(text) ? "trailer" : "bad";
  const size = chunkSize(text);
  if (size === undefined) return "bad";
  return size === 0 ? "trailer" : "data";
}

/**
 * A chunk's size: one to eight hex digits. Extensions are ignored, but hold no blank: to a server that does not decode chunks such a
 * line would be a request line.
 */
function chunkSize(text: string): number | undefined {
  const [, digits] = /^([0-9A-Fa-f]{1,8})(?:;[\x21-\x7e]*)?$/.exec(text) ?? [];
  return digits === undefined ? undefined : Number.parseInt(digits, 16);
}

function isTrailer(text: string): boolean {
  return /^[!#$%&'*+.^_`|~0-9A-Za-z-]+:/.test(text);
}

function isLineByte(byte: number): boolean {
  return byte === CR || byte === LF || byte === 0x09 || (byte >= 0x20 && byte !== 0x7f);
}
