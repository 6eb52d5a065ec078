/** The schedule: rotation, pauses, and what it claims to know about each pair. */
import { describe, expect, it } from "vitest";
import { statusOk } from "../../../src/base/errors.ts";
import { nodeNumber } from "../../../src/base/ids.ts";
import { type Instant, instant, never } from "../../../src/base/time.ts";
import type { ExchangeRequest, TreeOutcome } from "../../../src/repair/exchange.ts";
import { RepairSchedule } from "../../../src/repair/schedule.ts";

class Rig {
  now: Instant = instant(1_000_000);
  readonly begun: ExchangeRequest[] = [];
  readonly down: Set<number> = new Set();
  readonly schedule: RepairSchedule = new RepairSchedule({
    effects: { begin: (_now, request) => this.begun.push(request) },
    reachable: (peer) => !this.down.has(peer),
  });

  share(shared: Readonly<Record<number, readonly number[]>>): void {
    const list = Object.entries(shared).map(([peer, trees]) => ({ peer: nodeNumber(Number(peer)), trees }));
    this.schedule.update(this.now, list);
  }

  /** Goes to the next tick; the exchange that begins ends a second later, with these outcomes (the rest is equal). */
  turn(outcomes: Readonly<Record<number, TreeOutcome>> = {}, cursor = 7): number {
    this.now = instant(Math.max(this.now, this.schedule.nextTick()));
    const before = this.begun.length;
    this.schedule.tick(this.now);
    if (this.begun.length === before) return 0;
    const { peer, trees } = this.begun.at(-1) as ExchangeRequest;
    const begunAt = this.now;
    this.now = instant(this.now + 1_000_000);
    const results = trees.map(({ tree }) => {
      const outcome = outcomes[tree] ?? "equal";
      return { tree, outcome, cursor: outcome === "equal" ? 0 : cursor };
    });
    this.schedule.onFinished(this.now, { peer, begunAt, status: statusOk, trees: results });
    return peer;
  }
}

describe("repair schedule", () => {
  it("asks the peers in rotation, all trees at once, every 15 s", () => {
    const rig = new Rig();
    rig.share({ 2: [1, 2, 3], 3: [1], 4: [2] });
    const times: number[] = [];
    const peers = Array.from({ length: 6 }, () => {
      const peer = rig.turn();
      times.push(rig.now);
      return peer;
    });
    expect(peers).toEqual([2, 3, 4, 2, 3, 4]);
    expect(rig.begun[0]?.trees).toEqual([1, 2, 3].map((tree) => ({ tree, cursor: 0 })));
    for (let i = 1; i < times.length; i += 1) expect((times[i] as number) - (times[i - 1] as number)).toBe(15_000_000);
  });

  it("shortens the tick past 40 peers, so that a pass takes ten minutes", () => {
    const rig = new Rig();
    rig.share(Object.fromEntries(Array.from({ length: 40 }, (_, i) => [i + 1, [1]])));
    expect(rig.schedule.tickUs).toBe(15_000_000);
    rig.share(Object.fromEntries(Array.from({ length: 60 }, (_, i) => [i + 1, [1]])));
    expect(rig.schedule.tickUs).toBe(10_000_000);
    const start = rig.now;
    const seen = new Set(Array.from({ length: 60 }, () => rig.turn()));
    expect(seen.size).toBe(60);
    expect(rig.now - start).toBeLessThanOrEqual(601_000_000);
  });

  it("one exchange at a time", () => {
    const rig = new Rig();
    rig.share({ 2: [1], 3: [1] });
    rig.schedule.tick(rig.now);
    rig.schedule.tick(instant(rig.now + 60_000_000));
    expect(rig.begun.length).toBe(1);
    expect(rig.schedule.nextTick()).toBe(never);
  });

  it("passes over peers that cannot be asked", () => {
    const rig = new Rig();
    rig.share({ 2: [1], 3: [1], 4: [1] });
    rig.down.add(3);
    expect([rig.turn(), rig.turn(), rig.turn()]).toEqual([2, 4, 2]);
    rig.down.add(2).add(4);
    expect(rig.turn()).toBe(0);
  });

  it("knows the oldest unverified pair", () => {
    const rig = new Rig();
    const start = rig.now;
    rig.share({ 2: [1, 2], 3: [1] });
    expect(rig.schedule.oldest()?.since).toBe(start);
    const first = instant(start + 100);
    rig.now = first;
    rig.turn({ 2: "interrupted" });
    rig.turn();
    expect(rig.schedule.oldest()).toEqual({ peer: 2, tree: 2, since: start });
    expect(rig.schedule.verifiedPair(nodeNumber(2), 1)).toBe(first);
    rig.turn({ 2: "repaired" });
    // Peer 3 was asked 15 s after the start, peer 2 again 15 s later.
    expect(rig.schedule.oldest()).toEqual({ peer: 3, tree: 1, since: first + 15_000_000 });
    rig.share({ 2: [1] });
    expect(rig.schedule.oldest()?.since).toBe(first + 30_000_000);
    expect(rig.schedule.pairs).toBe(1);
  });

  it("a pair that comes back after a transfer is new", () => {
    const rig = new Rig();
    rig.share({ 2: [1, 2] });
    rig.turn();
    rig.share({ 2: [1] });
    rig.now = instant(rig.now + 100);
    rig.share({ 2: [1, 2] });
    expect(rig.schedule.verifiedPair(nodeNumber(2), 2)).toBe(rig.now);
    expect(rig.schedule.verifiedPair(nodeNumber(3), 2)).toBe(null);
  });

  it("a tree with more to do comes up every other turn, goes on at its cursor, and may do more each time", () => {
    const rig = new Rig();
    rig.share({ 2: [1], 3: [1], 4: [1] });
    expect(rig.turn({ 1: "partial" }, 100)).toBe(2);
    expect(rig.turn({ 1: "partial" }, 300)).toBe(2);
    expect(rig.begun.at(-1)).toMatchObject({ trees: [{ tree: 1, cursor: 100 }], leavesMax: 128 });
    expect(rig.turn()).toBe(3);
    expect(rig.turn()).toBe(2);
    expect(rig.begun.at(-1)).toMatchObject({ trees: [{ tree: 1, cursor: 300 }], leavesMax: 256 });
    expect([rig.turn(), rig.turn()]).toEqual([4, 2]);
    expect(rig.begun.at(-1)).toMatchObject({ trees: [{ tree: 1, cursor: 0 }], leavesMax: 64 });
  });

  it("hurries while somebody waits for all pairs", () => {
    const rig = new Rig();
    rig.share({ 2: [1], 3: [1], 4: [1] });
    rig.turn();
    const start = rig.now;
    rig.schedule.hurry(start);
    for (let i = 0; i < 3; i += 1) rig.turn();
    expect(rig.schedule.verifiedAt()).toBeGreaterThanOrEqual(start);
    expect(rig.now - start).toBeLessThan(5_000_000);
    rig.turn();
    rig.turn();
    expect(rig.now - start).toBeGreaterThan(15_000_000);
  });

  it("an exchange that outlives its peer's trees changes nothing", () => {
    const rig = new Rig();
    rig.share({ 2: [1] });
    rig.schedule.tick(rig.now);
    rig.share({ 3: [1] });
    rig.schedule.onFinished(rig.now, { peer: nodeNumber(2), begunAt: rig.now, status: statusOk, trees: [] });
    rig.now = instant(rig.now + 15_000_000);
    expect(rig.turn()).toBe(3);
  });
});
