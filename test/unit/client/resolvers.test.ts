/** Resolvers: merging is the same in whatever order siblings come, and merging a merge again changes nothing. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  lastWrittenBy,
  maxBy,
  mergeMaps,
  type Resolver,
  unionArrays,
  unionSets,
} from "../../../src/client/resolvers.ts";

function holdsLaws<T>(resolver: Resolver<T>, value: fc.Arbitrary<T>, canonical: (value: T) => unknown): void {
  const siblings = fc.array(value, { minLength: 1, maxLength: 6 });
  fc.assert(
    fc.property(siblings, fc.integer(), (all, turn) => {
      const merged = canonical(resolver(all));
      const at = Math.abs(turn) % all.length;
      expect(canonical(resolver([...all.slice(at), ...all.slice(0, at)]))).toEqual(merged);
      expect(canonical(resolver([...all].reverse()))).toEqual(merged);
      expect(canonical(resolver([resolver(all), ...all]))).toEqual(merged);
      expect(canonical(resolver([resolver(all.slice(0, at + 1)), ...all.slice(at + 1)]))).toEqual(merged);
    }),
  );
}

const sorted = (values: Iterable<number>): number[] => [...values].sort((a, b) => a - b);

describe("resolvers", () => {
  it("unionArrays", () => {
    holdsLaws(unionArrays<number>(), fc.array(fc.integer({ max: 20 })), sorted);
    expect(unionArrays<number>()([[1, 2], [2, 3], []])).toEqual([1, 2, 3]);
    expect(unionArrays<number>()([])).toEqual([]);
    const byId = unionArrays<{ id: number }>((element) => element.id);
    expect(byId([[{ id: 1 }], [{ id: 1 }, { id: 2 }]])).toEqual([{ id: 1 }, { id: 2 }]);
  });

  it("unionSets", () => {
    holdsLaws(
      unionSets<number>(),
      fc.uniqueArray(fc.integer({ max: 20 })).map((list) => new Set(list)),
      sorted,
    );
    expect(unionSets<number>()([new Set([1]), new Set([1, 2])])).toEqual(new Set([1, 2]));
  });

  it("maxBy and lastWrittenBy", () => {
    holdsLaws(
      maxBy<number>((value) => value),
      fc.integer(),
      (value) => value,
    );
    const newest = lastWrittenBy<{ at: string; what: number }, "at">("at");
    expect(
      newest([
        { at: "2026-01-02", what: 1 },
        { at: "2026-11-01", what: 2 },
        { at: "2025-12-31", what: 3 },
      ]).what,
    ).toBe(2);
    expect(() => newest([])).toThrow("nothing to resolve");
  });

  it("mergeMaps", () => {
    const counts = mergeMaps<number>(maxBy((value) => value));
    holdsLaws(counts, fc.dictionary(fc.constantFrom("a", "b", "__proto__x"), fc.integer()), (map) =>
      Object.entries(map).sort(([a], [b]) => (a < b ? -1 : 1)),
    );
    expect(counts([{ a: 1, b: 5 }, { a: 3 }, { c: 2 }])).toEqual({ a: 3, b: 5, c: 2 });
  });
});
