/** Rng: the same seed gives the same draws for ever, in range, and forks do not depend on each other. */
import { describe, expect, it } from "vitest";
import { Rng } from "../../../src/base/rng.ts";

/** xoshiro128** once more, in BigInt, from the state that splitmix32 gives for the seed. */
function naive(seed: number, count: number): number[] {
  const mask = 0xffff_ffffn;
  let x = BigInt(seed >>> 0);
  const split = (): bigint => {
    x = (x + 0x9e3779b9n) & mask;
    let z = x;
    z = ((z ^ (z >> 16n)) * 0x21f0aaadn) & mask;
    z = ((z ^ (z >> 15n)) * 0x735a2d97n) & mask;
    return z ^ (z >> 15n);
  };
  const rotl = (value: bigint, by: bigint): bigint => ((value << by) | (value >> (32n - by))) & mask;
  let s: [bigint, bigint, bigint, bigint] = [split(), split(), split(), split()];
  return Array.from({ length: count }, () => {
    const result = (rotl((s[1] * 5n) & mask, 7n) * 9n) & mask;
    const t = (s[1] << 9n) & mask;
    const s2 = s[2] ^ s[0];
    const s3 = s[3] ^ s[1];
    s = [s[0] ^ s3, s[1] ^ s2, s2 ^ t, rotl(s3, 11n)];
    return Number(result);
  });
}

describe("Rng", () => {
  it("is xoshiro128** seeded by splitmix32", () => {
    for (const seed of [0, 1, 42, 0xffff_ffff]) {
      const rng = new Rng(seed);
      expect(Array.from({ length: 50 }, () => rng.u32())).toEqual(naive(seed, 50));
    }
  });

  it("draws within bounds and reaches all of them", () => {
    const rng = new Rng(7);
    const seen = new Set<number>();
    for (let i = 0; i < 1_000; i += 1) {
      const value = rng.between(-2, 3);
      expect(Number.isInteger(value) && value >= -2 && value <= 3).toBe(true);
      seen.add(value);
    }
    expect(seen.size).toBe(6);
    expect(rng.below(1)).toBe(0);
    expect(Array.from({ length: 100 }, () => rng.chance(0)).includes(true)).toBe(false);
    expect(Array.from({ length: 100 }, () => rng.chance(1000)).includes(false)).toBe(false);
    expect(["a", "b"]).toContain(rng.pick(["a", "b"]));
  });

  it("shuffles in place, keeping every element", () => {
    const list = Array.from({ length: 50 }, (_, i) => i);
    const shuffled = list.slice();
    expect(new Rng(3).shuffle(shuffled)).toBe(shuffled);
    expect(shuffled).not.toEqual(list);
    expect(shuffled.sort((a, b) => a - b)).toEqual(list);
  });

  it("forks by seed and name alone", () => {
    const used = new Rng(5);
    for (let i = 0; i < 10; i += 1) used.u32();
    expect(used.fork("disk").u32()).toBe(new Rng(5).fork("disk").u32());
    expect(new Rng(5).fork("disk").u32()).not.toBe(new Rng(5).fork("network").u32());
    expect(new Rng(5).fork("disk").u32()).not.toBe(new Rng(6).fork("disk").u32());
  });

  it("fills bytes", () => {
    const bytes = new Rng(9).fill(new Uint8Array(64));
    expect(new Set(bytes).size).toBeGreaterThan(30);
    expect(new Rng(9).fill(new Uint8Array(64))).toEqual(bytes);
  });
});
