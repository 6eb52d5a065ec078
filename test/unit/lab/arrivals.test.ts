/** Arrivals: the rate is kept exactly, and Poisson gaps are exponential and independent. */
import { describe, expect, it } from "vitest";
import { Rng } from "../../../src/base/rng.ts";
import { instant } from "../../../src/base/time.ts";
import { type ArrivalKind, Arrivals } from "../../../src/lab/arrivals.ts";

function taken(kind: ArrivalKind, rate: number, count: number, seed = 1): number[] {
  const arrivals = new Arrivals(kind, rate, new Rng(seed), instant(1000));
  return Array.from({ length: count }, () => {
    const at = arrivals.next;
    arrivals.advance();
    return at;
  });
}

function gaps(times: readonly number[]): number[] {
  return times.slice(1).map((time, i) => time - (times[i] as number));
}

describe("constant", () => {
  it("is evenly spaced, and a rate that is no whole number of microseconds does not drift", () => {
    const times = taken("constant", 3000, 30_001);
    expect(times[0]).toBe(1333);
    expect(times[30_000]).toBe(1000 + 10_000_333);
    expect(new Set(gaps(times))).toEqual(new Set([333, 334]));
  });
});

describe("poisson", () => {
  const count = 100_000;
  const mean = 200;
  const all = gaps(taken("poisson", 1_000_000 / mean, count));

  it("keeps the rate", () => {
    const average = all.reduce((sum, gap) => sum + gap, 0) / all.length;
    expect(Math.abs(average / mean - 1)).toBeLessThan(0.02);
  });

  it("has exponential gaps", () => {
    for (const multiple of [0.5, 1, 2, 4]) {
      const longer = all.filter((gap) => gap > multiple * mean).length / all.length;
      expect(Math.abs(longer - Math.exp(-multiple))).toBeLessThan(0.01);
    }
  });

  it("has independent counts: their variance per window equals their mean", () => {
    const times = taken("poisson", 5000, count, 9);
    const window = 10_000;
    const counts = new Array<number>(Math.floor((times.at(-1) as number) / window)).fill(0);
    for (const time of times) {
      const i = Math.floor(time / window);
      if (i < counts.length) counts[i] = (counts[i] as number) + 1;
    }
    const average = counts.reduce((sum, n) => sum + n, 0) / counts.length;
    const variance = counts.reduce((sum, n) => sum + (n - average) ** 2, 0) / counts.length;
    expect(variance / average).toBeGreaterThan(0.85);
    expect(variance / average).toBeLessThan(1.15);
  });

  it("comes again with the seed", () => {
    expect(taken("poisson", 100, 50, 3)).toEqual(taken("poisson", 100, 50, 3));
    expect(taken("poisson", 100, 50, 3)).not.toEqual(taken("poisson", 100, 50, 4));
  });
});
