/** So many bytes of one list are read; a list has all labels of all containers in it. */
const LIST_LIMIT = 128 * 1024 * 1024;

/**
 * The container ids in an answer to `GET /containers/json`, each once; undefined when it is no whole list. The answer is never held: a few
 * containers with megabytes of labels must not cost the others their place.
 */
export async function readContainerIds(pieces: AsyncIterable<Buffer>): Promise<readonly string[] | undefined> {
  return (await readItems(pieces))?.all;
}

/** As `readContainerIds`, of those containers alone that are in another one's network namespace, or will be when they start. */
export async function readJoinerIds(pieces: AsyncIterable<Buffer>): Promise<readonly string[] | undefined> {
  const items = await readItems(pieces);
  return items && [...items.joiners.keys()];
}

/** As `readJoinerIds`, each with the id of the container whose network namespace that is. */
export async function readNamespaceOwners(pieces: AsyncIterable<Buffer>): Promise<ReadonlyMap<string, string> | undefined> {
  return (await readItems(pieces))?.joiners;
}

interface ListedIds {
  readonly all: readonly string[];
  /** Each with the container whose network namespace it joins. */
  readonly joiners: ReadonlyMap<string, string>;
}

async function readItems(pieces: AsyncIterable<Buffer>): Promise<ListedIds | undefined> {
  const scanner = createIdScanner();
  let length = 0;
  for await (const piece of pieces) {
    length += piece.length;
    if (length > LIST_LIMIT) throw new Error(`the list of containers is longer than ${LIST_LIMIT} bytes`);
    scanner.push(piece);
  }
  return scanner.ids();
}

/** Whether `value` is a container's full id. */
export function isContainerId(value: string | undefined): value is string {
  return value !== undefined && /^[0-9a-f]{64}$/.test(value);
}

const [QUOTE, BACKSLASH, COLON, COMMA, BLANK] = [0x22, 0x5c, 0x3a, 0x2c, 0x20];
const [OPEN_LIST, CLOSE_LIST, OPEN_MAP, CLOSE_MAP] = [0x5b, 0x5d, 0x7b, 0x7d];
/** The maps in the list are at this depth, and their keys. */
const ITEM_DEPTH = 2;
const JOINING = "container:";

/** Follows JSON as far as is needed to find the `Id` of each map in the outermost list. */
function createIdScanner() {
  const all = new Set<string>();
  const joiners = new Map<string, string>();
  let item = { id: "", mode: "" };
  const text = createTextScanner();
  let [depth, key, isEnded, isBroken] = [0, "", false, false];

  function pushMark(byte: number): void {
    if (byte <= BLANK) return;
    if (depth === 0 && (byte !== OPEN_LIST || isEnded)) isBroken = true;
    switch (byte) {
      case QUOTE:
        text.begin();
        break;
      case COLON:
        key = text.value();
        break;
      case COMMA:
        key = "";
        break;
      case OPEN_LIST:
      case OPEN_MAP:
        nest(1);
        break;
      case CLOSE_LIST:
      case CLOSE_MAP:
        nest(-1);
    }
  }

  function nest(levels: 1 | -1): void {
    if (levels < 0 && depth === ITEM_DEPTH) endItem();
    depth += levels;
    key = "";
    isEnded = depth <= 0;
  }

  function endItem(): void {
    if (item.id !== "") all.add(item.id);
    if (item.id !== "" && item.mode.startsWith(JOINING)) joiners.set(item.id, item.mode.slice(JOINING.length));
    item = { id: "", mode: "" };
  }

  function endText(): void {
    const value = text.value();
    if (depth === ITEM_DEPTH && key === "Id" && isContainerId(value)) item = { ...item, id: value };
    if (depth === ITEM_DEPTH + 1 && key === "NetworkMode") item = { ...item, mode: value };
  }

  return {
    push(piece: Buffer): void {
      for (let at = 0; at < piece.length; ) {
        if (!text.isOpen()) pushMark(piece[at++] ?? BLANK);
        else {
          at += text.push(piece.subarray(at));
          if (!text.isOpen()) endText();
        }
      }
    },
    ids: (): ListedIds | undefined => (isEnded && depth === 0 && !isBroken ? { all: [...all], joiners } : undefined),
  };
}

/** The longest text that counts, and one byte that tells a longer one. */
const KEPT_BYTES = JOINING.length + 64 + 1;

/** Follows one JSON string; of a long one only that it is long. */
function createTextScanner() {
  const kept = Buffer.alloc(KEPT_BYTES);
  let [length, isOpen, backslashes] = [0, false, 0];

  function keep(bytes: Buffer): void {
    length += bytes.copy(kept, length);
    const trailing = trailingBackslashes(bytes);
    backslashes = trailing === bytes.length ? backslashes + trailing : trailing;
  }

  return {
    begin(): void {
      [length, isOpen, backslashes] = [0, true, 0];
    },
    /** How many of these bytes are its own, with the quote that ends it. */
    push(bytes: Buffer): number {
      const quote = bytes.indexOf(QUOTE);
      keep(quote < 0 ? bytes : bytes.subarray(0, quote));
      if (quote < 0) return bytes.length;
      if (backslashes % 2 === 0) isOpen = false;
      else keep(bytes.subarray(quote, quote + 1));
      return quote + 1;
    },
    isOpen: () => isOpen,
    value: () => kept.toString("latin1", 0, length),
  };
}

function trailingBackslashes(bytes: Buffer): number {
  let count = 0;
  while (count < bytes.length && bytes[bytes.length - 1 - count] === BACKSLASH) count += 1;
  return count;
}
