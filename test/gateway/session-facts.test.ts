import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { eventsOf } from "../credentials/scripted.ts";
import { IAM, NOT_FOUND, OWN_TARGETS, request, startIamGateway } from "./iam-gateway.ts";

function fileOf(text: string): string {
  const folder = mkdtempSync(join(tmpdir(), "imdsgate-facts-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const path = join(folder, "config.yaml");
  writeFileSync(path, text);
  return path;
}

/** A gateway whose container `web` has the role `web-role`, with what `lines` say of its sessions. */
function startWith(...lines: readonly string[]) {
  const binding = ["bind:", "  - match: name:web", "    role: team/web-role", ...lines.map((line) => `    ${line}`), ""];
  return startIamGateway({ flags: { config: fileOf(binding.join("\n")), bind: undefined } });
}

test("what the audit line tells of a vend is what STS was asked for, and so what CloudTrail shows", async () => {
  const { ask, sts, events } = await startWith(
    'sessionName: "{workload}@fleet"',
    'sourceIdentity: "{workload}-id"',
    "tags: { team: blue }",
    "duration: 900",
  );
  const answer = await ask(request(`${IAM}/security-credentials/web-role`));
  const [, accessKeyId] = /"AccessKeyId" : "(\w+)"/.exec(answer) ?? [];
  const [asked, ...others] = sts.calls.filter(({ parameters }) => parameters["Action"] === "AssumeRole");
  expect(others).toEqual([]);
  expect(
    eventsOf(events, "vend").map(({ roleArn, sessionName, sourceIdentity, binding, ...vend }) => [
      roleArn,
      sessionName,
      sourceIdentity,
      binding,
      vend.accessKeyId,
    ]),
  ).toEqual([["arn:aws:iam::111122223333:role/team/web-role", "web@fleet", "web-id", "name:web=team/web-role", accessKeyId]]);
  expect(asked).toMatchObject({
    outcome: "ok",
    parameters: {
      RoleArn: "arn:aws:iam::111122223333:role/team/web-role",
      RoleSessionName: "web@fleet",
      SourceIdentity: "web-id",
      "Tags.member.1.Key": "team",
      "Tags.member.1.Value": "blue",
      DurationSeconds: "900",
    },
  });
});

test("a container whose tags cannot be made has no IAM tree, and the audit line says why (X6)", async () => {
  const { ask, sts, events } = await startWith('tags: { team: "{label:team}" }');
  for (const target of OWN_TARGETS) expect(await ask(request(target))).toBe(NOT_FOUND);
  expect(await ask(request("/latest/meta-data/"))).not.toContain("iam/");
  expect(sts.calls).toEqual([]);
  expect(
    eventsOf(events, "refuse").map(({ reason, roleArn, binding, detail, workload }) => ({
      reason,
      roleArn,
      binding,
      detail,
      workload: workload?.name,
    })),
  ).toEqual(
    OWN_TARGETS.map(() => ({
      reason: "unfit-session",
      roleArn: "arn:aws:iam::111122223333:role/team/web-role",
      binding: "name:web=team/web-role",
      detail: 'the tag "team" needs {label:team}, and this workload has none',
      workload: "web",
    })),
  );
});

test("with --session-scope role the containers of a role share a session, and the audit line keeps them apart", async () => {
  const flags = {
    workload: ["web=127.0.0.1", "api=127.0.0.2"],
    bind: ["name:*=team/web-role"],
    "session-scope": "role",
    "session-name": "fleet@{host}",
  };
  const { ask, sts, events } = await startIamGateway({ flags });
  await ask(request(`${IAM}/security-credentials/web-role`));
  await ask(request(`${IAM}/security-credentials/web-role`), "127.0.0.2");
  expect(sts.calls.filter(({ parameters }) => parameters["Action"] === "AssumeRole")).toHaveLength(1);
  const vends = eventsOf(events, "vend");
  expect(vends.map(({ workload }) => workload.name)).toEqual(["web", "api"]);
  expect(new Set(vends.map(({ sessionName, accessKeyId }) => `${sessionName} ${accessKeyId}`)).size).toBe(1);
});
