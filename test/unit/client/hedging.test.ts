/** Gets that are late are asked of a second owner: within the budget, never puts, never when all are slow or busy. */
import { describe, expect, it } from "vitest";
import type { Bucket } from "../../../src/client/bucket.ts";
import type { Receipt } from "../../../src/client/receipt.ts";
import { FrameType } from "../../../src/wire/frame-types.ts";
import { type Act, ClientWorld } from "../../support/client-world.ts";

const gets = (world: ClientWorld): number => world.nodes.reduce((sum, node) => sum + node.of(FrameType.GET).length, 0);

/** A world in which every node has answered some gets, and nothing of it is remembered as seen. */
async function warmWorld(
  options: { latencyTargetMs?: number } = {},
  warm = 400,
): Promise<[ClientWorld, Bucket<Uint8Array>]> {
  const world = new ClientWorld({ nodes: 3, n: 3 });
  const bucket = (await world.open(options)).bucket("b");
  for (let i = 0; i < warm; i += 1) await world.settle(bucket.get(`warm${i}`));
  for (const node of world.nodes) node.seen.length = 0;
  return [world, bucket];
}

/** What a node does that answers every n-th request only. */
function every(n: number, otherwise: Act): () => Act {
  let count = 0;
  return () => {
    count += 1;
    return count % n === 0 ? "answer" : otherwise;
  };
}

describe("a get that is late", () => {
  it("is asked of another owner, whose answer counts; the receipt says so, the first answer harms nobody", async () => {
    const [world, bucket] = await warmWorld();
    for (const node of world.nodes) node.serviceUs = 1_000;
    let late = 0;
    for (let i = 0; i < 10; i += 1) {
      const slow = world.nodes[i % 3] as (typeof world.nodes)[number];
      slow.serviceUs = 80_000;
      const { receipt } = await world.settle(bucket.get(`k${i}`));
      slow.serviceUs = 1_000;
      if (receipt.hedged) late += 1;
      expect(receipt.elapsedMs).toBeLessThan(20);
      expect(receipt.attempts).toBe(receipt.hedged ? 2 : 1);
    }
    expect(late).toBeGreaterThan(0);
    await world.run(200_000);
    expect((await world.settle(bucket.get("after"))).receipt.hedged).toBe(false);
  });

  it("goes on with the attempt that is left when the other one fails", async () => {
    const [world, bucket] = await warmWorld();
    for (const node of world.nodes) {
      let asked = 0;
      node.script = () => {
        asked += 1;
        return asked === 1 ? "ignore" : { error: "NOT_SYNCED" };
      };
    }
    // Whoever is asked first says nothing, and whoever is asked then refuses: the first attempt is not lost by that.
    const result = world.settle(bucket.get("k", { timeoutMs: 300 }));
    await expect(result).rejects.toMatchObject({ code: "DEADLINE_EXCEEDED" });
    expect(gets(world)).toBe(2);
  });

  it("loses the connection of one attempt and keeps the other", async () => {
    const [world, bucket] = await warmWorld();
    for (const node of world.nodes) {
      node.serviceUs = 20_000;
      node.script = () => "answer";
    }
    const result = bucket.get("k");
    await world.run(8_000);
    const asked = world.nodes.filter((node) => node.of(FrameType.GET).length > 0);
    expect(asked.length).toBe(2);
    asked[0]?.cutAll();
    expect((await world.settle(result)).receipt.hedged).toBe(true);
  });
});

describe("nothing is asked twice", () => {
  it("beyond 5 % of the gets", async () => {
    const [world, bucket] = await warmWorld();
    for (const node of world.nodes) node.script = every(3, "ignore");
    let hedged = 0;
    for (let i = 0; i < 200; i += 1) {
      await world.settle(bucket.get(`k${i}`, { timeoutMs: 40 })).then(
        ({ receipt }) => {
          if (receipt.hedged) hedged += 1;
        },
        () => {},
      );
    }
    expect(hedged).toBeGreaterThan(0);
    // Eight were saved; the attempts after half of the time are retries, and count as such.
    expect(hedged).toBeLessThanOrEqual(8 + 200 / 20);
  });

  it("when it is a put", async () => {
    const [world, bucket] = await warmWorld();
    for (const node of world.nodes) node.serviceUs = 80_000;
    expect((await world.settle(bucket.put("k", Uint8Array.of(1)))).receipt.hedged).toBe(false);
    expect(world.nodes.reduce((sum, node) => sum + node.of(FrameType.PUT).length, 0)).toBe(1);
  });

  it("when everybody is slow, or busy, or it was not wanted", async () => {
    for (const options of [{ latencyTargetMs: 3 }, { latencyTargetMs: 0 }]) {
      const [world, bucket] = await warmWorld(options);
      for (const node of world.nodes) node.serviceUs = 80_000;
      await world.settle(bucket.get("k"));
      expect(gets(world)).toBe(1);
    }
    const [world, bucket] = await warmWorld({}, 0);
    const busy: Act = { reply: { busy: 90 } };
    for (const node of world.nodes) node.script = () => busy;
    for (let i = 0; i < 100; i += 1) await world.settle(bucket.get(`warm${i}`));
    for (const node of world.nodes) {
      node.seen.length = 0;
      node.serviceUs = 80_000;
    }
    await world.settle(bucket.get("k"));
    expect(gets(world)).toBe(1);
  });
});

it("a put goes to the node that answered the get first, unless that one is slow next to the others", async () => {
  const [world, bucket] = await warmWorld();
  const { context } = await world.settle(bucket.get("k"));
  const fastest = world.nodes.find((node) => node.of(FrameType.GET).length > 0)?.number as number;
  for (let i = 0; i < 5; i += 1) await world.settle(bucket.put("k", Uint8Array.of(i), { context }));
  expect(world.node(fastest).of(FrameType.PUT).length).toBe(5);
  world.node(fastest).serviceUs = 100_000;
  for (let i = 0; i < 4; i += 1) await world.settle(bucket.put("k", Uint8Array.of(i), { context }));
  const slowOnes = world.node(fastest).of(FrameType.PUT).length - 5;
  expect(slowOnes, "the first of them shows it").toBeLessThanOrEqual(2);
  // All are slow: nobody is.
  for (const node of world.nodes) node.serviceUs = 100_000;
  for (let i = 0; i < 12; i += 1) await world.settle(bucket.put(`x${i}`, Uint8Array.of(i)));
  const before = world.node(fastest).of(FrameType.PUT).length;
  await world.settle(bucket.put("k", Uint8Array.of(9), { context }));
  expect(world.node(fastest).of(FrameType.PUT).length).toBe(before + 1);
});

describe("an owner that is slow", () => {
  const slowUs = 40_000;

  /** Half a minute, sixty gets and puts a second, the first three seconds not counted; what each took, in ms. */
  async function load(world: ClientWorld, bucket: Bucket<Uint8Array>, withGets = true): Promise<number[]> {
    const took: number[] = [];
    for (let i = 0; i < 1_800; i += 1) {
      const isGet = withGets && i % 2 === 0;
      const operation = isGet ? bucket.get(`k${i}`) : bucket.put(`k${i}`, Uint8Array.of(1));
      const { receipt } = await world.settle(operation as Promise<{ receipt: Receipt }>);
      if (i >= 180) took.push(receipt.elapsedMs);
      await world.run(1_000_000 / 60);
    }
    return took;
  }

  it("is tried again by gets that another is asked for, too: nobody waits for it, however long the others' queues", async () => {
    const [world, bucket] = await warmWorld();
    const slow = world.nodes[2] as (typeof world.nodes)[number];
    for (const node of world.nodes) {
      node.serviceUs = node === slow ? slowUs : 1_000;
      if (node !== slow) node.script = () => ({ reply: { queue: 8 } });
    }
    const took = await load(world, bucket);
    expect(Math.max(...took)).toBeLessThan(slowUs / 1_000);
    const tries = slow.of(FrameType.GET).length;
    expect(tries, "it is asked about twice a second, within the budget").toBeGreaterThan(27);
    expect(tries).toBeLessThan(70);
    // It is well again: within seconds it has its share.
    slow.serviceUs = 1_000;
    await load(world, bucket);
    expect(slow.of(FrameType.PUT).length).toBeGreaterThan(300);
  });

  it("says so itself: a put goes elsewhere although its gets are as fast as the others'", async () => {
    const [world, bucket] = await warmWorld();
    const slow = world.nodes[2] as (typeof world.nodes)[number];
    slow.script = () => ({ reply: { slow: true } });
    await load(world, bucket);
    expect(slow.of(FrameType.PUT).length, "the first of them may show it").toBeLessThanOrEqual(1);
    expect(slow.of(FrameType.GET).length).toBeGreaterThan(27);
    for (const node of world.nodes) node.seen.length = 0;
    for (const node of world.nodes) node.script = () => ({ reply: { slow: true } });
    await load(world, bucket);
    for (const node of world.nodes)
      expect(node.of(FrameType.PUT).length, "all are slow: nobody is").toBeGreaterThan(100);
  });

  it("is asked by a put now and then where there are no gets", async () => {
    const [world, bucket] = await warmWorld();
    const slow = world.nodes[2] as (typeof world.nodes)[number];
    for (const node of world.nodes) node.serviceUs = node === slow ? slowUs : 1_000;
    await load(world, bucket, false);
    const puts = slow.of(FrameType.PUT).length;
    expect(puts).toBeGreaterThan(3);
    expect(puts).toBeLessThan(40);
  });
});
