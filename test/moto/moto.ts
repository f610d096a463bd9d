import { join } from "node:path";
import type { BaseCredentials } from "../../src/credentials/assume-role.ts";
import { startProgram } from "../support/docker-host/running-program.ts";

const PROGRAMS = join(import.meta.dirname, "../../.tools/venv/bin");
const ACCOUNT = "123456789012";

/** moto's Python, with botocore in it. */
export const PYTHON = join(PROGRAMS, "python");

/** What moto remembers of a session that it made. */
interface MotoSession {
  readonly session_name: string;
  readonly external_id: string | null;
  readonly policy: string | null;
}

/** AWS on loopback with IAM enforced but for what is asked through this value. */
export interface Moto {
  readonly endpoint: string;
  /** Makes a user who may assume every role, and gives his keys. */
  user(name: string): Promise<BaseCredentials & { readonly arn: string }>;
  /** Makes a role with such a trust policy, or gives it that one, and gives its ARN. */
  role(name: string, trustStatements: readonly object[]): Promise<string>;
  /** The sessions of all roles so far. */
  sessions(): Promise<readonly MotoSession[]>;
  stop(): Promise<void>;
}

/** Starts moto on a free port of loopback. */
export async function startMoto(): Promise<Moto> {
  const env = { INITIAL_NO_AUTH_ACTION_COUNT: "0" };
  const program = startProgram({ program: join(PROGRAMS, "moto_server"), args: ["-H", "127.0.0.1", "-p", "0"], env });
  const stop = async () => {
    await program.stop("SIGKILL");
  };
  const [, endpoint = ""] = await program.printed(/Running on (http:\/\/127\.0\.0\.1:\d+)/).catch(async (error: unknown) => {
    await stop();
    throw error;
  });

  /** `act` with nothing enforced. */
  const asAdmin = async <T>(act: () => Promise<T>): Promise<T> => {
    const allow = (actions: string) => post(`${endpoint}/moto-api/reset-auth`, { "content-type": "text/plain" }, actions);
    await allow("1000000");
    try {
      return await act();
    } finally {
      await allow("0");
    }
  };
  const iam = (action: string, parameters: Readonly<Record<string, string>>) => {
    const authorization = "AWS4-HMAC-SHA256 Credential=root/20261124/us-east-1/iam/aws4_request, SignedHeaders=host, Signature=0";
    const body = new URLSearchParams({ Action: action, Version: "2010-05-08", ...parameters }).toString();
    return post(endpoint, { authorization, "content-type": "application/x-www-form-urlencoded" }, body);
  };

  return {
    endpoint,
    user: (name) =>
      asAdmin(async () => {
        await iam("CreateUser", { UserName: name });
        const statement = { Effect: "Allow", Action: "sts:AssumeRole", Resource: "*" };
        await iam("PutUserPolicy", { UserName: name, PolicyName: "assume", PolicyDocument: policyOf([statement]) });
        const xml = await iam("CreateAccessKey", { UserName: name });
        const part = (tag: string) => new RegExp(`<${tag}>(.*)</${tag}>`).exec(xml)?.[1] ?? "";
        const keys = { accessKeyId: part("AccessKeyId"), secretAccessKey: part("SecretAccessKey"), sessionToken: undefined };
        return { ...keys, expiresAt: undefined, source: "environment", arn: `arn:aws:iam::${ACCOUNT}:user/${name}` };
      }),
    role: (name, trustStatements) =>
      asAdmin(async () => {
        const trust = policyOf(trustStatements);
        const made = iam("CreateRole", { RoleName: name, AssumeRolePolicyDocument: trust });
        await made.catch(() => iam("UpdateAssumeRolePolicy", { RoleName: name, PolicyDocument: trust }));
        return `arn:aws:iam::${ACCOUNT}:role/${name}`;
      }),
    sessions: () =>
      asAdmin(async () => {
        const response = await fetch(`${endpoint}/moto-api/data.json`);
        return JSON.parse(await response.text()).sts.AssumedRole;
      }),
    stop,
  };
}

function policyOf(statements: readonly object[]): string {
  return JSON.stringify({ Version: "2012-10-17", Statement: statements });
}

/** The answer's text; rejects with it when the status is not 200. */
async function post(url: string, headers: Readonly<Record<string, string>>, body: string): Promise<string> {
  const response = await fetch(url, { method: "POST", headers, body });
  const text = await response.text();
  if (response.status !== 200) throw new Error(`${url}: ${response.status} ${text}`);
  return text;
}
