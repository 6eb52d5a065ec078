/** Requests under way: where they go, when they are tried again, and how they end. */
import { describe, expect, it } from "vitest";
import { RingtailError } from "../../../src/base/errors.ts";
import type { Bucket } from "../../../src/client/bucket.ts";
import { FrameType } from "../../../src/wire/frame-types.ts";
import { ClientWorld, ringOf, type Seen } from "../../support/client-world.ts";

const value = Uint8Array.of(1, 2, 3);

/** A world whose client is connected to every node. */
async function warmWorld(nodes = 3, n = 3): Promise<{ world: ClientWorld; bucket: Bucket<Uint8Array> }> {
  const world = new ClientWorld({ nodes, n });
  const bucket = (await world.open()).bucket("b");
  for (let i = 0; i < 40; i += 1) await world.settle(bucket.get(`warm${i}`));
  for (const node of world.nodes) {
    expect(node.sessions.length).toBe(1);
    node.seen.length = 0;
  }
  return { world, bucket };
}

function allSeen(world: ClientWorld): readonly Seen[] {
  return world.nodes.flatMap((node) => node.seen).sort((a, b) => a.at - b.at);
}

describe("where requests go", () => {
  it("to an owner of the key, over one connection per node", async () => {
    const { world, bucket } = await warmWorld(6, 3);
    const ring = ringOf(1, 6, 3, 16);
    for (let i = 0; i < 100; i += 1) await world.settle(bucket.put(`key${i}`, value));
    for (const node of world.nodes) {
      for (const seen of node.seen) expect(world.ownersOf(ring, "b", seen.key)).toContain(node.number);
      expect(node.dials).toBe(1);
    }
    expect(allSeen(world).length).toBe(100);
  });

  it("spread over the owners, away from the one that is slow", async () => {
    const { world, bucket } = await warmWorld();
    world.node(2).serviceUs = 50_000;
    await world.settle(Promise.all(Array.from({ length: 30 }, (_, i) => bucket.get(`k${i}`))));
    for (const node of world.nodes) node.seen.length = 0;
    for (let i = 0; i < 60; i += 1) await world.settle(bucket.get(`k${i}`));
    expect(world.node(1).seen.length).toBeGreaterThan(15);
    expect(world.node(3).seen.length).toBeGreaterThan(15);
    expect(world.node(2).seen.length).toBeLessThanOrEqual(2);
  });

  it("a node that was slow once is tried again after a while", async () => {
    const { world, bucket } = await warmWorld();
    world.node(2).serviceUs = 50_000;
    await world.settle(Promise.all(Array.from({ length: 30 }, (_, i) => bucket.get(`k${i}`))));
    world.node(2).serviceUs = 1_000;
    await world.run(20_000_000);
    world.node(2).seen.length = 0;
    for (let i = 0; i < 60; i += 1) await world.settle(bucket.get(`k${i}`));
    expect(world.node(2).seen.length).toBeGreaterThan(5);
  });

  it("a put to the node that answered the get first, as its context says", async () => {
    const { world, bucket } = await warmWorld();
    for (let i = 0; i < 20; i += 1) {
      const { context } = await world.settle(bucket.get(`k${i}`));
      const asked = world.nodes.find((node) => node.of(FrameType.GET).length > 0);
      await world.settle(bucket.put(`k${i}`, value, { context }));
      expect(asked?.of(FrameType.PUT).length).toBe(1);
      for (const node of world.nodes) node.seen.length = 0;
    }
  });

  it("to another owner while one is down, and back when it is up again", async () => {
    const { world, bucket } = await warmWorld();
    world.node(1).mode = "down";
    world.node(1).cutAll();
    await world.run(10_000);
    for (let i = 0; i < 30; i += 1) await world.settle(bucket.put(`k${i}`, value));
    world.node(1).mode = "up";
    const dials = world.node(1).dials;
    for (let second = 0; second < 8; second += 1) {
      await world.settle(bucket.get("k"));
      await world.run(1_000_000);
    }
    expect(world.node(1).dials).toBe(dials + 1);
    for (let i = 0; i < 30; i += 1) await world.settle(bucket.get(`k${i}`));
    expect(world.node(1).seen.length).toBeGreaterThan(0);
  });

  it("dials a node that stays down at 250 ms doubling to 5 s, not with every request", async () => {
    const { world, bucket } = await warmWorld();
    world.node(1).mode = "down";
    world.node(1).cutAll();
    const before = world.node(1).dials;
    for (let i = 0; i < 200; i += 1) {
      await world.settle(bucket.get(`k${i}`));
      await world.run(100_000);
    }
    // 0, 0.25, 0.75, 1.75, 3.75, 7.75, then every 5 s
    const dials = world.node(1).dials - before;
    expect(dials).toBeGreaterThanOrEqual(6);
    expect(dials).toBeLessThanOrEqual(9);
  });

  it("to a node that owns nothing of the key only when no owner is up", async () => {
    const { world, bucket } = await warmWorld(4, 1);
    const ring = ringOf(1, 4, 1, 16);
    const owner = world.node(world.ownersOf(ring, "b", "key")[0] as number);
    owner.mode = "down";
    owner.cutAll();
    await world.run(10_000);
    const put = await world.settle(bucket.put("key", value));
    expect(put.receipt.attempts).toBe(1);
    expect(owner.of(FrameType.PUT).length).toBe(0);
    expect(allSeen(world).filter((seen) => seen.type === FrameType.PUT).length).toBe(1);
  });

  it("to no node that said it is stopping; what it has taken is answered", async () => {
    const { world, bucket } = await warmWorld();
    world.node(1).serviceUs = 20_000;
    const first = Promise.all(Array.from({ length: 20 }, (_, i) => bucket.get(`k${i}`)));
    await world.run(2_000);
    const taken = world.node(1).seen.length;
    expect(taken).toBeGreaterThan(0);
    world.node(1).goAway();
    await world.run(2_000);
    await world.settle(Promise.all(Array.from({ length: 20 }, (_, i) => bucket.get(`k${i}`))));
    const results = await world.settle(first);
    expect(results.every((result) => result.receipt.attempts === 1)).toBe(true);
    expect(world.node(1).seen.length).toBe(taken);
    await world.run(50_000);
    expect(world.node(1).sessions.length).toBe(0);
  });
});

describe("retries", () => {
  it("repeat a put at another node under the same request id when the connection breaks", async () => {
    const { world, bucket } = await warmWorld();
    for (const node of world.nodes) node.script = () => (allSeen(world).length === 1 ? "cut" : "answer");
    const put = await world.settle(bucket.put("k", value));
    expect(put.receipt.attempts).toBe(2);
    const [first, second] = allSeen(world);
    expect(second?.requestId).toBe(first?.requestId);
    expect(world.nodes.filter((node) => node.seen.length > 0).length).toBe(2);
    expect((await world.settle(bucket.get("k"))).siblings.length).toBe(1);
  });

  it("happen for what another attempt may cure, and for nothing else", async () => {
    for (const [code, attempts] of [
      ["QUORUM_NOT_MET", 2],
      ["OVERLOADED", 2],
      ["NODE_STOPPING", 2],
      ["WRONG_OWNER", 2],
      ["STORAGE_FAILED", 2],
      ["INVALID_ARGUMENT", 1],
      ["TOO_MANY_SIBLINGS", 1],
      ["PERMISSION_DENIED", 1],
    ] as const) {
      const { world, bucket } = await warmWorld();
      for (const node of world.nodes) node.script = () => (allSeen(world).length === 1 ? { error: code } : "answer");
      const put = bucket.put("k", value);
      if (attempts === 2) expect((await world.settle(put)).receipt.attempts).toBe(2);
      else expect((await world.failure(put)).code).toBe(code);
      expect(allSeen(world).filter((seen) => seen.type === FrameType.PUT).length).toBe(attempts);
    }
  });

  it("end after five attempts, with the last error and the node that gave it", async () => {
    const { world, bucket } = await warmWorld();
    for (const node of world.nodes)
      node.script = () => ({ error: "QUORUM_NOT_MET", message: "1 of 2 replicas answered" });
    const error = await world.failure(bucket.get("k"));
    expect(error.code).toBe("QUORUM_NOT_MET");
    expect(error.message).toMatch(/^1 of 2 replicas answered \(node-\d at node-\d:7401, attempt 5\)$/);
    expect(allSeen(world).length).toBe(5);
  });

  it("wait at least as long as an overloaded node asks for", async () => {
    const { world, bucket } = await warmWorld(1, 1);
    world.node(1).script = () =>
      allSeen(world).length === 1 ? { error: "OVERLOADED", retryAfterUs: 200_000 } : "answer";
    await world.settle(bucket.get("k"));
    const [first, second] = allSeen(world);
    expect((second as Seen).at - (first as Seen).at).toBeGreaterThanOrEqual(200_000);
  });

  it("never go past the deadline", async () => {
    const { world, bucket } = await warmWorld(1, 1);
    world.node(1).script = () => ({ error: "OVERLOADED", retryAfterUs: 200_000 });
    const begun = world.now();
    const error = await world.failure(bucket.get("k", { timeoutMs: 150 }));
    expect(error.code).toBe("OVERLOADED");
    expect(world.now() - begun).toBeLessThan(150_000);
    expect(allSeen(world).length).toBe(1);
  });

  it("stay within the budget when everything fails", async () => {
    const { world, bucket } = await warmWorld();
    for (const node of world.nodes) node.script = () => ({ error: "STORAGE_FAILED" });
    const calls = Array.from({ length: 500 }, (_, i) => world.failure(bucket.get(`k${i}`)));
    await world.settle(Promise.all(calls));
    const retries = allSeen(world).length - 500;
    expect(retries).toBeGreaterThanOrEqual(32);
    expect(retries).toBeLessThanOrEqual(32 + (500 + 40) / 10 + 1);
  });

  it("do not hide that an earlier attempt of a put may have succeeded", async () => {
    const { world, bucket } = await warmWorld();
    for (const node of world.nodes) {
      node.script = () => (allSeen(world).length === 1 ? "cut" : { error: "OVERLOADED", retryAfterUs: 5_000_000 });
    }
    const error = await world.failure(bucket.put("k", value));
    expect(error.code).toBe("CONNECTION_LOST");
    expect(error.message).toContain("the write may still have happened");
  });

  it("keep what only nodes speak of from applications", async () => {
    const { world, bucket } = await warmWorld();
    for (const node of world.nodes) node.script = () => ({ error: "WRONG_OWNER" });
    expect((await world.failure(bucket.get("k"))).code).toBe("QUORUM_NOT_MET");
    for (const node of world.nodes) node.script = () => ({ error: "EXPIRED" });
    expect((await world.failure(bucket.get("k"))).code).toBe("DEADLINE_EXCEEDED");
  });

  it("fetch the ring when a node is no owner", async () => {
    const { world, bucket } = await warmWorld();
    for (const node of world.nodes)
      node.script = () => (allSeen(world).length === 1 ? { error: "WRONG_OWNER" } : "answer");
    await world.settle(bucket.get("k"));
    await world.run(20_000);
    expect(allSeen(world).filter((seen) => seen.type === FrameType.FETCH_RING).length).toBe(1);
  });
});

describe("deadlines", () => {
  it("are sent as remaining time, which is less in a later attempt", async () => {
    const { world, bucket } = await warmWorld(1, 1);
    world.node(1).script = () =>
      allSeen(world).length === 1 ? { error: "OVERLOADED", retryAfterUs: 100_000 } : "answer";
    await world.settle(bucket.get("k", { timeoutMs: 400 }));
    const [first, second] = allSeen(world).map((seen) => seen.message.timeoutUs as number);
    expect(first).toBe(400_000);
    expect(second).toBeLessThanOrEqual(300_000);
    expect(second).toBeGreaterThan(200_000);
  });

  it("end a call in time, late by no more than the rounding, with one alarm for all", async () => {
    const { world, bucket } = await warmWorld(1, 1);
    world.node(1).script = () => "ignore";
    const begun = world.now();
    const alarms = world.alarms;
    const calls = Array.from({ length: 300 }, (_, i) => world.failure(bucket.get(`k${i}`, { timeoutMs: 100 })));
    const errors = await world.settle(Promise.all(calls));
    expect(world.now() - begun).toBeGreaterThanOrEqual(100_000);
    expect(world.now() - begun).toBeLessThanOrEqual(104_000);
    expect(errors.every((error) => error.code === "DEADLINE_EXCEEDED")).toBe(true);
    expect(errors[0]?.message).toBe("no answer within 100 ms (node-1 at node-1:7401)");
    expect(world.alarms - alarms).toBeLessThan(10);
  });

  it("say that a put may have happened", async () => {
    const { world, bucket } = await warmWorld();
    for (const node of world.nodes) node.script = () => "ignore";
    const error = await world.failure(bucket.put("k", value, { timeoutMs: 50 }));
    expect(error.code).toBe("DEADLINE_EXCEEDED");
    expect(error.message).toMatch(/^no answer within 50 ms \(.*\); the write may still have happened: read the key/);
  });

  it("say that no node could be reached, and that a put was not sent", async () => {
    const { world, bucket } = await warmWorld();
    for (const node of world.nodes) {
      node.mode = "down";
      node.cutAll();
    }
    await world.run(1_000_000);
    const error = await world.failure(bucket.put("k", value));
    expect(error.code).toBe("CONNECTION_LOST");
    expect(error.message).toMatch(/^no node that could serve this was reachable within 1000 ms: node-\d:7401 refused/);
    expect(error.message).toMatch(/; the write was not sent$/);
  });

  it("let a request wait for a node that comes up in time", async () => {
    const { world, bucket } = await warmWorld();
    for (const node of world.nodes) {
      node.mode = "down";
      node.cutAll();
    }
    await world.run(10_000);
    const get = bucket.get("k");
    await world.run(100_000);
    world.node(2).mode = "up";
    expect((await world.settle(get)).receipt.coordinator).toBe("node-2");
  });

  it("ignore an answer that comes too late", async () => {
    const { world, bucket } = await warmWorld(1, 1);
    world.node(1).serviceUs = 80_000;
    await world.failure(bucket.get("k", { timeoutMs: 50 }));
    const second = bucket.get("other", { timeoutMs: 500 });
    expect((await world.settle(second)).receipt.elapsedMs).toBeGreaterThanOrEqual(80);
  });

  it("give up a connection that says nothing any more, but not one that still answers a ping", async () => {
    const { world, bucket } = await warmWorld(1, 1);
    world.node(1).script = () => "ignore";
    await world.failure(bucket.get("k", { timeoutMs: 50 }));
    await world.run(3_000_000);
    expect(world.node(1).dials).toBe(1);
    world.node(1).mode = "hang";
    await world.failure(bucket.get("k", { timeoutMs: 50 }));
    await world.run(3_000_000);
    expect(world.node(1).sessions.length).toBe(0);
  });
});

describe("limits", () => {
  it("keep no more than 512 requests on a connection; the rest wait their turn", async () => {
    const { world, bucket } = await warmWorld(1, 1);
    world.node(1).script = () => "ignore";
    for (let i = 0; i < 600; i += 1) bucket.get(`k${i}`, { timeoutMs: 5_000 }).catch(() => {});
    await world.run(10_000);
    expect(world.node(1).seen.length).toBe(512);
    world.node(1).script = () => "answer";
    for (let i = 0; i < 600; i += 1) bucket.get(`late${i}`, { timeoutMs: 60_000 }).catch(() => {});
    await world.run(6_000_000);
    expect(world.node(1).seen.length).toBe(512 + 600);
  });

  it("refuse calls beyond inFlightMax with OVERLOADED", async () => {
    const world = new ClientWorld({ nodes: 1 });
    const bucket = (await world.open({ inFlightMax: 4 })).bucket("b");
    const calls = Array.from({ length: 5 }, (_, i) => bucket.get(`k${i}`));
    const last = world.failure(calls[4] as Promise<unknown>);
    await world.settle(Promise.all(calls.slice(0, 4)));
    expect((await last).message).toBe("4 requests are in flight, which is this client's limit (inFlightMax)");
    await world.settle(bucket.get("k"));
  });
});

describe("abort", () => {
  it("rejects with the signal's reason, forgets the request, and lets go of the signal", async () => {
    const { world, bucket } = await warmWorld(1, 1);
    world.node(1).serviceUs = 10_000;
    const controller = new AbortController();
    const get = bucket.get("k", { signal: controller.signal });
    await world.run(2_000);
    controller.abort(new Error("the user left"));
    expect((await world.failure(get)).message).toBe("the user left");
    await world.run(50_000);
    await world.settle(bucket.get("k"));
  });

  it("of a signal that is aborted already sends nothing", async () => {
    const { world, bucket } = await warmWorld(1, 1);
    const signal = AbortSignal.abort(new Error("too late"));
    expect((await world.failure(bucket.put("k", value, { signal }))).message).toBe("too late");
    expect((await world.failure(bucket.getMany(["k"], { signal }))).message).toBe("too late");
    expect(world.node(1).seen.length).toBe(0);
  });

  it("after the answer does nothing", async () => {
    const { world, bucket } = await warmWorld(1, 1);
    const controller = new AbortController();
    await world.settle(bucket.get("k", { signal: controller.signal }));
    controller.abort();
    await world.settle(bucket.get("k"));
  });
});

describe("answers that make no sense", () => {
  it("end the connection, and the request is tried elsewhere", async () => {
    const { world, bucket } = await warmWorld();
    for (const node of world.nodes) {
      node.script = () => (allSeen(world).length === 1 ? { reply: { record: Uint8Array.of(9, 9, 9) } } : "answer");
    }
    const error = await world.failure(bucket.get("k"));
    expect(error).toBeInstanceOf(RingtailError);
    expect(error.code).toBe("PROTOCOL_MISMATCH");
    await world.settle(bucket.get("k"));
  });
});
