/** Determinism: a run is a pure function of its seed, whatever ran before it; and nothing from outside gets in. */
import { describe, expect, it } from "vitest";
import { poisoned } from "../../../src/sim/poison.ts";
import { runSeed } from "../../../src/sim/run.ts";

const seeds = [1, 3, 5];

function hashes(order: readonly number[]): Map<number, string> {
  return new Map(order.map((seed) => [seed, runSeed({ seed }).hash]));
}

describe("determinism", () => {
  it("gives equal hashes for equal seeds, in any order", () => {
    const forward = hashes(seeds);
    const backward = hashes([...seeds].reverse());
    for (const seed of seeds) expect(backward.get(seed)).toBe(forward.get(seed));
    expect(new Set(forward.values()).size).toBe(seeds.length);
  });

  it("gives equal results, not only hashes", () => {
    const [first, second] = [runSeed({ seed: 14 }), runSeed({ seed: 14 })];
    expect(second.stats).toEqual(first.stats);
    expect(second.plan).toEqual(first.plan);
  });
});

describe("short runs", () => {
  it("have a second of faults and no change of the ring, and say how to see them again", () => {
    for (const seed of [1, 2, 3, 4]) {
      const { plan, violations, again } = runSeed({ seed, short: true });
      expect(violations).toEqual([]);
      expect([plan.chaosUs, plan.ringActs, plan.joiners]).toEqual([1_000_000, [], 0]);
      expect(again).toBe(`ringtail sim --seed ${seed} --short`);
    }
    expect(runSeed({ seed: 1, nodes: 2 }).again).toBe("ringtail sim --seed 1 --nodes 2");
  });
});

describe("poison", () => {
  it("makes every way to outside time and chance throw", () => {
    const ways: readonly (() => unknown)[] = [
      () => Date.now(),
      () => new Date(),
      () => Math.random(),
      () => performance.now(),
      () => setTimeout(() => {}, 0),
      () => setImmediate(() => {}),
      () => queueMicrotask(() => {}),
      () => crypto.getRandomValues(new Uint8Array(1)),
      () => new Intl.NumberFormat(),
    ];
    const thrown = poisoned(() =>
      ways.map((way) => {
        try {
          way();
          return false;
        } catch {
          return true;
        }
      }),
    );
    expect(thrown).toEqual(ways.map(() => true));
  });

  it("puts everything back, even after an exception", () => {
    const { now } = Date;
    expect(() =>
      poisoned(() => {
        throw new Error("on purpose");
      }),
    ).toThrow("on purpose");
    expect(Date.now).toBe(now);
    expect(Math.random()).toBeLessThan(1);
  });
});
