/** Fifo against a plain array. */
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Fifo } from "../../../src/base/fifo.ts";

describe("Fifo", () => {
  it("gives the oldest, or the newest if asked, through growth and wrap-around", () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom("push", "push", "shift", "pop"), { maxLength: 300, size: "max" }),
        fc.integer({ min: 1, max: 70 }),
        (ops, limit) => {
          const fifo = new Fifo<number>(limit);
          const twin: number[] = [];
          ops.forEach((op, i) => {
            if (op === "shift") expect(fifo.shift()).toBe(twin.shift());
            else if (op === "pop") expect(fifo.pop()).toBe(twin.pop());
            else if (twin.length < limit) {
              fifo.push(i);
              twin.push(i);
            }
            const seen = fifo.size === twin.length && fifo.full === (twin.length === limit) && fifo.peek() === twin[0];
            expect(seen).toBe(true);
          });
          while (twin.length > 0) expect(fifo.shift()).toBe(twin.shift());
          expect(fifo.shift()).toBeUndefined();
        },
      ),
      { numRuns: 100 },
    );
  });

  it("refuses to exceed its limit", () => {
    const fifo = new Fifo<number>(1);
    fifo.push(1);
    expect(() => fifo.push(2)).toThrow("full");
    expect(() => new Fifo(0)).toThrow("positive");
  });
});
