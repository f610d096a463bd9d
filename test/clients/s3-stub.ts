// s3-stub.ts HOST PORT STS_ENDPOINT: an S3 of one bucket with one object, `whoami`, that tells its reader who he is: {"arn", "key"}. Who that is, STS is asked;
// whom it refuses, is refused here. Prints one line when it listens.
import { createServer, type ServerResponse } from "node:http";

const [host = "", port = "", stsEndpoint = ""] = process.argv.slice(2);
const ABOUT_OBJECT = {
  "Content-Type": "text/plain",
  "Last-Modified": "Tue, 24 Nov 2026 02:00:00 GMT",
  ETag: '"0123456789abcdef0123456789abcdef"',
};

createServer(async (request, response) => {
  const { pathname } = new URL(request.url ?? "/", "http://s3");
  const key = /Credential=([^/]+)\//.exec(request.headers.authorization ?? "")?.[1] ?? "";
  const caller = await callerOf(key);
  if (caller.arn === undefined) return answerError(response, 403, caller.code ?? "AccessDenied");
  const object = `${JSON.stringify({ arn: caller.arn, key })}\n`;
  if (pathname.endsWith("/whoami")) return answerObject(response, request.method, object);
  const isBucket = pathname.split("/").filter((segment) => segment !== "").length <= 1;
  return isBucket ? answerXml(response, 200, listingOf(object)) : answerError(response, 404, "NoSuchKey");
}).listen(Number(port), host, () => console.log("s3 ready"));

function listingOf(object: string): string {
  const entry = `<Key>whoami</Key><LastModified>2026-11-24T02:00:00.000Z</LastModified><ETag>${ABOUT_OBJECT.ETag}</ETag><Size>${object.length}</Size>`;
  const head = "<Name>bucket</Name><Prefix></Prefix><KeyCount>1</KeyCount><MaxKeys>1000</MaxKeys><IsTruncated>false</IsTruncated>";
  return `<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${head}<Contents>${entry}</Contents></ListBucketResult>`;
}

async function callerOf(key: string): Promise<{ readonly arn: string | undefined; readonly code: string | undefined }> {
  const answer = await fetch(`${stsEndpoint}/?Action=GetCallerIdentity&Version=2011-06-15`, {
    headers: { Authorization: `AWS4-HMAC-SHA256 Credential=${key}/` },
  });
  const xml = await answer.text();
  return { arn: /<Arn>(.*)<\/Arn>/.exec(xml)?.[1], code: /<Code>(.*)<\/Code>/.exec(xml)?.[1] };
}

function answerObject(response: ServerResponse, method: string | undefined, text: string): void {
  response.writeHead(200, { ...ABOUT_OBJECT, "Content-Length": text.length }).end(method === "HEAD" ? "" : text);
}

function answerError(response: ServerResponse, status: number, code: string): void {
  answerXml(response, status, `<Error><Code>${code}</Code><Message>${code}</Message></Error>`);
}

function answerXml(response: ServerResponse, status: number, xml: string): void {
  response.writeHead(status, { "Content-Type": "application/xml" }).end(`<?xml version="1.0" encoding="UTF-8"?>\n${xml}`);
}
