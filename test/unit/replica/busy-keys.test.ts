import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { AssertionError } from "../../../src/base/assert.ts";
import { BusyKeys, type Waiter } from "../../../src/replica/busy-keys.ts";

class Named implements Waiter<Named> {
  readonly name: number;
  nextWaiter: Named | null = null;

  constructor(name: number) {
    this.name = name;
  }
}

describe("busy keys", () => {
  it("serves the waiters of a key in order, then frees it", () => {
    const keys = new BusyKeys<Named>();
    expect(keys.take(1, 2)).toBe(true);
    expect(keys.take(1, 2)).toBe(false);
    expect(keys.take(2, 2)).toBe(true);
    keys.wait(1, 2, new Named(10));
    keys.wait(1, 2, new Named(11));
    expect([keys.busy, keys.waiting]).toEqual([2, 2]);
    expect(keys.pass(1, 2)?.name).toBe(10);
    keys.wait(1, 2, new Named(12));
    expect(keys.pass(1, 2)?.name).toBe(11);
    expect(keys.pass(1, 2)?.name).toBe(12);
    expect(keys.pass(1, 2)).toBeNull();
    expect([keys.busy, keys.waiting]).toEqual([1, 0]);
    expect(keys.take(1, 2)).toBe(true);
  });

  it("asserts that only a key that is held is waited for and passed on", () => {
    const keys = new BusyKeys<Named>();
    expect(() => keys.pass(1, 2)).toThrow(AssertionError);
    expect(() => keys.wait(1, 2, new Named(1))).toThrow(AssertionError);
  });

  it("agrees with a map of arrays, through collisions, growth and removal", () => {
    const key = fc.record({ high: fc.integer({ min: 0, max: 3 }), low: fc.integer({ min: 0, max: 200 }) });
    const step = fc.record({ key, pass: fc.boolean() });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 600 }), (steps) => {
        const keys = new BusyKeys<Named>();
        const naive = new Map<string, number[]>();
        let name = 0;
        for (const { key, pass } of steps) {
          // Low words that differ by multiples of the table's size probe from the same slot.
          const low = (key.low % 40) * 64 + Math.floor(key.low / 40);
          const text = `${key.high}/${low}`;
          const queue = naive.get(text);
          if (pass) {
            if (queue === undefined) continue;
            const next = queue.shift();
            if (next === undefined) naive.delete(text);
            expect(keys.pass(key.high, low)?.name).toBe(next);
          } else {
            expect(keys.take(key.high, low)).toBe(queue === undefined);
            if (queue === undefined) naive.set(text, []);
            else {
              name += 1;
              queue.push(name);
              keys.wait(key.high, low, new Named(name));
            }
          }
          expect(keys.busy).toBe(naive.size);
        }
        let waiting = 0;
        for (const queue of naive.values()) waiting += queue.length;
        expect(keys.waiting).toBe(waiting);
      }),
      { numRuns: 200 },
    );
  });
});
