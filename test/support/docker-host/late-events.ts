// late-events.ts SOCKET: stands before Docker's socket and passes everything on, but for events: those never come. Prints one line when it listens.
import { connect, createServer, type Socket } from "node:net";

const [socketPath = ""] = process.argv.slice(2);

createServer((client) => {
  const docker = connect("/var/run/docker.sock");
  let asksForEvents = false;
  client.on("data", (data) => {
    asksForEvents ||= /^GET \/(?:v[\d.]+\/)?events/m.test(data.toString("latin1"));
    docker.write(data);
  });
  let isHeld = false;
  docker.on("data", (data) => {
    if (!isHeld) client.write(data);
    isHeld ||= asksForEvents;
  });
  endTogether(client, docker);
}).listen(socketPath, () => process.stdout.write("late events\n"));

function endTogether(one: Socket, other: Socket): void {
  one.on("close", () => other.destroy()).on("error", () => other.destroy());
  other.on("close", () => one.end()).on("error", () => one.destroy());
}
