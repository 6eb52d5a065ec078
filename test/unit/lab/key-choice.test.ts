/** Key choice: the zipfian draws have Zipf's shape, the uniform ones none, and both come again with the seed. */
import { describe, expect, it } from "vitest";
import { Rng } from "../../../src/base/rng.ts";
import {
  fraction,
  type KeyChoice,
  keyChoice,
  ZipfianRanks,
  zeta,
  zipfianExponent,
} from "../../../src/lab/key-choice.ts";

const draws = 200_000;

function countsOf(choice: KeyChoice, keys: number): number[] {
  const counts = new Array<number>(keys).fill(0);
  for (let i = 0; i < draws; i += 1) {
    const key = choice.next();
    counts[key] = (counts[key] ?? Number.NaN) + 1;
  }
  return counts;
}

/** Five standard deviations of a count with this probability. */
function slack(probability: number): number {
  return 5 * Math.sqrt(draws * probability * (1 - probability));
}

describe("zipfian ranks", () => {
  it.each([3, 10, 1000, 100_000])("the two hottest of %i keys have Zipf's share", (keys) => {
    const counts = countsOf(new ZipfianRanks(new Rng(7), keys), keys);
    const sum = zeta(keys, zipfianExponent);
    expect(Math.abs((counts[0] as number) - draws / sum)).toBeLessThan(slack(1 / sum));
    const second = 0.5 ** zipfianExponent / sum;
    expect(Math.abs((counts[1] as number) - draws * second)).toBeLessThan(slack(second));
  });

  it("each decade of ranks has about the share that the law gives it", () => {
    const keys = 100_000;
    const counts = countsOf(new ZipfianRanks(new Rng(8), keys), keys);
    const sum = zeta(keys, zipfianExponent);
    for (const [from, to] of [
      [10, 100],
      [100, 1000],
      [1000, 10_000],
      [10_000, 100_000],
    ] as const) {
      const share = (zeta(to, zipfianExponent) - zeta(from, zipfianExponent)) / sum;
      const seen = counts.slice(from, to).reduce((total, count) => total + count, 0) / draws;
      expect(Math.abs(seen / share - 1)).toBeLessThan(0.03);
    }
  });

  it.each([1, 2])("%i keys: every draw is one of them", (keys) => {
    expect(countsOf(new ZipfianRanks(new Rng(1), keys), keys).every((count) => count > 0)).toBe(true);
  });
});

describe("scrambled zipfian", () => {
  it("keeps the hottest key's share, but not its place beside the next", () => {
    const keys = 10_000;
    const counts = countsOf(keyChoice("zipfian", new Rng(3), keys), keys);
    const order = [...counts.keys()].sort((a, b) => (counts[b] as number) - (counts[a] as number));
    const share = (counts[order[0] as number] as number) / draws;
    expect(share * zeta(keys, zipfianExponent)).toBeGreaterThan(0.9);
    expect(share * zeta(keys, zipfianExponent)).toBeLessThan(1.2);
    expect(order.slice(0, 5).every((key) => key > 20)).toBe(true);
  });

  it("the same keys are hot whatever the seed", () => {
    const hottest = [1, 2].map((seed) => {
      const counts = countsOf(keyChoice("zipfian", new Rng(seed), 1000), 1000);
      return counts.indexOf(Math.max(...counts));
    });
    expect(hottest[0]).toBe(hottest[1]);
  });
});

describe("uniform", () => {
  it("passes a chi-square test", () => {
    const keys = 1000;
    const expected = draws / keys;
    const counts = countsOf(keyChoice("uniform", new Rng(5), keys), keys);
    const statistic = counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
    // 999 degrees of freedom: mean 999, standard deviation 45.
    expect(statistic).toBeGreaterThan(999 - 5 * 45);
    expect(statistic).toBeLessThan(999 + 5 * 45);
  });
});

it.each(["uniform", "zipfian"] as const)(
  "%s: the same seed draws the same keys, another seed others",
  (distribution) => {
    const take = (seed: number): string => {
      const choice = keyChoice(distribution, new Rng(seed), 1000);
      return Array.from({ length: 50 }, () => choice.next()).join();
    };
    expect(take(4)).toBe(take(4));
    expect(take(4)).not.toBe(take(5));
  },
);

it("a fraction is in [0, 1) and even", () => {
  const rng = new Rng(6);
  let sum = 0;
  for (let i = 0; i < draws; i += 1) {
    const value = fraction(rng);
    if (value < 0 || value >= 1) throw new Error(`out of range: ${value}`);
    sum += value;
  }
  expect(Math.abs(sum / draws - 0.5)).toBeLessThan(0.005);
});
