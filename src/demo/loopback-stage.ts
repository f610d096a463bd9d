import type { Endpoint } from "../address.ts";
import { endpointText } from "../address.ts";
import { startImdsgate } from "./imdsgate-program.ts";
import { askInTurn } from "./question.ts";
import type { Speaker, Stage } from "./stage.ts";

/** A stage on 127.0.0.0/8 alone, for machines that give no namespaces: each container is an address. Throws DEMO_FAILED. */
export async function setLoopbackStage(): Promise<Stage> {
  await using made = new AsyncDisposableStack();
  const imds = made.use(await startImdsgate(["sim", "imds", "--listen", "127.0.0.1:0"]));
  const sts = made.use(await startImdsgate(["sim", "sts", "--listen", "127.0.0.1:0"]));
  const containers = {
    fluentd: speakerAt("fluentd", "127.0.1.2"),
    php: speakerAt("php", "127.0.1.3"),
    cron: speakerAt("cron", "127.0.1.4"),
  };
  const imdsEndpoint = onLoopback(imds.port);
  const stsEndpoint = onLoopback(sts.port);

  const owned = made.move();
  return {
    hasRedirect: false,
    containers,
    host: speakerAt("the host", "127.0.0.1"),
    imds: imdsEndpoint,
    sts: stsEndpoint,
    flags: ["--rules", "none", "--listen", "127.0.0.1:0", "--upstream", `http://${endpointText(imdsEndpoint)}`],
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

function speakerAt(name: string, address: string): Speaker {
  return { name, address, ask: (questions) => askInTurn(questions, address) };
}

function onLoopback(port: number): Endpoint {
  return { host: "127.0.0.1", port };
}
