import { expect, test } from "vitest";
import { createPage } from "../../src/demo/page.ts";

/** What is written on a page, without a terminal. */
function written(write: (page: ReturnType<typeof createPage>) => void): string {
  const texts: string[] = [];
  write(createPage((text) => texts.push(text)));
  return texts.join("");
}

test("rows stand below one another, with a word for the verdict", () => {
  const long = `GET /${"x".repeat(60)}`;
  const text = written((page) =>
    page.rows([
      { isAsTold: true, speaker: "php", request: "GET /a", outcome: "404" },
      { isAsTold: false, speaker: "the container", request: long, outcome: "got 200" },
      { isAsTold: true, speaker: "cron", request: "was here", outcome: "" },
    ]),
  );
  expect(text.split("\n")).toEqual([
    `   ok    php            GET /a${" ".repeat(long.length - 6)}  404`,
    `   FAIL  the container  ${long}  got 200`,
    "   ok    cron           was here",
    "",
  ]);
});

test("scenes are numbered", () => {
  expect(
    written((page) => {
      page.scene("One");
      page.scene("Two");
    }),
  ).toBe("\n1  One\n\n2  Two\n");
});

test("a long command goes on in the next line as a shell reads it", () => {
  const flags = Array.from({ length: 8 }, (_, k) => `--workload number${k}=10.0.0.${k}`);
  const lines = written((page) => page.command(["imdsgate run", ...flags].join(" ")))
    .trimEnd()
    .split("\n");
  expect(lines.every((line) => line.length <= 110)).toBe(true);
  expect(
    lines
      .join("\n")
      .replaceAll(/ \\\n +/g, " ")
      .trim(),
  ).toBe(`$ imdsgate run ${flags.join(" ")}`);
});

test("columns of a list are as wide as their widest cell", () => {
  expect(
    written((page) =>
      page.list([
        ["a", "1.2.3.4", "x"],
        ["bbbb", "1.1", "y"],
      ]),
    ),
  ).toBe("   a     1.2.3.4  x\n   bbbb  1.1      y\n");
});
