/** Intervals and tests of differences: against naive counting, and against what they promise. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Rng } from "../../../src/base/rng.ts";
import { fraction } from "../../../src/lab/key-choice.ts";
import {
  countsOf,
  median,
  medianEstimate,
  percentileEstimates,
  ratioEstimates,
  wilcoxon,
} from "../../../src/lab/statistics.ts";
import { latencyHistogram } from "../../../src/metrics/metrics.ts";

type Histogram = ReturnType<typeof latencyHistogram>;

function histogramOf(values: readonly number[]): Histogram {
  const histogram = latencyHistogram();
  for (const value of values) histogram.recordValue(value);
  return histogram;
}

/** Seconds of exponential latencies with that mean; some seconds are slower. */
function secondsOf(rng: Rng, count: number, meanUs: number): Histogram[] {
  return Array.from({ length: count }, () => {
    const slow = rng.below(5) === 0 ? 1.5 : 1;
    return histogramOf(Array.from({ length: 400 }, () => Math.ceil(-Math.log(1 - fraction(rng)) * meanUs * slow) + 1));
  });
}

it("the median is the middle, or the mean of the two in the middle", () => {
  expect(median([3, 1, 2])).toBe(2);
  expect(median([4, 1, 2, 3])).toBe(2.5);
  expect(median([])).toBeNaN();
});

it("counts are those of every bucket, and all of them", () =>
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 60_000_000 }), { maxLength: 60 }), (values) => {
      const histogram = histogramOf(values);
      const counts = countsOf(histogram);
      expect([...counts.values()].reduce((a, b) => a + b, 0)).toBe(values.length);
      for (const [value] of counts) expect(values.some((one) => one <= value && one >= value * 0.998 - 1)).toBe(true);
    }),
  ));

describe("wilcoxon", () => {
  /** All assignments of signs, counted. */
  function naive(differences: readonly number[]): number {
    const sizes = differences.map(Math.abs).sort((a, b) => a - b);
    const ranks = sizes.map((size) => (sizes.indexOf(size) + sizes.lastIndexOf(size)) / 2 + 1);
    const rankOf = (one: number): number => ranks[sizes.indexOf(Math.abs(one))] as number;
    const total = ranks.reduce((a, b) => a + b, 0);
    const plus = differences.reduce((sum, one) => sum + (one > 0 ? rankOf(one) : 0), 0);
    const smaller = Math.min(plus, total - plus);
    let below = 0;
    for (let signs = 0; signs < 2 ** ranks.length; signs += 1) {
      const sum = ranks.reduce((all, rank, i) => all + ((signs >> i) % 2 === 1 ? rank : 0), 0);
      if (sum <= smaller) below += 1;
    }
    return Math.min(1, (2 * below) / 2 ** ranks.length);
  }

  it("agrees with counting all signs, ties included", () =>
    fc.assert(
      fc.property(
        fc.array(
          fc.integer({ min: -6, max: 6 }).filter((one) => one !== 0),
          { minLength: 1, maxLength: 10 },
        ),
        (all) => {
          expect(wilcoxon(all)).toBeCloseTo(naive(all), 12);
        },
      ),
      { numRuns: 60 },
    ));

  it("ten differences of one sign: 2 of 1,024; none at all: 1", () => {
    expect(wilcoxon([1, 2, 3, 4, 5, 6, 7, 8, 9, 10])).toBeCloseTo(2 / 1024, 12);
    expect(wilcoxon([0, 0])).toBe(1);
  });

  it("beyond 25 pairs it is close to the exact count", () => {
    const n = 30;
    const total = (n * (n + 1)) / 2;
    // How many sets of ranks have each sum, by adding one rank after the other.
    let ways = new Map([[0, 1]]);
    for (let rank = 1; rank <= n; rank += 1) {
      const next = new Map(ways);
      for (const [sum, count] of ways) next.set(sum + rank, (next.get(sum + rank) ?? 0) + count);
      ways = next;
    }
    for (const every of [2, 3, 4, 7]) {
      const differences = Array.from({ length: n }, (_, i) => (i % every === 0 ? -1 : 1) * (i + 1));
      const minus = differences.reduce((sum, one) => sum - Math.min(0, one), 0);
      const smaller = Math.min(minus, total - minus);
      const below = [...ways].reduce((all, [sum, count]) => all + (sum <= smaller ? count : 0), 0);
      expect(Math.abs(wilcoxon(differences) - Math.min(1, (2 * below) / 2 ** n))).toBeLessThan(0.005);
    }
  });
});

describe("bootstrap", () => {
  it("the estimate is the percentile of all, and lies within its interval", () => {
    const seconds = secondsOf(new Rng(1), 20, 1000);
    const all = latencyHistogram();
    for (const second of seconds) all.add(second);
    const percentiles = [50, 99, 99.9];
    for (const [i, { value, low, high }] of percentileEstimates(seconds, percentiles).entries()) {
      expect(value).toBe(all.getValueAtPercentile(percentiles[i] as number));
      expect(low).toBeLessThanOrEqual(value);
      expect(high).toBeGreaterThanOrEqual(value);
      expect(low).toBeLessThan(high);
    }
  });

  it("the interval of a median holds the true one in about 95 of 100 cases", () => {
    const rng = new Rng(7);
    let held = 0;
    for (let i = 0; i < 100; i += 1) {
      const { low, high } = medianEstimate(Array.from({ length: 20 }, () => fraction(rng)));
      if (low <= 0.5 && high >= 0.5) held += 1;
    }
    expect(held).toBeGreaterThan(85);
  });

  it("a ratio of equals holds 1, and one of a third slower does not", () => {
    const rng = new Rng(3);
    const [same] = ratioEstimates(secondsOf(rng, 30, 1000), secondsOf(rng, 30, 1000), [99]);
    expect(same?.low).toBeLessThan(1);
    expect(same?.high).toBeGreaterThan(1);
    const [slower] = ratioEstimates(secondsOf(rng, 30, 1000), secondsOf(rng, 30, 1350), [50]);
    expect(slower?.low).toBeGreaterThan(1.15);
    expect(slower?.high).toBeLessThan(1.6);
  });
});
