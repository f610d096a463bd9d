import type { Socket } from "node:net";
import { describe, expect, test } from "vitest";
import { NOT_RUNNING } from "../../src/identity/docker.ts";
import type { RuntimeEvent } from "../../src/identity/runtime.ts";
import { failureOf, ID, never, reply, scriptedDocker } from "./scripted-docker.ts";

const OTHER = "beef".padEnd(64, "0");
const THIRD = "feed".padEnd(64, "0");
const HEAD = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n";
const CHUNKED = `${HEAD}Transfer-Encoding: chunked\r\n\r\n`;

const chunk = (bytes: Buffer | string) => {
  const data = Buffer.from(bytes);
  return Buffer.concat([Buffer.from(`${data.length.toString(16)}\r\n`), data, Buffer.from("\r\n")]);
};
const container = (Id: unknown, change: object = {}) => ({
  Id,
  Name: "/web",
  Image: "sha256:abc",
  State: { Running: true, Pid: 42, StartedAt: "s" },
  Config: { Image: "web:2", Labels: {} },
  HostConfig: { NetworkMode: "bridge" },
  NetworkSettings: { Networks: { bridge: { NetworkID: "n", IPAddress: "172.17.0.2", MacAddress: "02:42:ac:11:00:02" } } },
  ...change,
});
const PARSED = {
  id: ID,
  name: "web",
  image: "web:2",
  imageId: "sha256:abc",
  labels: {},
  isRunning: true,
  pid: 42,
  startedAt: "s",
  networks: [{ name: "bridge", id: "n", addresses: ["172.17.0.2"], mac: "02:42:ac:11:00:02" }],
  networkMode: "bridge",
};
const OTHER_PARSED = { ...PARSED, id: OTHER };

interface Odd {
  readonly name: string;
  /** How one container's inspection is answered. */
  readonly answer: (socket: Socket) => void;
  /** What comes of it: a change of the parsed container, nothing, or a failure's message. */
  readonly outcome: object | undefined | RegExp;
}

const whole = (value: unknown) => (socket: Socket) => socket.end(reply(200, JSON.stringify(value)));
const bytes = (text: string | Buffer) => (socket: Socket) => socket.end(text);
const TEN_MEGABYTES = Object.fromEntries(Array.from({ length: 10 }, (_, n) => [`label-${n}`, "x".repeat(1024 * 1024)]));

/** Writes `head`, and then blanks until the far end has enough. */
function pour(socket: Socket, head: string): void {
  const more = () => {
    while (!socket.destroyed && socket.write(Buffer.alloc(1024 * 1024, " ")));
  };
  socket.on("drain", more).write(head);
  more();
}

/** Each of these is one container's answer; the list and another container beside it are answered as ever. */
const ODD: readonly Odd[] = [
  { name: "networks that are null", answer: whole(container(ID, { NetworkSettings: { Networks: null } })), outcome: { networks: [] } },
  { name: "no network settings at all", answer: whole(container(ID, { NetworkSettings: null })), outcome: { networks: [] } },
  {
    name: "ten megabytes of labels",
    answer: whole(container(ID, { Config: { Image: "web:2", Labels: TEN_MEGABYTES } })),
    outcome: { labels: TEN_MEGABYTES },
  },
  { name: "a name from right to left", answer: whole(container(ID, { Name: "/\u202eخدمة" })), outcome: { name: "\u202eخدمة" } },
  {
    name: "half a surrogate as its name",
    answer: bytes(reply(200, JSON.stringify(container(ID)).replace("/web", "/\\ud83d"))),
    outcome: { name: "\ud83d" },
  },
  { name: "another's id", answer: whole(container(OTHER)), outcome: undefined },
  { name: "an id that is cut short", answer: whole(container(ID.slice(0, 12))), outcome: undefined },
  { name: "an id that is a number", answer: whole(container(7)), outcome: undefined },
  {
    name: "numbers where text belongs",
    answer: whole(container(ID, { Name: 1, Image: 2, Config: { Image: 3, Labels: { a: 4 } }, HostConfig: { NetworkMode: 5 } })),
    outcome: { name: ID.slice(0, 12), image: "", imageId: undefined, networkMode: "" },
  },
  {
    name: "text where a number belongs",
    answer: whole(container(ID, { State: { Running: true, Pid: "42", StartedAt: "s" } })),
    outcome: { pid: undefined },
  },
  {
    name: "a pid that is too great",
    answer: whole(container(ID, { State: { Running: true, Pid: 1e300, StartedAt: "s" } })),
    outcome: { pid: undefined },
  },
  { name: "a pid that is NaN", answer: bytes(reply(200, JSON.stringify(container(ID)).replace(":42,", ":NaN,"))), outcome: /is not JSON/ },
  { name: "a list where a map belongs", answer: whole([container(ID)]), outcome: undefined },
  { name: "an answer of null", answer: whole(null), outcome: /is not JSON/ },
  { name: "JSON that is cut", answer: bytes(reply(200, JSON.stringify(container(ID)).slice(0, -9))), outcome: /is not JSON/ },
  { name: "a body that is cut", answer: bytes(reply(200, JSON.stringify(container(ID))).slice(0, -9)), outcome: /broke off \(aborted\)/ },
  { name: "nothing but an end", answer: bytes(""), outcome: /broke off \(socket hang up\)/ },
  {
    name: "bytes that are no UTF-8",
    answer: bytes(Buffer.concat([Buffer.from(`${HEAD}Content-Length: 4\r\n\r\n`), Buffer.from([0x22, 0xff, 0xfe, 0x22])])),
    outcome: undefined,
  },
  {
    name: "more than memory should hold",
    answer: (socket) => pour(socket, `${HEAD}Connection: close\r\n\r\n`),
    outcome: /longer than 33554432 bytes/,
  },
  {
    name: "an error with a message",
    answer: bytes(reply(500, '{"message":"layer does not exist"}')),
    outcome: /it answered 500 to \/containers\/c0ffee0+\/json: \{"message":"layer does not exist"\}\. See/,
  },
  {
    name: "an error of megabytes",
    answer: (socket) => socket.end(reply(500, "x".repeat(5_000_000))),
    outcome: /it answered 500 to [^:]+: x{200}\. See/,
  },
  {
    name: "a redirection",
    answer: bytes("HTTP/1.1 301 Moved\r\nLocation: http://elsewhere/\r\nContent-Length: 0\r\n\r\n"),
    outcome: /it answered 301/,
  },
  { name: "a 404", answer: bytes(reply(404, `{"message":"No such container: ${ID}"}`)), outcome: undefined },
];

describe("one container's answer changes that container alone", () => {
  test.for(ODD)("$name", async ({ answer, outcome }) => {
    const { runtime } = await scriptedDocker((socket, target) => {
      if (target === NOT_RUNNING) return void whole([])(socket);
      if (target === "/containers/json") return void whole([{ Id: ID }, { Id: OTHER }])(socket);
      return target.includes(OTHER) ? void whole(container(OTHER))(socket) : answer(socket);
    });
    const [listed, odd, other] = await Promise.all([
      runtime.listContainers(never),
      outcome instanceof RegExp ? failureOf(runtime.inspectContainer(ID, never)) : runtime.inspectContainer(ID, never),
      runtime.inspectContainer(OTHER, never),
    ]);
    expect([listed, other]).toEqual([[ID, OTHER], OTHER_PARSED]);
    if (outcome instanceof RegExp) expect(odd).toMatch(outcome);
    else expect(odd).toEqual(outcome && { ...PARSED, ...outcome });
  });

  test("a hang: the others are answered meanwhile, and it ends when it is given up", async () => {
    const { runtime } = await scriptedDocker((socket, target) => void (target.includes(OTHER) && whole(container(OTHER))(socket)));
    const patience = new AbortController();
    const hanging = failureOf(runtime.inspectContainer(ID, patience.signal));
    expect(await runtime.inspectContainer(OTHER, never)).toEqual(OTHER_PARSED);
    patience.abort();
    expect(await hanging).toMatch(/did not answer in time/);
  });

  test("in a list: ten megabytes of labels each, short ids, ids twice, numbers and null", async () => {
    const labelled = (Id: string) => ({ Id, Names: ["/web"], Labels: TEN_MEGABYTES });
    const list = [labelled(ID), { Id: "c0ffee" }, labelled(OTHER), { Id: 7 }, null, labelled(THIRD), labelled(ID)];
    const { runtime } = await scriptedDocker((socket) => whole(list)(socket));
    expect(await runtime.listContainers(never)).toEqual([ID, OTHER, THIRD]);
  });
});

describe("one and the same answer", () => {
  const text = JSON.stringify(container(ID, { Name: "/größe" }));
  const size = Buffer.byteLength(text);
  test.for([
    { name: "with its length", parts: [`${HEAD}Content-Length: ${size}\r\n\r\n`, text] },
    {
      name: "with its length, on a connection that would go on",
      parts: [`${HEAD}Connection: keep-alive\r\nContent-Length: ${size}\r\n\r\n`, text],
    },
    { name: "in one chunk", parts: [CHUNKED, chunk(text), "0\r\n\r\n"] },
    {
      name: "in chunks of one byte, cut inside of characters",
      parts: [CHUNKED, ...[...Buffer.from(text)].map((byte) => chunk(Buffer.from([byte]))), "0\r\n\r\n"],
    },
    { name: "until the connection ends", parts: [`${HEAD}Connection: close\r\n\r\n`, text], isEnded: true },
    { name: "by HTTP/1.0", parts: ["HTTP/1.0 200 OK\r\n\r\n", text], isEnded: true },
    { name: "behind an interim answer", parts: ["HTTP/1.1 102 Processing\r\n\r\n", `${HEAD}Content-Length: ${size}\r\n\r\n`, text] },
  ] as readonly { name: string; parts: readonly (string | Buffer)[]; isEnded?: boolean }[])("is read $name", async ({ parts, isEnded }) => {
    const { runtime } = await scriptedDocker((socket) => {
      for (const part of parts) socket.write(part);
      if (isEnded) socket.end();
    });
    expect(await runtime.inspectContainer(ID, never)).toEqual({ ...PARSED, name: "größe" });
  });
});

describe("events", () => {
  const line = (Action: string, id: string, Attributes: object = {}) =>
    `${JSON.stringify({ Type: "container", Action, Actor: { ID: id, Attributes } })}\n`;
  const told = (kind: "started" | "died", containerId: string) => ({ kind, containerId });

  async function eventsIn(...parts: readonly (string | Buffer)[]): Promise<readonly RuntimeEvent[]> {
    const { runtime } = await scriptedDocker((socket) => {
      socket.write(CHUNKED);
      for (const part of parts) socket.write(chunk(part));
      socket.end("0\r\n\r\n");
    });
    const seen: RuntimeEvent[] = [];
    await runtime.watchEvents(
      () => {},
      (event) => seen.push(event),
      never,
    );
    return seen;
  }

  test("of five megabytes are read, and those behind them", async () => {
    const wide = line("start", ID, { label: "ü".repeat(2_500_000) });
    expect(await eventsIn(wide, line("die", ID))).toEqual([told("started", ID), told("died", ID)]);
  });

  test("cut inside of a character are read", async () => {
    const [at, whole] = [
      Buffer.byteLength(line("start", ID, { name: "" }).slice(0, -6)) + 1,
      Buffer.from(line("start", ID, { name: "ü€😀" })),
    ];
    for (let cut = at - 3; cut < whole.length; cut += 1)
      expect(await eventsIn(whole.subarray(0, cut), whole.subarray(cut))).toEqual([told("started", ID)]);
  });

  test("that come twice, in another order, by a short id or without one are told as they come; what is odd is left out", async () => {
    const parts = [
      line("die", ID),
      line("start", ID),
      line("start", ID),
      line("start", "c0ffee"),
      '{"Type":"container","Action":"start"}\n',
      "null\n",
      "\n\r\n",
      "7\n",
      line("die", OTHER),
    ];
    expect(await eventsIn(...parts)).toEqual([told("died", ID), told("started", ID), told("started", ID), told("died", OTHER)]);
  });
});
