import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, test } from "vitest";
import cases from "../contract/cases.json" with { type: "json" };
import { allPages, codeSpansOf, type Page, pageAt, proseOf, ROOT } from "./pages.ts";

const PAGES = allPages();

describe.for(PAGES)("$path", (page) => {
  test("has no link that leads nowhere", () => expect(brokenLinks(page)).toEqual([]));

  test("names no file of this repository that is not there", () => {
    const named = codeSpansOf(page).filter((code) => /^(?:\.\/)?(?:src|test|scripts|docs|bench)\/[\w./-]*$/.test(code));
    expect(named.filter((path) => !existsSync(join(ROOT, path)))).toEqual([]);
  });
});

test("the pages that readers are led to are there", () => {
  const paths = [
    "CHANGELOG.md",
    "README.md",
    "SECURITY.md",
    ...["README", "architecture", "contract", "credential-management", "credentials", "errors", "flags", "fleet", "policy"].map(
      (name) => `docs/${name}.md`,
    ),
    ...["rules", "security", "troubleshooting"].map((name) => `docs/${name}.md`),
  ];
  expect(PAGES.map(({ path }) => path)).toEqual(expect.arrayContaining(paths));
});

test("each case of the contract that the README names as a proof is one", () => {
  const ids = new Set(cases.cases.map(({ id }) => id));
  const named = codeSpansOf(pageAt("README.md")).filter((code) => /^(?:cred|gate|pass|iam|own|meta|sts|frame)-[\w-]+…?$/.test(code));
  const isCase = (code: string) => (code.endsWith("…") ? [...ids].some((id) => id.startsWith(code.slice(0, -1))) : ids.has(code));
  expect(named.length).toBeGreaterThan(3);
  expect(named.filter((code) => !isCase(code))).toEqual([]);
});

test("a link is followed from the folder of its page, to the heading that it names", () => {
  const text = "[a](contract.md#2-imds-tokens) [b](../README.md) [c](CHANGELOG.md) [d](contract.md#nothing) [e](https://example.com/x)";
  expect(brokenLinks({ path: "docs/page.md", text })).toEqual(["CHANGELOG.md", "contract.md#nothing"]);
});

function brokenLinks(page: Page): readonly string[] {
  const targets = [...proseOf(page).matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = ""]) => target);
  return targets.filter((target) => !/^[a-z]+:/.test(target) && !leadsSomewhere(page, target));
}

function leadsSomewhere(page: Page, target: string): boolean {
  const [file = "", heading] = target.split("#");
  const path = file === "" ? page.path : join(dirname(page.path), file);
  if (!existsSync(join(ROOT, path))) return false;
  return heading === undefined || headingsOf(file === "" ? page : pageAt(path)).includes(heading);
}

/** The headings of a page as GitHub writes them in a link. */
function headingsOf(page: Page): readonly string[] {
  const headings = [...proseOf(page).matchAll(/^#+ (.*)$/gm)].map(([, heading = ""]) => heading);
  return headings.map((heading) =>
    heading
      .toLowerCase()
      .replace(/[^\w\s-]/g, "")
      .replaceAll(" ", "-"),
  );
}

test("docs/README.md leads to every page of that folder", () => {
  const map = proseOf(pageAt("docs/README.md"));
  const pages = PAGES.filter(({ path }) => path.startsWith("docs/") && path !== "docs/README.md").map(({ path }) =>
    path.slice("docs/".length),
  );
  expect(pages.filter((path) => !map.includes(`](${path}`))).toEqual([]);
});
