/** HybridClock: never back, above what it was shown, and not dragged along by clocks that are far ahead. */
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { HybridClock, stampAheadMax } from "../../../src/replica/hybrid-clock.ts";

describe("a hybrid clock", () => {
  it("follows the wall clock, and ticks where that stands still or goes back", () => {
    let wallMs = 5;
    const clock = new HybridClock(() => wallMs);
    expect([clock.next(0), clock.next(0)]).toEqual([5000, 5001]);
    wallMs = 9;
    expect(clock.next(0)).toBe(9000);
    wallMs = 2;
    expect(clock.next(0)).toBe(9001);
  });

  it("goes beyond what it was shown, by another node's write or by the one that is replaced", () => {
    const clock = new HybridClock(() => 5);
    clock.observe(7000);
    expect(clock.next(0)).toBe(7001);
    expect(clock.next(8000)).toBe(8001);
    expect(clock.next(0)).toBe(8002);
  });

  it("beats a stamp from far ahead, does not follow it, and says so", () => {
    const told = { value: 0 };
    const clock = new HybridClock(() => 5, told);
    const far = 5000 + stampAheadMax + 1;
    clock.observe(far);
    expect(clock.next(far)).toBe(far + 1);
    expect(told.value).toBe(2);
    expect(clock.next(0)).toBe(5001);
    clock.observe(far - 1);
    expect(clock.next(0)).toBe(far);
  });

  it("never goes back, whatever the wall clock does", () => {
    const step = fc.record({ wallMs: fc.nat(2000), shown: fc.nat(3_000_000), above: fc.nat(3_000_000) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
        let wallMs = 0;
        const clock = new HybridClock(() => wallMs);
        let before = 0;
        for (const one of steps) {
          wallMs = one.wallMs;
          clock.observe(one.shown);
          const stamp = clock.next(one.above);
          expect(stamp).toBeGreaterThan(one.above);
          expect(stamp).toBeGreaterThanOrEqual(1000 * wallMs);
          expect(clock.last).toBeGreaterThan(before);
          expect(stamp).toBeGreaterThanOrEqual(clock.last);
          before = clock.last;
        }
      }),
    );
  });
});
