/** Version vectors against plain maps, in the order and packing of the schema. */
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Dot } from "../../../src/version/version-vector.ts";
import { compareVersions, mergeVersions, VersionVector } from "../../../src/version/version-vector.ts";
import { naiveCovers, naiveMerge, naiveVector } from "../../support/naive-version.ts";

/** Few values, from both halves of the unsigned range, so that actors meet and signs matter. */
const word = fc.constantFrom(0, 1, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff);
const dot: fc.Arbitrary<Dot> = fc.record({
  actorHigh: word,
  actorLow: word,
  counter: fc.constantFrom(1, 2, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff),
});
const dots = fc.array(dot, { maxLength: 8 });

function vectorOf(list: readonly Dot[]): VersionVector {
  return list.reduce((vector, one) => vector.with(one), VersionVector.empty);
}

function mapOf(vector: VersionVector): Map<string, number> {
  return naiveVector(Array.from({ length: vector.size }, (_, i) => vector.entry(i)));
}

describe("VersionVector", () => {
  it("holds each actor's highest counter, whatever the order of arrival", () => {
    fc.assert(
      fc.property(dots, fc.nat(), (list, turn) => {
        const vector = vectorOf(list);
        expect(mapOf(vector)).toEqual(naiveVector(list));
        const cut = list.length === 0 ? 0 : turn % list.length;
        expect(vectorOf([...list.slice(cut), ...list.slice(0, cut)]).words).toEqual(vector.words);
      }),
    );
  });

  it("keeps entries in unsigned order of actor high, then low", () => {
    const vector = vectorOf([
      { actorHigh: 0xffff_0000, actorLow: 1, counter: 4 },
      { actorHigh: 1, actorLow: 0x8000_0000, counter: 3 },
      { actorHigh: 1, actorLow: 2, counter: 0xffff_ffff },
      { actorHigh: 0x8000_0000, actorLow: 0, counter: 1 },
    ]);
    expect(vector.words).toEqual([-1, 2, 1, 3, 0x8000_0000 | 0, 1, 1, 0, 0x8000_0000 | 0, 4, 1, 0xffff_0000 | 0]);
    expect(vector.entry(3)).toEqual({ actorHigh: 0xffff_0000, actorLow: 1, counter: 4 });
    expect(vector.counterOf(1, 2)).toBe(0xffff_ffff);
    expect(vector.counterOf(1, 3)).toBe(0);
  });

  it("covers a dot if its actor's counter is as high", () => {
    fc.assert(
      fc.property(dots, dot, (list, one) => {
        const covered = list.some(
          (other) =>
            other.actorHigh === one.actorHigh && other.actorLow === one.actorLow && other.counter >= one.counter,
        );
        expect(vectorOf(list).covers(one)).toBe(covered);
        expect(vectorOf(list).coversAny([one])).toBe(covered);
        expect(vectorOf([...list, one]).covers(one)).toBe(true);
      }),
    );
  });

  it("compares and merges as maps do", () => {
    fc.assert(
      fc.property(dots, dots, (left, right) => {
        const a = vectorOf(left);
        const b = vectorOf(right);
        const ab = naiveCovers(naiveVector(left), naiveVector(right));
        const ba = naiveCovers(naiveVector(right), naiveVector(left));
        expect(compareVersions(a, b)).toBe(ab && ba ? "equal" : ab ? "after" : ba ? "before" : "concurrent");
        expect(a.coversAll(b)).toBe(ab);
        expect(mapOf(mergeVersions(a, b))).toEqual(naiveMerge(naiveVector(left), naiveVector(right)));
        expect(mergeVersions(b, a).words).toEqual(mergeVersions(a, b).words);
      }),
    );
  });

  it("makes no new vector where nothing is new", () => {
    const a = vectorOf([{ actorHigh: 1, actorLow: 1, counter: 5 }]);
    const b = a.with({ actorHigh: 2, actorLow: 1, counter: 1 });
    expect(a.with({ actorHigh: 1, actorLow: 1, counter: 5 })).toBe(a);
    expect(mergeVersions(a, b)).toBe(b);
    expect(mergeVersions(b, a)).toBe(b);
    expect(a.size).toBe(1);
  });

  it("takes words from elsewhere only if they are a vector", () => {
    expect(VersionVector.fromWords([])).toBe(VersionVector.empty);
    expect(VersionVector.fromWords([5, 1, 1, 6, 2, 1])?.counterOf(1, 2)).toBe(6);
    expect(VersionVector.fromWords([5, 1])).toBeNull();
    expect(VersionVector.fromWords([0, 1, 1])).toBeNull();
    expect(VersionVector.fromWords([5, 1, 1, 6, 1, 1])).toBeNull();
    expect(VersionVector.fromWords([5, 1, -1, 6, 1, 1])).toBeNull();
  });

  it("refuses a dot that counts from 0", () => {
    expect(() => VersionVector.empty.with({ actorHigh: 1, actorLow: 1, counter: 0 })).toThrow("starts at 1");
  });
});
