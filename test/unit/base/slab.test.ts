/** Slab: an id finds its entry until it is removed, and never a successor in the same place. */
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Slab } from "../../../src/base/slab.ts";

describe("Slab", () => {
  it("agrees with a map that never forgets an id", () => {
    fc.assert(
      fc.property(fc.array(fc.nat({ max: 99 }), { maxLength: 200 }), (steps) => {
        const slab = new Slab<string>(8);
        const live = new Map<number, string>();
        const removed: number[] = [];
        steps.forEach((step, i) => {
          if (step < 60 && !slab.full) {
            const id = slab.add(`entry ${i}`);
            expect(live.has(id)).toBe(false);
            expect(removed).not.toContain(id);
            expect(id >= 0 && id < 2 ** 29).toBe(true);
            live.set(id, `entry ${i}`);
          } else if (live.size > 0) {
            const id = [...live.keys()][step % live.size] as number;
            slab.remove(id);
            live.delete(id);
            removed.push(id);
          }
          expect(slab.size).toBe(live.size);
          for (const [id, entry] of live) expect(slab.get(id)).toBe(entry);
          for (const id of removed) expect(slab.get(id)).toBeUndefined();
        });
        const visited = new Map<number, string>();
        slab.forEach((entry, id) => {
          visited.set(id, entry);
        });
        expect(visited).toEqual(new Map([...live].sort(([a], [b]) => (a & 0xffff) - (b & 0xffff))));
      }),
      { numRuns: 60 },
    );
  });

  it("comes back to an old id only after 8,192 reuses of the place", () => {
    const slab = new Slab<number>(1);
    const first = slab.add(0);
    for (let i = 1; i < 8192; i += 1) {
      slab.remove(i === 1 ? first : lastId(slab));
      expect(slab.add(i)).not.toBe(first);
    }
    slab.remove(lastId(slab));
    expect(slab.add(8192)).toBe(first);
  });

  it("refuses what it cannot do", () => {
    const slab = new Slab<number>(1);
    const id = slab.add(1);
    expect(() => slab.add(2)).toThrow("full");
    slab.remove(id);
    expect(() => slab.remove(id)).toThrow("not live");
    expect(() => new Slab(0)).toThrow("limit");
    expect(() => new Slab(65_537)).toThrow("limit");
    expect(slab.get(12_345)).toBeUndefined();
  });
});

function lastId(slab: Slab<number>): number {
  let last = -1;
  slab.forEach((_, id) => {
    last = id;
  });
  return last;
}
