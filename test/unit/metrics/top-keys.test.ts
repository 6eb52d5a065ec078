/** TopKeys: what SpaceSaving promises, against exact counts; rates, and forgetting. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { utf8, utf8Text } from "../../../src/base/bytes.ts";
import { instant } from "../../../src/base/time.ts";
import { hotKeysMax, TopKeys } from "../../../src/metrics/top-keys.ts";

function record(top: TopKeys, at: number, key: number): void {
  top.record(instant(at), key, ~key >>> 0, utf8(`key-${key}`));
}

describe("TopKeys", () => {
  it("never counts too little, too much by no more than the excess, and misses no hot key", () => {
    const key = fc.oneof(fc.integer({ min: 0, max: 5 }), fc.integer({ min: 0, max: 400 }));
    fc.assert(
      fc.property(fc.array(key, { minLength: 1, maxLength: 1500 }), (keys) => {
        const top = new TopKeys();
        const counts = new Map<string, number>();
        for (const one of keys) {
          record(top, 0, one);
          counts.set(`key-${one}`, (counts.get(`key-${one}`) ?? 0) + 1);
        }
        // All within one second: rates are counts.
        const hottest = new Map(top.hottest(instant(0)).map((row) => [utf8Text(row.fullKey), row]));
        expect(top.perSecond(instant(0))).toBe(keys.length);
        expect(hottest.size).toBe(Math.min(counts.size, hotKeysMax));
        for (const [name, { perSecond, excess }] of hottest) {
          const count = counts.get(name) ?? 0;
          expect(perSecond).toBeGreaterThanOrEqual(count);
          expect(perSecond - excess).toBeLessThanOrEqual(count);
          expect(excess).toBeLessThanOrEqual(keys.length / hotKeysMax);
        }
        for (const [name, count] of counts) if (count > keys.length / hotKeysMax) expect(hottest.has(name)).toBe(true);
      }),
      { numRuns: 60 },
    );
  });

  it("tells a steady rate however long it lasts, and forgets what has ended", () => {
    const top = new TopKeys();
    for (let ms = 0; ms < 65_000; ms += 10) record(top, ms * 1000, 7);
    const [hot] = top.hottest(instant(65_000_000));
    expect(hot?.perSecond).toBeGreaterThan(98);
    expect(hot?.perSecond).toBeLessThan(102);
    for (let ms = 65_000; ms < 200_000; ms += 10) record(top, ms * 1000, 8);
    const [now, before] = top.hottest(instant(200_000_000));
    expect(utf8Text(now?.fullKey ?? utf8(""))).toBe("key-8");
    expect(before?.perSecond ?? 0).toBeLessThan(0.2);
    expect(top.hottest(instant(2_000_000_000))).toEqual([]);
  });

  it("keeps the beginning of a long key, and says so", () => {
    const top = new TopKeys();
    top.record(instant(0), 1, 1, new Uint8Array(300).fill(65));
    top.record(instant(0), 2, 2, utf8("short"));
    const cut = top.hottest(instant(0)).map(({ fullKey, isCut }) => [fullKey.length, isCut]);
    expect(cut).toEqual([
      [128, true],
      [5, false],
    ]);
  });
});
