/** UDP sockets pass the suite that every carrier of datagrams passes, and say what went wrong in words. */
import { createSocket } from "node:dgram";
import { describe, expect, it } from "vitest";
import { systemClock } from "../../../src/io/clock.ts";
import { bindUdp, type UdpDatagrams } from "../../../src/io/udp.ts";
import { datagramConformance } from "../../conformance/datagrams.ts";
import { until } from "../../support/until.ts";

datagramConformance("UDP", () => {
  const sockets: UdpDatagrams[] = [];
  return {
    async bind() {
      const socket = await bindUdp({ address: "127.0.0.1:0", clock: systemClock });
      sockets.push(socket);
      return { socket, address: socket.address };
    },
    async unusedAddress() {
      const socket = await bindUdp({ address: "127.0.0.1:0", clock: systemClock });
      await socket.close();
      return socket.address;
    },
    until,
    async close() {
      for (const socket of sockets) await socket.close();
    },
  };
});

describe("bindUdp", () => {
  it("refuses a taken or malformed address in words, and frees the port on close", async () => {
    const socket = await bindUdp({ address: "127.0.0.1:0", clock: systemClock });
    const again = { address: socket.address, clock: systemClock };
    await expect(bindUdp(again)).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
      message: `${socket.address} is in use (UDP) by another program (or node)`,
    });
    await expect(bindUdp({ address: "nowhere", clock: systemClock })).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
    });
    await socket.close();
    await socket.close();
    const next = await bindUdp(again);
    expect(next.address).toBe(socket.address);
    await next.close();
  });

  it("finds hosts by name, once the name is looked up", async () => {
    const near = await bindUdp({ address: "127.0.0.1:0", clock: systemClock });
    const far = await bindUdp({ address: "127.0.0.1:0", clock: systemClock });
    const port = far.address.split(":")[1] as string;
    let received = 0;
    far.attach({
      onDatagram() {
        received += 1;
      },
    });
    await until(
      () => received > 0,
      () => near.send(`localhost:${port}`, Uint8Array.of(1)),
    );
    await near.close();
    await far.close();
  });

  it("drops rather than queues without end", async () => {
    const near = await bindUdp({ address: "127.0.0.1:0", clock: systemClock });
    const sink = createSocket("udp4");
    await new Promise<void>((resolve) => sink.bind(0, "127.0.0.1", resolve));
    for (let i = 0; i < 2_000; i += 1) near.send(`127.0.0.1:${sink.address().port}`, new Uint8Array(100));
    expect(near.counters.dropped).toBeGreaterThanOrEqual(2_000 - 1_024);
    await until(() => near.counters.sent + near.counters.dropped === 2_000);
    sink.close();
    await near.close();
  });
});
