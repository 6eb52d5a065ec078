/** RingNews and the journal that it goes into. */
import { expect, test } from "vitest";
import type { WallMs } from "../../../src/base/time.ts";
import { Journal } from "../../../src/node/journal.ts";
import { ringNews } from "../../../src/node/ring-news.ts";
import { cancelPlan } from "../../../src/ring/plan.ts";
import { progressRing } from "../../../src/ring/progress.ts";
import { movingRing } from "../../support/moving-ring.ts";

test("each step of a join is told in a few sentences", () => {
  const { before, staged, ring } = movingRing();
  expect(ringNews(before, staged)).toEqual([
    "node-4 (node 4) is joining",
    "join of node-4 (node 4) is staged",
    "the ring is at epoch 2",
  ]);
  expect(ringNews(staged, ring)).toEqual([
    "join of node-4 (node 4) is committed",
    "a plan is under way: 4 positions are to move",
    "the ring is at epoch 3",
  ]);
  const done = progressRing(ring, new Set(ring.transfers().map((transfer) => transfer.id)));
  expect(ringNews(ring, done as never)).toContain("node-4 (node 4) is member, was joining");
  expect(ringNews(ring, cancelPlan(ring))).toEqual([
    "join of node-4 (node 4) is staged",
    "nothing moves any more",
    "the ring is at epoch 4",
  ]);
});

test("rings that were skipped are told at once", () => {
  const { before, ring } = movingRing();
  expect(ringNews(before, ring)).toEqual([
    "node-4 (node 4) is joining",
    "a plan is under way: 4 positions are to move",
    "the ring is at epoch 3",
  ]);
});

test("the journal keeps the newest events and tells what came after a number or a time", () => {
  let wall = 1_000;
  const journal = new Journal(() => wall as WallMs);
  for (let i = 1; i <= 1_500; i += 1) {
    wall += 10;
    journal.note("node", `event ${i}`);
  }
  const all = journal.after(0, 0);
  expect(all).toHaveLength(1_024);
  expect(all.at(-1)).toEqual({ sequence: 1_500, at: 16_000, kind: "node", text: "event 1500" });
  expect(journal.after(1_498, 0).map((event) => event.sequence)).toEqual([1_499, 1_500]);
  expect(journal.after(0, 15_990)).toHaveLength(2);
  expect(journal.last).toBe(1_500);
});
