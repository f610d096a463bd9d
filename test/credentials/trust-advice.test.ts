import { describe, expect, test } from "vitest";
import { type RoleUse, trustAdviceFor } from "../../src/credentials/trust-advice.ts";

const HOST = "arn:aws:sts::111122223333:assumed-role/host/i-0abc";
const PATH_HINT =
  "A session's ARN leaves out the path of its role: if that has one, the principal is what this shows: aws iam get-role --role-name host --query Role.Arn.";
const THERE_ALREADY = "If it is there already, look for an external id that it asks for, a Deny, a permissions boundary or an SCP.";

function useOf(over: Partial<RoleUse> = {}): RoleUse {
  return { roleArn: "arn:aws:iam::111122223333:role/team/app", externalId: undefined, hasTags: false, hasSourceIdentity: false, ...over };
}

function principalFor(callerArn: string | undefined): unknown {
  return JSON.parse(trustAdviceFor(useOf(), callerArn).trustStatements)[0].Principal.AWS;
}

describe("the advice for a role that may not be assumed", () => {
  test("names the role behind the caller's session, and says where a path is missing", () => {
    expect(trustAdviceFor(useOf(), HOST)).toEqual({
      roleArn: "arn:aws:iam::111122223333:role/team/app",
      callerArn: HOST,
      trustStatements: '[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:role/host"},"Action":"sts:AssumeRole"}]',
      identityStatement: undefined,
      hint: `${PATH_HINT} ${THERE_ALREADY}`,
    });
  });

  test("allows tags and a source identity where they are used", () => {
    const actions = (use: Partial<RoleUse>) => JSON.parse(trustAdviceFor(useOf(use), HOST).trustStatements)[0].Action;
    expect(actions({ hasTags: true })).toEqual(["sts:AssumeRole", "sts:TagSession"]);
    expect(actions({ hasSourceIdentity: true })).toEqual(["sts:AssumeRole", "sts:SetSourceIdentity"]);
    expect(actions({ hasTags: true, hasSourceIdentity: true })).toEqual(["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"]);
  });

  test("asks for the external id, on sts:AssumeRole alone", () => {
    const { trustStatements, hint } = trustAdviceFor(useOf({ externalId: "partner-7f3a", hasTags: true, hasSourceIdentity: true }), HOST);
    const Principal = { AWS: "arn:aws:iam::111122223333:role/host" };
    const Condition = { StringEquals: { "sts:ExternalId": "partner-7f3a" } };
    expect(JSON.parse(trustStatements)).toEqual([
      { Effect: "Allow", Principal, Action: "sts:AssumeRole", Condition },
      { Effect: "Allow", Principal, Action: ["sts:TagSession", "sts:SetSourceIdentity"] },
    ]);
    expect(hint).toBe(`${PATH_HINT} If it is there already, look for a Deny, a permissions boundary or an SCP.`);
  });

  test("says what a caller in another account needs besides", () => {
    const roleArn = "arn:aws:iam::999999999999:role/app";
    const { identityStatement, hint } = trustAdviceFor(useOf({ roleArn, hasTags: true }), HOST);
    expect(JSON.parse(identityStatement ?? "")).toEqual({
      Effect: "Allow",
      Action: ["sts:AssumeRole", "sts:TagSession"],
      Resource: roleArn,
    });
    expect(hint).toBe(`${PATH_HINT} The role is in another account, so the caller's own policies have to allow it too. ${THERE_ALREADY}`);
  });

  test.for([
    { caller: "arn:aws-us-gov:sts::111122223333:assumed-role/host/i-0abc", principal: "arn:aws-us-gov:iam::111122223333:role/host" },
    { caller: "arn:aws-cn:sts::111122223333:assumed-role/host/i-0abc", principal: "arn:aws-cn:iam::111122223333:role/host" },
    { caller: "arn:aws-iso-b:sts::111122223333:assumed-role/host/i-0abc", principal: "arn:aws-iso-b:iam::111122223333:role/host" },
    { caller: "arn:aws:iam::111122223333:user/ops/jane", principal: "arn:aws:iam::111122223333:user/ops/jane" },
    { caller: "arn:aws:sts::111122223333:federated-user/jane", principal: "arn:aws:sts::111122223333:federated-user/jane" },
    { caller: "arn:aws:iam::111122223333:root", principal: "arn:aws:iam::111122223333:root" },
    { caller: undefined, principal: "ARN-OF-IMDSGATE" },
    { caller: "", principal: "ARN-OF-IMDSGATE" },
    { caller: 'arn:aws:sts::111122223333:assumed-role/host/i-0abc" x', principal: "ARN-OF-IMDSGATE" },
  ])("names $principal for $caller", ({ caller, principal }) => {
    expect(principalFor(caller)).toBe(principal);
  });

  test("says how a caller that nobody knows is found out", () => {
    expect(trustAdviceFor(useOf(), undefined)).toMatchObject({
      callerArn: undefined,
      identityStatement: undefined,
      hint: `In the place of ARN-OF-IMDSGATE comes the ARN of imdsgate's own role or user, not that of a session; it follows from: aws sts get-caller-identity. ${THERE_ALREADY}`,
    });
  });

  test("does not repeat what is no caller's ARN", () => {
    expect(trustAdviceFor(useOf(), "arn:aws:iam::111122223333:user/a\u001b[2J")).toMatchObject({ callerArn: undefined });
  });

  test("says that the root user can assume no role", () => {
    expect(trustAdviceFor(useOf(), "arn:aws:iam::111122223333:root").hint).toBe(
      `The root user of an account can assume no role: give imdsgate other keys. ${THERE_ALREADY}`,
    );
  });
});
