import { PassThrough } from "node:stream";
import { expect, test } from "vitest";
import { createMessagePipe } from "../../src/handover/message-pipe.ts";
import { handMovedClock } from "../support/hand-moved-clock.ts";

function startPipe() {
  const stream = new PassThrough();
  const clock = handMovedClock();
  return { stream, clock, pipe: createMessagePipe(stream, clock) };
}

test("a message is heard as it was said, however its bytes come", async () => {
  const { stream, pipe } = startPipe();
  const message = { text: "two\nlines, an ümlaut and a \u2028 in it", list: [1, { two: 2 }] };
  const bytes = Buffer.from(`${JSON.stringify(message)}\n"next"\n`);
  for (const byte of bytes) stream.write(Buffer.of(byte));
  expect([await pipe.hear(1_000), await pipe.hear(1_000)]).toEqual([
    { kind: "message", message },
    { kind: "message", message: "next" },
  ]);
});

test("what is said goes out as one line", async () => {
  const stream = new PassThrough();
  const pipe = createMessagePipe(stream, handMovedClock());
  await pipe.say({ text: "two\nlines" });
  expect(await pipe.hear(1_000)).toEqual({ kind: "message", message: { text: "two\nlines" } });
});

test("a line that is no JSON cannot be read, and spoils no other", async () => {
  const { stream, pipe } = startPipe();
  stream.write("{]\n1\n");
  expect([await pipe.hear(1_000), await pipe.hear(1_000)]).toEqual([{ kind: "unreadable" }, { kind: "message", message: 1 }]);
});

test("an end is heard at once, after what was said before it; what was begun counts for nothing", async () => {
  const { stream, pipe } = startPipe();
  const heard = pipe.hear(1_000);
  stream.end("1\n{");
  expect(await heard).toEqual({ kind: "message", message: 1 });
  expect(await pipe.hear(1_000)).toEqual({ kind: "ended" });
  await pipe.ended;
});

test("silence is late", async () => {
  const { clock, pipe } = startPipe();
  const heard = pipe.hear(1_000);
  clock.advance(1_000);
  expect(await heard).toEqual({ kind: "late" });
});

test("who stops listening hears nothing more", async () => {
  const { pipe } = startPipe();
  const stop = new AbortController();
  const heard = pipe.hear(1_000, stop.signal);
  stop.abort();
  expect(await heard).toEqual({ kind: "late" });
});
