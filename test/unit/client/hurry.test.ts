/** A node that is silent: after half of the time another one is asked, with the same request id, within the budget. */
import { expect, it } from "vitest";
import { FrameType } from "../../../src/wire/frame-types.ts";
import { ClientWorld } from "../../support/client-world.ts";

async function frozenWorld(): Promise<ClientWorld> {
  const world = new ClientWorld({ nodes: 3, n: 3 });
  const bucket = (await world.open()).bucket("b");
  for (let i = 0; i < 40; i += 1) await world.settle(bucket.get(`warm${i}`));
  world.node(1).script = () => "ignore";
  for (const node of world.nodes) node.seen.length = 0;
  return world;
}

it("puts and gets succeed within their time although one owner is frozen", async () => {
  const world = await frozenWorld();
  const bucket = (await world.open()).bucket("b");
  for (let i = 0; i < 20; i += 1) {
    const { receipt } = await world.settle(bucket.put(`k${i}`, Uint8Array.of(1), { timeoutMs: 400 }));
    expect(receipt.elapsedMs).toBeLessThan(400);
    await world.settle(bucket.get(`k${i}`, { timeoutMs: 400 }));
  }
  expect(world.node(1).of(FrameType.PUT).length + world.node(1).of(FrameType.GET).length).toBeGreaterThan(0);
});

it("the second attempt of a put carries the id of the first", async () => {
  const world = await frozenWorld();
  const bucket = (await world.open()).bucket("b");
  for (let i = 0; i < 20; i += 1) await world.settle(bucket.put(`k${i}`, Uint8Array.of(1), { timeoutMs: 400 }));
  const lost = world.node(1).of(FrameType.PUT);
  expect(lost.length).toBeGreaterThan(0);
  const others = [...world.node(2).of(FrameType.PUT), ...world.node(3).of(FrameType.PUT)];
  for (const { requestId, key } of lost) {
    expect(others.filter((seen) => seen.key === key).map((seen) => seen.requestId)).toContain(requestId);
  }
});

it("with nobody else to ask, the first attempt keeps its whole time", async () => {
  const world = await frozenWorld();
  const bucket = (await world.open()).bucket("b");
  for (const node of world.nodes) node.script = () => "ignore";
  await expect(world.settle(bucket.put("k", Uint8Array.of(1), { timeoutMs: 400 }))).rejects.toMatchObject({
    code: "DEADLINE_EXCEEDED",
  });
});
