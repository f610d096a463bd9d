import { once } from "node:events";
import net, { type Socket } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import type { ImdsgateEvent } from "../../src/events.ts";
import { OWN_QUESTION } from "../../src/gateway/answer.ts";
import { type ConnectionContext, serveConnection } from "../../src/gateway/connection.ts";
import { handMovedClock } from "../support/hand-moved-clock.ts";
import { from } from "../support/identity.ts";

/** The gateway's side of a connection on which one whole request has been sent. */
async function requestedSocket(): Promise<Socket> {
  const server = net.createServer({ allowHalfOpen: true }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  const client = net.connect(address !== null && typeof address === "object" ? address.port : 0, "127.0.0.1").on("error", () => {});
  onTestFinished(() => {
    client.destroy();
    server.close();
  });
  client.write("GET /latest/meta-data/ami-id HTTP/1.1\r\nHost: a\r\n\r\n");
  const [socket]: Socket[] = await once(server, "connection");
  if (!socket) throw new Error("nobody connected");
  return socket.on("error", () => {});
}

test.for([
  { whenItsTurnComes: "is there", asked: ["/latest/meta-data/ami-id"], kinds: ["refuse"] },
  { whenItsTurnComes: "has gone away", asked: [], kinds: [] },
])("a request whose client $whenItsTurnComes when its turn comes: asked is $asked", async ({ whenItsTurnComes, asked, kinds }) => {
  const events: ImdsgateEvent[] = [];
  const answered: string[] = [];
  const context: ConnectionContext = {
    clock: handMovedClock(),
    emit: (event) => void events.push(event),
    deniedPaths: [],
    async answer({ head }) {
      answered.push(head.target);
      return OWN_QUESTION;
    },
    speakerOf: async () => undefined,
  };
  const socket = await requestedSocket();
  const turn = async () => void (whenItsTurnComes === "has gone away" && socket.destroy());
  await serveConnection(socket, { source: from("127.0.0.1"), turn }, context);
  expect([answered, events.map(({ kind }) => kind)]).toEqual([asked, kinds]);
});
