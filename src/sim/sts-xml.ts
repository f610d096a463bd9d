import type { IssuedCredentials } from "./sts-sessions.ts";

const NAMESPACE = "https://sts.amazonaws.com/doc/2011-06-15/";

/** An AssumedRoleUser and its keys, as AssumeRole answers them. */
export interface AssumeRoleResult {
  readonly credentials: IssuedCredentials;
  /** As it stands in the answer: RFC 3339, with or without a fraction of a second. */
  readonly expiration: string;
  readonly assumedRoleId: string;
  readonly assumedRoleArn: string;
  readonly sourceIdentity: string | undefined;
}

/** The answer to a granted AssumeRole. */
export function assumeRoleXml(result: AssumeRoleResult, requestId: string): string {
  return responseXml(
    "AssumeRole",
    (result.sourceIdentity === undefined ? "" : element("SourceIdentity", escaped(result.sourceIdentity))) +
      element("AssumedRoleUser", element("AssumedRoleId", escaped(result.assumedRoleId)) + element("Arn", escaped(result.assumedRoleArn))) +
      element(
        "Credentials",
        element("AccessKeyId", escaped(result.credentials.accessKeyId)) +
          element("SecretAccessKey", escaped(result.credentials.secretAccessKey)) +
          element("SessionToken", escaped(result.credentials.sessionToken)) +
          element("Expiration", result.expiration),
      ),
    requestId,
  );
}

/** The answer to GetCallerIdentity. */
export function callerIdentityXml(caller: { arn: string; account: string; userId: string }, requestId: string): string {
  return responseXml(
    "GetCallerIdentity",
    element("Arn", escaped(caller.arn)) + element("UserId", escaped(caller.userId)) + element("Account", caller.account),
    requestId,
  );
}

/** An error answer. */
export function errorXml(code: string, message: string, requestId: string): string {
  const error = element("Type", "Sender") + element("Code", escaped(code)) + element("Message", escaped(message));
  return `<ErrorResponse xmlns="${NAMESPACE}">\n${element("Error", error)}${element("RequestId", requestId)}</ErrorResponse>\n`;
}

function responseXml(action: string, result: string, requestId: string): string {
  const metadata = element("ResponseMetadata", element("RequestId", requestId));
  return `<${action}Response xmlns="${NAMESPACE}">\n${element(`${action}Result`, result)}${metadata}</${action}Response>\n`;
}

function element(name: string, content: string): string {
  return `<${name}>${content}</${name}>\n`;
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
