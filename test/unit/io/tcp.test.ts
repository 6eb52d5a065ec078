/** TCP links pass the suite that every transport passes, and say what went wrong in words. */
import { createServer } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { systemClock } from "../../../src/io/clock.ts";
import { type Listener, listen, TcpTransport } from "../../../src/io/tcp.ts";
import { type LinkWorld, linkConformance } from "../../conformance/links.ts";
import { until } from "../../support/until.ts";

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const port = (server.address() as { port: number }).port;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

linkConformance("TCP", (): LinkWorld => {
  const listeners: Listener[] = [];
  return {
    transport: new TcpTransport(systemClock),
    async listen(accept) {
      const listener = await listen({ address: "127.0.0.1:0", clock: systemClock, accept });
      listeners.push(listener);
      return listener.address;
    },
    async unusedAddress() {
      return `127.0.0.1:${await freePort()}`;
    },
    until,
    async close() {
      for (const listener of listeners) await listener.close();
    },
  };
});

describe("listen", () => {
  let listener: Listener | undefined;
  afterEach(async () => {
    await listener?.close();
    listener = undefined;
  });

  it("names the real port, refuses a taken one in words, and frees it on close", async () => {
    listener = await listen({ address: "127.0.0.1:0", clock: systemClock, accept: () => undefined });
    expect(listener.address).toMatch(/^127\.0\.0\.1:[1-9]\d*$/);
    const again = { address: listener.address, clock: systemClock, accept: () => undefined };
    await expect(listen(again)).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
      message: `${listener.address} is in use by another program (or node)`,
    });
    await listener.close();
    listener = await listen(again);
    expect(listener.address).toBe(again.address);
  });

  it("refuses a malformed address", async () => {
    const options = { address: "nowhere", clock: systemClock, accept: () => undefined };
    await expect(listen(options)).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  });
});
