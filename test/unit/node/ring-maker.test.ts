/** RingMaker: when the next ring of a plan is made, and from what. */
import { expect, test } from "vitest";
import { instant } from "../../../src/base/time.ts";
import { RingMaker } from "../../../src/node/ring-maker.ts";
import { isMoving } from "../../../src/ring/plan.ts";
import { Ring } from "../../../src/ring/ring.ts";
import { movingRing } from "../../support/moving-ring.ts";

const second = 1_000_000;

/** What a joining node tells of its transfers. */
function pairsOf(ring: Ring, count: number): number[] {
  return ring
    .transfers()
    .slice(0, count)
    .flatMap(({ id, partition }) => [id, ring.fences[partition] as number]);
}

test("nothing follows from a ring in which nothing moves", () => {
  const maker = new RingMaker();
  maker.onRing(instant(0), movingRing().before);
  expect(maker.next(instant(60 * second))).toBe(null);
});

test("when all transfers are confirmed the ring is made at once", () => {
  const { ring } = movingRing();
  const maker = new RingMaker();
  maker.onRing(instant(0), ring);
  expect(maker.next(instant(0))).toBe(null);
  maker.onConfirmed(instant(5), pairsOf(ring, ring.transfers().length));
  expect(maker.due).toBe(5);
  const next = maker.next(instant(5));
  expect(next?.epoch).toBe(ring.epoch + 1);
  for (const position of ring.active) expect(next?.owners[position]).toBe(ring.goal[position]);
});

test("while some are awaited, a ring follows thirty seconds after the one before it, with all that is confirmed by then", () => {
  const { ring } = movingRing();
  const maker = new RingMaker();
  maker.onRing(instant(0), ring);
  const all = ring.transfers().length;
  maker.onConfirmed(instant(second), pairsOf(ring, all - 2));
  maker.onConfirmed(instant(29 * second), pairsOf(ring, all - 1));
  expect(maker.due).toBe(30 * second);
  expect(maker.next(instant(30 * second - 1))).toBe(null);
  const next = maker.next(instant(30 * second)) as Ring;
  expect(next.epoch).toBe(ring.epoch + 1);
  maker.onRing(instant(30 * second), next);
  expect(maker.next(instant(60 * second - 1))).toBe(null);
});

test("when nothing was confirmed in that time, the first one waits thirty seconds for others", () => {
  const { ring } = movingRing();
  const maker = new RingMaker();
  maker.onRing(instant(0), ring);
  expect(maker.next(instant(30 * second))).toBe(null);
  maker.onConfirmed(instant(35 * second), pairsOf(ring, ring.transfers().length - 1));
  expect(maker.due).toBe(65 * second);
  expect(maker.next(instant(65 * second))?.epoch).toBe(ring.epoch + 1);
});

test("what is confirmed under another fence, or is not listed, counts for nothing", () => {
  const { ring } = movingRing();
  const maker = new RingMaker();
  maker.onRing(instant(0), ring);
  maker.next(instant(30 * second));
  const pairs = pairsOf(ring, ring.transfers().length).map((word, i) => (i % 2 === 0 ? word : word + 1));
  maker.onConfirmed(instant(1), [...pairs, 1, 1]);
  expect(maker.due).toBeGreaterThan(90 * second);
});

test("a ring that was not chosen is made again a second later; the plan comes to its end", () => {
  let { ring } = movingRing();
  const maker = new RingMaker();
  maker.onRing(instant(0), ring);
  maker.next(instant(0));
  maker.onConfirmed(instant(0), pairsOf(ring, ring.transfers().length));
  expect(maker.next(instant(0))).not.toBe(null);
  maker.again(instant(0));
  expect(maker.next(instant(second - 1))).toBe(null);
  for (let now = second; isMoving(ring); now += 1) {
    const next = maker.next(instant(now));
    if (next !== null) ring = next;
    maker.onRing(instant(now), ring);
    maker.onConfirmed(instant(now), pairsOf(ring, ring.transfers().length));
    expect(now).toBeLessThan(2 * second);
  }
  expect(ring.members.every((member) => member.status === "member")).toBe(true);
});

test("a transfer that begins anew since its partition's other lists have changed is not taken for confirmed", () => {
  const { ring } = movingRing();
  const maker = new RingMaker();
  maker.onRing(instant(0), ring);
  maker.next(instant(0));
  maker.onConfirmed(instant(0), pairsOf(ring, ring.transfers().length - 1));
  const epoch = ring.epoch + 1;
  const next = new Ring({ ...ring, epoch, fences: ring.fences.map(() => epoch) });
  expect(next.transfers().map(({ id }) => id)).toEqual(ring.transfers().map(({ id }) => id));
  maker.onRing(instant(second), next);
  expect(maker.next(instant(10 * second))).toBe(null);
  maker.onConfirmed(instant(20 * second), pairsOf(next, next.transfers().length));
  expect(maker.next(instant(20 * second))?.epoch).toBe(epoch + 1);
});
