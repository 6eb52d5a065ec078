/** Busy keys: one change of a key at a time, waiters in order. */
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

  it("grows with the keys that are held, and keeps their waiters", () => {
    const keys = new BusyKeys<Named>();
    for (let i = 0; i < 1000; i += 1) {
      expect(keys.take(i >>> 3, i * 64)).toBe(true);
      keys.wait(i >>> 3, i * 64, new Named(i));
    }
    for (let i = 0; i < 1000; i += 1) expect(keys.pass(i >>> 3, i * 64)?.name).toBe(i);
    for (let i = 0; i < 1000; i += 1) expect(keys.pass(i >>> 3, i * 64)).toBeNull();
    expect(keys.busy).toBe(0);
  });

  it("agrees with a map of arrays, through collisions, growth and removal", () => {
    // Low words that differ by multiples of 64 probe from the same slot of the first table.
    const low = fc.tuple(fc.nat(20), fc.nat(5)).map(([times, rest]) => times * 64 + rest);
    const step = fc.record({ high: fc.nat(2), low, pass: fc.boolean(), pick: fc.nat(1000) });
    fc.assert(
      fc.property(fc.array(step, { minLength: 100, maxLength: 400, size: "max" }), (steps) => {
        const keys = new BusyKeys<Named>();
        const naive = new Map<string, { high: number; low: number; waiting: number[] }>();
        let name = 0;
        for (const { high, low, pass, pick } of steps) {
          if (pass && naive.size > 0) {
            const [text, held] = [...naive][pick % naive.size] as [
              string,
              { high: number; low: number; waiting: number[] },
            ];
            const next = held.waiting.shift();
            if (next === undefined) naive.delete(text);
            expect(keys.pass(held.high, held.low)?.name).toBe(next);
          } else {
            const held = naive.get(`${high}/${low}`);
            expect(keys.take(high, low)).toBe(held === undefined);
            if (held === undefined) naive.set(`${high}/${low}`, { high, low, waiting: [] });
            else {
              name += 1;
              held.waiting.push(name);
              keys.wait(high, low, new Named(name));
            }
          }
          expect(keys.busy).toBe(naive.size);
        }
        let waiting = 0;
        for (const held of naive.values()) waiting += held.waiting.length;
        expect(keys.waiting).toBe(waiting);
      }),
      { numRuns: 30 },
    );
  });
});
