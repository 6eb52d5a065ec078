/** Connecting and closing: from seed nodes to a ring, and back to nothing. */
import { describe, expect, it } from "vitest";
import { never } from "../../../src/base/time.ts";
import { FrameType } from "../../../src/wire/frame-types.ts";
import { ClientWorld, ringOf, testCluster } from "../../support/client-world.ts";

describe("connecting", () => {
  it("takes the ring from the first seed node that answers, and keeps that connection", async () => {
    const world = new ClientWorld();
    world.node(1).mode = "down";
    const client = await world.open();
    expect(client.ring.epoch).toBe(1);
    expect(world.nodes.map((node) => node.dials)).toEqual([1, 1, 0]);
    await world.settle(client.bucket("b").get("k"));
    expect(world.node(2).dials).toBe(1);
  });

  it("passes over a seed node that takes the connection and says nothing", async () => {
    const world = new ClientWorld();
    world.node(1).mode = "hang";
    const client = await world.open();
    expect(client.ring.epoch).toBe(1);
    expect(world.node(2).dials).toBe(1);
  });

  it("asks again while the seed node has no ring yet", async () => {
    const world = new ClientWorld();
    const ring = world.node(1).ring;
    world.node(1).ring = undefined;
    const client = world.dial({ seedNodes: ["node-1:7401"] });
    await world.run(500_000);
    world.node(1).ring = ring;
    await world.settle(client.whenOpen);
    expect(world.node(1).of(FrameType.FETCH_RING).length).toBeGreaterThan(2);
  });

  it("says for every seed node why it was no use", async () => {
    const world = new ClientWorld();
    world.node(1).mode = "down";
    world.node(2).mode = "hang";
    const error = await world.failure(world.dial({ seedNodes: ["node-1:7401", "node-2:7401", "nobody:1"] }).whenOpen);
    expect(error.code).toBe("CONNECTION_LOST");
    expect(error.message).toBe(
      "no seed node gave the ring: node-1:7401 refused the connection; node-2:7401 did not answer in time; " +
        "nobody:1 refused the connection",
    );
    expect(world.alarm).toBe(never);
  });

  it("gives up after connectTimeoutMs when no seed node ever has a ring", async () => {
    const world = new ClientWorld();
    for (const node of world.nodes) node.ring = undefined;
    const begun = world.now();
    const error = await world.failure(world.dial({ connectTimeoutMs: 700 }).whenOpen);
    expect(error.message).toContain("node-3:7401 has no ring yet");
    expect(world.now() - begun).toBeLessThan(1_000_000);
  });

  it("refuses another cluster, at once", async () => {
    const world = new ClientWorld();
    const error = await world.failure(world.dial({ clusterId: "ee".repeat(16) }).whenOpen);
    expect(error.code).toBe("WRONG_CLUSTER");
    expect(error.message).toContain("not the same cluster");
    expect(world.node(2).dials).toBe(0);
  });

  it("accepts the cluster that it was told to expect", async () => {
    const client = await new ClientWorld().open({ clusterId: testCluster });
    expect(client.ring.clusterId).toBe(testCluster);
  });

  it.each([
    [{ seedNodes: [] }, "seedNodes is empty; allowed: a list of HOST:PORT, at least one"],
    [{ timeoutMs: 0 }, "timeoutMs is 0; allowed: 1 to 600000"],
    [{ timeoutMs: Number.NaN }, "timeoutMs is NaN; allowed: 1 to 600000"],
    [{ connectionsPerNode: 9 }, "connectionsPerNode is 9; allowed: 1 to 8"],
    [{ inFlightMax: 1.5 }, "inFlightMax is 1.5; allowed: 1 to 65536"],
    [{ clusterId: "x" }, "not a cluster id: x (32 hexadecimal digits)"],
  ])("refuses %j", (options, message) => {
    const world = new ClientWorld();
    expect(() => world.dial(options)).toThrow(message);
  });

  it("opens as many connections per node as it was told to", async () => {
    const world = new ClientWorld({ nodes: 1 });
    const client = await world.open({ connectionsPerNode: 3 });
    await world.settle(client.bucket("b").get("k"));
    await world.run(10_000);
    expect(world.node(1).sessions.length).toBe(3);
  });
});

describe("closing", () => {
  it("rejects what is in flight, says that a put may have happened, and leaves no alarm and no connection", async () => {
    const world = new ClientWorld();
    for (const node of world.nodes) node.script = () => "ignore";
    const client = await world.open();
    const bucket = client.bucket("b");
    const put = bucket.put("k", Uint8Array.of(1));
    const get = bucket.get("k");
    await world.run(5_000);
    const failures = Promise.all([world.failure(put), world.failure(get)]);
    await world.settle(client.close());
    const [ofPut, ofGet] = await failures;
    expect(ofPut.code).toBe("CLIENT_CLOSED");
    expect(ofPut.message).toContain("the write may still have happened");
    expect(ofGet.message).toBe("the client was closed before the answer came");
    expect(world.alarm).toBe(never);
    expect(world.nodes.every((node) => node.sessions.length === 0)).toBe(true);
  });

  it("refuses calls afterwards, and may be called again", async () => {
    const world = new ClientWorld();
    const client = await world.open();
    await world.settle(client.close());
    expect((await world.failure(client.bucket("b").get("k"))).code).toBe("CLIENT_CLOSED");
    await world.settle(client.close());
  });

  it("ends the attempt to connect", async () => {
    const world = new ClientWorld();
    for (const node of world.nodes) node.mode = "hang";
    const client = world.dial();
    await world.run(100_000);
    await world.settle(client.close());
    expect(world.alarm).toBe(never);
    expect((await world.failure(client.whenOpen)).code).toBe("CLIENT_CLOSED");
  });
});

describe("the ring", () => {
  it("is fetched once when replies speak of a newer epoch, from the node that told", async () => {
    const world = new ClientWorld();
    const client = await world.open();
    const bucket = client.bucket("b");
    for (let i = 0; i < 20; i += 1) await world.settle(bucket.get(`k${i}`));
    const newer = ringOf(2, 3, 3, 16);
    for (const node of world.nodes) {
      node.ring = newer;
      node.seen.length = 0;
    }
    await world.settle(Promise.all(Array.from({ length: 50 }, (_, i) => bucket.get(`k${i}`))));
    await world.run(500_000);
    expect(client.ring.epoch).toBe(2);
    const asked = world.nodes.flatMap((node) => node.of(FrameType.FETCH_RING));
    expect(asked.length).toBe(1);
    expect(asked[0]?.message.epoch).toBe(1);
  });

  it("is asked for again when the node that told does not have it", async () => {
    const world = new ClientWorld({ nodes: 1 });
    const client = await world.open();
    const bucket = client.bucket("b");
    world.node(1).script = () => ({ reply: { epoch: 5 } });
    await world.settle(bucket.get("k"));
    await world.run(300_000);
    expect(client.ring.epoch).toBe(1);
    world.node(1).ring = ringOf(5, 1, 1, 16);
    await world.run(1_000_000);
    expect(client.ring.epoch).toBe(5);
  });

  it("is polled every ten seconds while the client is used, and not otherwise", async () => {
    const world = new ClientWorld({ nodes: 1 });
    const client = await world.open();
    const bucket = client.bucket("b");
    const polls = (): number => world.node(1).of(FrameType.FETCH_RING).length;
    const before = polls();
    await world.run(60_000_000);
    expect(polls()).toBe(before);
    await world.settle(bucket.get("k"));
    await world.run(1_000_000);
    expect(polls()).toBe(before + 1);
    for (let second = 0; second < 30; second += 1) {
      await world.settle(bucket.get("k"));
      await world.run(1_000_000);
    }
    expect(polls() - before).toBeGreaterThanOrEqual(3);
    expect(polls() - before).toBeLessThanOrEqual(5);
  });

  it("drops nodes that left it and uses those that joined", async () => {
    const world = new ClientWorld({ nodes: 3, n: 1 });
    const client = await world.open();
    const bucket = client.bucket("b");
    for (let i = 0; i < 30; i += 1) await world.settle(bucket.get(`k${i}`));
    expect(world.node(3).sessions.length).toBe(1);
    const smaller = ringOf(2, 2, 1, 16);
    for (const node of world.nodes) node.ring = smaller;
    await world.settle(bucket.get("k0"));
    await world.run(500_000);
    expect(client.ring.epoch).toBe(2);
    expect(world.node(3).sessions.length).toBe(0);
    world.node(3).seen.length = 0;
    for (let i = 0; i < 30; i += 1) await world.settle(bucket.get(`k${i}`));
    expect(world.node(3).seen.length).toBe(0);
  });
});
