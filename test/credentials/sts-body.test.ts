import type { ServerResponse } from "node:http";
import { describe, expect, test } from "vitest";
import { awsSts } from "../../src/credentials/sts.ts";
import { collectAnswer } from "../../src/credentials/sts-body.ts";
import { startHttpStub } from "./http-stub.ts";
import { BASE } from "./scripted.ts";

const LIMIT = 1_048_576;
const CALLER = "arn:aws:sts::111122223333:assumed-role/host/i-0";
const TOO_LONG = "GetCallerIdentity failed: the answer is longer than 1 MiB; check --sts-endpoint";

function answerXml(prolog = "", arn = CALLER): string {
  return `${prolog}<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>${arn}</Arn></GetCallerIdentityResult></GetCallerIdentityResponse>`;
}

/** What the door makes of an STS that answers so, and the connection it came on. */
async function callerFrom(answer: (response: ServerResponse) => void) {
  const stub = await startHttpStub(answer);
  const asked = awsSts(`http://127.0.0.1:${stub.port}`).callerArn(BASE, "eu-central-1", new AbortController().signal);
  const outcome = asked.catch(({ code, message }: { code: string; message: string }) => ({ code, message }));
  const line = await stub.connected;
  return { outcome, gone: new Promise((resolve) => line.on("close", resolve)) };
}

/** Writes without an end, as fast as it is read, until the reader leaves. */
function writeForEver(response: ServerResponse): void {
  const piece = Buffer.alloc(65_536, " ");
  const write = () => {
    while (!response.destroyed && response.write(piece));
  };
  response.on("drain", write);
  write();
}

describe("an answer of STS", () => {
  test("of 1 MiB is read", async () => {
    const xml = answerXml();
    const { outcome } = await callerFrom((response) => response.end(xml + " ".repeat(LIMIT - xml.length)));
    expect(await outcome).toBe(CALLER);
  });

  test.for([200, 403, 503])("with status %d that never ends is cut, and its connection closed", async (status) => {
    const { outcome, gone } = await callerFrom((response) => {
      response.writeHead(status, { "content-type": "text/xml" });
      writeForEver(response);
    });
    expect(await outcome).toEqual({ code: "STS_ANSWER_BAD", message: TOO_LONG });
    await gone;
  });

  test("one byte too long is cut", async () => {
    const xml = answerXml();
    const { outcome } = await callerFrom((response) => response.end(xml + " ".repeat(LIMIT + 1 - xml.length)));
    expect(await outcome).toEqual({ code: "STS_ANSWER_BAD", message: TOO_LONG });
  });

  test("with entities that grow without an end is not one", async () => {
    const entities = Array.from({ length: 20 }, (_, level) => `<!ENTITY e${level + 1} "${`&e${level};`.repeat(10)}">`).join("");
    const { outcome } = await callerFrom((response) => response.end(answerXml(`<!DOCTYPE x [<!ENTITY e0 "x">${entities}]>`, "&e20;")));
    expect(await outcome).toMatchObject({ code: "STS_ANSWER_BAD" });
  });

  test("in pieces of a byte is put together as it came, and takes no more memory for that", async () => {
    async function* pieces() {
      for (let at = 0; at < LIMIT; at += 1) yield Uint8Array.of(at % 251);
    }
    const collected = await collectAnswer(pieces());
    expect(Buffer.from(collected).equals(Buffer.from(Array.from({ length: LIMIT }, (_, at) => at % 251)))).toBe(true);
    expect(collected.buffer.byteLength).toBe(LIMIT);
  });
});
