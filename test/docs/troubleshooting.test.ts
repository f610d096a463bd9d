import { execFile } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { runSim } from "../../src/commands/sim.ts";
import { SIM_INSTANCE_ROLE } from "../../src/sim/instance-facts.ts";
import { codeSpansOf, pageAt, ROOT } from "./pages.ts";

const PAGE = pageAt("docs/troubleshooting.md");
const EVENTS = readFileSync(join(ROOT, "src/events.ts"), "utf8");
const FINDINGS = readFileSync(join(ROOT, "src/doctor/findings.ts"), "utf8");
const hasCurl = process.env["PATH"]?.split(":").some((folder) => existsSync(join(folder, "curl"))) === true;
const QUESTION = "docker exec php sh -c ";

describe("docs/troubleshooting.md", () => {
  test("has every reason of a refusal, and no other", () => {
    const [, union = ""] = /type RefusalReason =\n([\s\S]*?);/.exec(EVENTS) ?? [];
    const reasons = [...union.matchAll(/"([a-z-]+)"/g)].map(([, reason = ""]) => reason);
    const [, table = ""] = /^## The reasons\n([\s\S]*)/m.exec(PAGE.text) ?? [];
    const rows = [...table.matchAll(/^\| (`.*?`) \| /gm)].flatMap(([, cell = ""]) => cell.replaceAll("`", "").split(", "));
    expect(reasons.length).toBeGreaterThan(15);
    expect(rows.sort()).toEqual(reasons.sort());
  });

  test("names checks of imdsgate doctor, and events, that there are", () => {
    const checks = [...FINDINGS.matchAll(/\((?:\n\s+)?"([A-Z_0-9]+)"/g)].map(([, code = ""]) => code);
    const named = [...PAGE.text.matchAll(/`doctor`: ([A-Z_]+)/g)].map(([, code = ""]) => code);
    expect(named.length).toBeGreaterThan(3);
    expect(named.filter((code) => !checks.includes(code))).toEqual([]);
    const kinds = [...EVENTS.matchAll(/kind: "([a-z-]+)"/g)].map(([, kind = ""]) => kind);
    const events = codeSpansOf(PAGE).filter((code) =>
      /^(?:rules|runtime|base-credentials|guard|host|role|address|connection)-[a-z-]+$/.test(code),
    );
    expect(events.length).toBeGreaterThan(5);
    expect(events.filter((code) => !kinds.includes(code) && !EVENTS.includes(`| "${code}"`) && code !== "host-role")).toEqual([]);
  });

  test.skipIf(!hasCurl)("asks as an SDK does: its question works as it stands, but for container and address (needs curl)", async () => {
    const question = PAGE.text.split("\n").find((line) => line.trim().startsWith(QUESTION)) ?? "";
    const script = question.trim().slice(QUESTION.length + 1, -1);
    const stop = new AbortController();
    const ready = Promise.withResolvers<string>();
    const io = { out: ready.resolve, err: () => {}, isTerminal: false, signal: stop.signal, environment: {} };
    const ended = runSim({ listen: "127.0.0.1:0", tokens: "required", refuse: [], canary: "", service: "imds" }, io);
    try {
      const [, port = ""] = /127\.0\.0\.1:(\d+)/.exec(await ready.promise) ?? [];
      const { stdout } = await promisify(execFile)("sh", ["-c", script.replaceAll("169.254.169.254", `127.0.0.1:${port}`)]);
      expect(stdout).toMatch(new RegExp(`^HTTP/1.1 200 OK\\r\\n[\\s\\S]*\\r\\n\\r\\n${SIM_INSTANCE_ROLE.name}$`));
    } finally {
      stop.abort();
      await ended;
    }
  });
});
