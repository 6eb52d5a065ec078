/** A client that coordinates its gets itself: whom it asks, when it answers, and when a node must coordinate after all. */
import { describe, expect, it } from "vitest";
import { FrameType } from "../../../src/wire/frame-types.ts";
import { ClientWorld, type TestClient } from "../../support/client-world.ts";

const value = Uint8Array.of(1);

/** A client with a connection to every node, and a key that is there. */
async function warm(): Promise<{ world: ClientWorld; client: TestClient }> {
  const world = new ClientWorld({ nodes: 3, n: 3 });
  const client = await world.open({ coordination: "client" });
  const bucket = client.bucket("b");
  await world.settle(bucket.put("k", value));
  for (let i = 0; i < 20; i += 1) await world.settle(bucket.get("k"));
  for (const node of world.nodes) node.seen.length = 0;
  return { world, client };
}

function seen(world: ClientWorld, type: number): number {
  return world.nodes.reduce((sum, node) => sum + node.of(type).length, 0);
}

describe("a get that the client coordinates", () => {
  it("asks every owner for its copy and no node for a get; the receipt says so", async () => {
    const { world, client } = await warm();
    const found = await world.settle(client.bucket("b").get("k"));
    expect(found.siblings).toEqual([value]);
    expect(found.receipt).toMatchObject({ coordination: "client", coordinator: "", attempts: 1 });
    expect(found.receipt.acks.length).toBe(2);
    expect([seen(world, FrameType.COPY_READ), seen(world, FrameType.GET)]).toEqual([3, 0]);
    await world.settle(client.bucket("b").put("k", value, { context: found.context }));
    expect(seen(world, FrameType.PUT)).toBe(1);
  });

  it("is answered by the two fast owners, whatever the third does", async () => {
    const { world, client } = await warm();
    world.node(2).script = () => "ignore";
    const { receipt } = await world.settle(client.bucket("b").get("k"));
    expect(receipt.coordination).toBe("client");
    expect(receipt.elapsedMs).toBeLessThan(10);
    await world.run(2_000_000);
  });

  it("asks for all with r = 3, and has a node coordinate once an owner has been silent for half of the time", async () => {
    const { world, client } = await warm();
    const all = await world.settle(client.bucket("b").get("k", { r: 3 }));
    expect(all.receipt.acks.length).toBe(3);
    world.node(2).script = ({ type }) => (type === FrameType.COPY_READ ? "ignore" : "answer");
    const { receipt } = await world.settle(client.bucket("b").get("k", { r: 3, timeoutMs: 400 }));
    expect(receipt.coordination).toBe("node");
    expect(receipt.elapsedMs).toBeGreaterThanOrEqual(200);
    expect(receipt.elapsedMs).toBeLessThan(400);
  });

  it("is a node's where owners are not synced, where one is away, and with numbers that only a node can judge", async () => {
    const { world, client } = await warm();
    for (const node of world.nodes) {
      node.script = ({ type }) => (type === FrameType.COPY_READ ? { error: "NOT_SYNCED" } : "answer");
    }
    expect((await world.settle(client.bucket("b").get("k"))).receipt.coordination).toBe("node");
    for (const node of world.nodes) node.script = () => "answer";
    expect((await world.settle(client.bucket("b").get("k", { hostConfirms: 2 }))).receipt.coordination).toBe("node");
    expect((await world.settle(client.bucket("b").get("k"))).receipt.coordination).toBe("client");
    world.node(3).mode = "down";
    world.node(3).cutAll();
    await world.run(1_000);
    expect((await world.settle(client.bucket("b").get("k"))).receipt.coordination).toBe("node");
  });

  it("has a node repair what two owners hold differently", async () => {
    const { world, client } = await warm();
    const none = { record: new Uint8Array(0), context: new Uint8Array(0) };
    world.node(1).script = ({ type }) => (type === FrameType.COPY_READ ? { reply: none } : "answer");
    const found = await world.settle(client.bucket("b").get("k", { r: 3 }));
    expect(found.siblings).toEqual([value]);
    await world.run(10_000);
    expect(seen(world, FrameType.GET)).toBe(1);
  });

  it("can be given up, and fails once when the client is closed", async () => {
    const { world, client } = await warm();
    for (const node of world.nodes) node.script = () => "ignore";
    const controller = new AbortController();
    const aborted = client.bucket("b").get("k", { signal: controller.signal });
    controller.abort(new Error("enough"));
    await expect(world.settle(aborted)).rejects.toThrow("enough");
    const open = client.bucket("b").get("k");
    void world.settle(client.close());
    expect((await world.failure(open)).code).toBe("CLIENT_CLOSED");
  });

  it("is asked for by name, and holds two connections per node at the most", async () => {
    const world = new ClientWorld();
    expect(() => world.dial({ coordination: "server" as "node" })).toThrow(
      /coordination is server; allowed: "node", "client"/,
    );
    expect(() => world.dial({ coordination: "client", connectionsPerNode: 3 })).toThrow(/allowed: 1 to 2/);
  });
});
