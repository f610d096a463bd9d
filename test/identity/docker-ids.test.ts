import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { readContainerIds, readJoinerIds, readNamespaceOwners } from "../../src/identity/docker-ids.ts";

const ID = "c0ffee".padEnd(64, "0");
const OTHER = "beef".padEnd(64, "0");

async function* cut(text: string, size: number): AsyncGenerator<Buffer> {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

const idsIn = (text: string, size = text.length || 1) => readContainerIds(cut(text, size));

describe("the ids of a list", () => {
  test("are those of its items, each once, without what is none", async () => {
    const answer = [
      { Id: ID },
      { Id: OTHER },
      { Id: ID },
      { Id: "web" },
      { Id: ID.toUpperCase() },
      { Id: 7 },
      {},
      null,
      "x",
      [{ Id: "y" }],
    ];
    expect(await idsIn(JSON.stringify(answer))).toEqual([ID, OTHER]);
  });

  test.for([
    { name: "in a label", item: { Labels: { Id: OTHER }, Id: ID } },
    { name: "as a value", item: { Image: "Id", Command: OTHER, Id: ID } },
    { name: "in a list", item: { Names: ["Id", OTHER], Id: ID } },
    { name: "in a text", item: { Command: `","Id":"${OTHER}`, Id: ID } },
    { name: "behind a backslash", item: { Command: `\\","Id":"${OTHER}\\`, Id: ID } },
    { name: "in a longer text", item: { Other: `${OTHER}0`, Id: ID } },
    { name: "of a map", item: { Id: { Id: OTHER }, Image: OTHER, id: OTHER } },
  ])("are not what looks so $name", async ({ item }) => {
    const ids = "Id" in item && item.Id === ID ? [ID] : [];
    expect(await idsIn(JSON.stringify([item]))).toEqual(ids);
    expect(await idsIn(JSON.stringify([item], undefined, 2), 1)).toEqual(ids);
  });

  test.for([
    "",
    "null",
    "{}",
    `{"Id":"${ID}"}`,
    `[{"Id":"${ID}"}`,
    `[{"Id":"${ID}`,
    '"[]"',
    "<html>[]</html",
    "[]]",
    "[{]}{}",
    "[][]",
    "[1]x",
    "x[1]",
  ])("are not in %s", async (text) => expect(await idsIn(text)).toBe(undefined));

  test("are found among containers with ten megabytes of labels each, which are not held", async () => {
    const label = "x".repeat(10 * 1024 * 1024);
    async function* answer() {
      yield Buffer.from("[");
      for (let n = 0; n < 8; n += 1) {
        yield Buffer.from(`${n === 0 ? "" : ","}{"Id":"${`${n}`.padEnd(64, "a")}","Labels":{"a":"`);
        yield Buffer.from(label);
        yield Buffer.from('"}}');
      }
      yield Buffer.from("]");
    }
    expect(await readContainerIds(answer())).toEqual(Array.from({ length: 8 }, (_, n) => `${n}`.padEnd(64, "a")));
  });

  test("of those that join another's network namespace are told apart, wherever the mode stands", async () => {
    const mode = `container:${OTHER}`;
    const items = [
      { Id: ID, HostConfig: { NetworkMode: mode } },
      { HostConfig: { NetworkMode: mode }, Id: OTHER },
      { Id: "a".repeat(64), HostConfig: { NetworkMode: "bridge" }, Labels: { note: mode } },
      { Id: "b".repeat(64), NetworkMode: mode },
      { Id: "web", HostConfig: { NetworkMode: mode } },
    ];
    expect(await readJoinerIds(cut(JSON.stringify(items), 7))).toEqual([ID, OTHER]);
    expect(await readNamespaceOwners(cut(JSON.stringify(items), 7))).toEqual(
      new Map([
        [ID, OTHER],
        [OTHER, OTHER],
      ]),
    );
  });

  test("of a list without end are given up", async () => {
    const megabyte = Buffer.alloc(1024 * 1024, " ");
    async function* answer() {
      for (let n = 0; n < 150; n += 1) yield megabyte;
    }
    await expect(readContainerIds(answer())).rejects.toThrow("the list of containers is longer than 134217728 bytes");
  });

  test("are those that JSON.parse finds, whatever stands around them and however it is cut", async () => {
    const item = fc.oneof(
      fc.jsonValue(),
      fc.record({ Id: fc.constantFrom(ID, OTHER, "web", 7), Labels: fc.jsonValue(), Names: fc.jsonValue() }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(item), fc.integer({ min: 1, max: 50 }), fc.boolean(), async (items, size, isWide) => {
        const text = JSON.stringify(items, undefined, isWide ? 1 : 0);
        const wanted = items
          .map((one) => (typeof one === "object" && one !== null && "Id" in one ? one.Id : ""))
          .filter((id) => id === ID || id === OTHER);
        expect(await idsIn(text, size)).toEqual([...new Set(wanted)]);
      }),
      { numRuns: 300 },
    );
  });
});
