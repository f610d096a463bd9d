import { Socket } from "node:net";
import { onTestFinished, vi } from "vitest";

/** Each TCP destination (`host:port`) that this process dials from now on; what is not 127.0.0.1 is noted and refused. */
export function watchDials(): readonly string[] {
  const dialled: string[] = [];
  const connect = Socket.prototype.connect;
  const spy = vi.spyOn(Socket.prototype, "connect").mockImplementation(function (this: Socket, ...call: unknown[]) {
    const { host, port } = destinationOf(call);
    dialled.push(`${host}:${port}`);
    if (host === "127.0.0.1") return Reflect.apply(connect, this, call);
    // TLS is still putting the socket together.
    process.nextTick(() => this.destroy(new Error(`the test does not dial ${host}`)));
    return this;
  });
  onTestFinished(() => spy.mockRestore());
  return dialled;
}

/** Of the shapes that `connect` takes, the HTTP client uses this one: options first, by themselves or in a list. */
function destinationOf(call: unknown[]): { readonly host: unknown; readonly port: unknown } {
  const [options] = call.flat();
  const at = (key: string): unknown => (typeof options === "object" && options !== null ? Reflect.get(options, key) : undefined);
  return { host: at("host"), port: at("port") };
}
