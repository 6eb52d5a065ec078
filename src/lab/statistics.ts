/**
 * What a difference is worth: bootstrap intervals and the Wilcoxon signed-rank test. Latencies of one second resemble each
 * other (a pause hits all of them), so what is drawn again is whole seconds or whole blocks, never single operations. All
 * of it is a pure function of its input and a seed.
 */
import { type Histogram, JsHistogram } from "hdr-histogram-js";
import { assert } from "../base/assert.ts";
import { Rng } from "../base/rng.ts";

/** An estimate, and the interval that holds what it stands for in 95 of 100 cases. */
export interface Estimate {
  readonly value: number;
  readonly low: number;
  readonly high: number;
}

const resamples = 1_000;
const share = 0.95;
const seed = 20_070;

/** The middle one, or the mean of the two in the middle; NaN of nothing. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  if (sorted.length % 2 === 1) return sorted[middle] as number;
  return ((sorted[middle - 1] ?? Number.NaN) + (sorted[middle] ?? Number.NaN)) / 2;
}

/** The interval between the outer percentiles of what was drawn. */
function intervalOf(value: number, drawn: number[]): Estimate {
  drawn.sort((a, b) => a - b);
  const at = (part: number): number => drawn[Math.round(part * (drawn.length - 1))] as number;
  return { value, low: at((1 - share) / 2), high: at((1 + share) / 2) };
}

/** The median of values, by the percentile bootstrap. */
export function medianEstimate(values: readonly number[]): Estimate {
  assert(values.length > 0, "there are values");
  const rng = new Rng(seed);
  const drawn = Array.from({ length: resamples }, () =>
    median(values.map(() => values[rng.below(values.length)] as number)),
  );
  return intervalOf(median(values), drawn);
}

/** Histograms of one layout, as counts over the values that any of them has: drawing them again is adding rows. */
class Rows {
  readonly values: readonly number[];
  readonly #rows: readonly Float64Array[];

  constructor(histograms: readonly Histogram[]) {
    const maps = histograms.map(countsOf);
    this.values = [...new Set(maps.flatMap((map) => [...map.keys()]))].sort((a, b) => a - b);
    this.#rows = maps.map((map) => Float64Array.from(this.values, (value) => map.get(value) ?? 0));
  }

  /** The percentiles, ascending, of so many rows together, drawn with repetition; without `rng` of each row once. */
  percentiles(percentiles: readonly number[], rng: Rng | undefined): number[] {
    const sum = new Float64Array(this.values.length);
    for (const own of this.#rows) {
      const row = rng === undefined ? own : (this.#rows[rng.below(this.#rows.length)] as Float64Array);
      for (let i = 0; i < sum.length; i += 1) sum[i] = (sum[i] as number) + (row[i] as number);
    }
    const total = sum.reduce((a, b) => a + b, 0);
    let at = 0;
    let below = 0;
    return percentiles.map((percentile) => {
      const wanted = Math.max(1, Math.ceil((total * percentile) / 100 - 1e-9));
      for (; at < sum.length && below + (sum[at] as number) < wanted; at += 1) below += sum[at] as number;
      return this.values[at] ?? 0;
    });
  }
}

/** How often each value was recorded; a value is the highest of its bucket. */
export function countsOf(histogram: Histogram): Map<number, number> {
  assert(histogram instanceof JsHistogram, "histograms are those of latencyHistogram");
  const counts = new Map<number, number>();
  const each = histogram.recordedValuesIterator;
  for (each.reset(); each.hasNext(); ) {
    const { valueIteratedTo, countAddedInThisIterationStep } = each.next();
    counts.set(valueIteratedTo, countAddedInThisIterationStep);
  }
  return counts;
}

/** Percentiles, ascending, of what was recorded in blocks, microseconds, by a bootstrap over the blocks. */
export function percentileEstimates(blocks: readonly Histogram[], percentiles: readonly number[]): Estimate[] {
  const rows = new Rows(blocks);
  return estimatesOf((drawing) => rows.percentiles(percentiles, drawing), new Rng(seed));
}

/** The ratios of b's percentiles to a's, ascending: both are drawn again, each from its own blocks. */
export function ratioEstimates(
  a: readonly Histogram[],
  b: readonly Histogram[],
  percentiles: readonly number[],
): Estimate[] {
  const rows = { a: new Rows(a), b: new Rows(b) };
  const ratios = (drawing: Rng | undefined): number[] => {
    const above = rows.b.percentiles(percentiles, drawing);
    const below = rows.a.percentiles(percentiles, drawing);
    return above.map((one, i) => one / (below[i] as number));
  };
  return estimatesOf(ratios, new Rng(seed));
}

/** One estimate of each of some values, from the same draws: drawing is what takes the time. */
function estimatesOf(draw: (drawing: Rng | undefined) => number[], rng: Rng): Estimate[] {
  const drawn = Array.from({ length: resamples / 2 }, () => draw(rng));
  return draw(undefined).map((value, i) =>
    intervalOf(
      value,
      drawn.map((one) => one[i] as number),
    ),
  );
}

const exactMax = 25;

/**
 * The Wilcoxon signed-rank test: how likely differences are at least as lopsided as these if neither side is ahead
 * (two-sided). Exact up to 25 pairs that differ, by the normal approximation beyond. Zeros are left out; equal ones share
 * their ranks.
 */
export function wilcoxon(differences: readonly number[]): number {
  const sorted = differences.filter((one) => one !== 0).sort((a, b) => Math.abs(a) - Math.abs(b));
  if (sorted.length === 0) return 1;
  const ranks = ranksOf(sorted.map(Math.abs));
  let plus = 0;
  for (const [i, one] of sorted.entries()) if (one > 0) plus += ranks[i] as number;
  const n = sorted.length;
  const smaller = Math.min(plus, (n * (n + 1)) / 2 - plus);
  return n <= exactMax ? exactP(ranks, smaller) : normalP(n, smaller);
}

/** Ranks from 1 of sorted values; equal ones get the mean of theirs. */
function ranksOf(sorted: readonly number[]): number[] {
  return sorted.map((value) => {
    const first = sorted.indexOf(value);
    return (first + sorted.lastIndexOf(value)) / 2 + 1;
  });
}

/** Counts the assignments of signs by their sums; ranks are doubled, so that shared ones are whole. */
function exactP(ranks: readonly number[], smaller: number): number {
  const doubled = ranks.map((rank) => Math.round(2 * rank));
  const total = doubled.reduce((a, b) => a + b, 0);
  const ways = new Float64Array(total + 1);
  ways[0] = 1;
  for (const rank of doubled)
    for (let sum = total; sum >= rank; sum -= 1) ways[sum] = (ways[sum] as number) + (ways[sum - rank] as number);
  let below = 0;
  for (let sum = 0; sum <= Math.round(2 * smaller); sum += 1) below += ways[sum] as number;
  return Math.min(1, (2 * below) / 2 ** ranks.length);
}

function normalP(n: number, smaller: number): number {
  const mean = (n * (n + 1)) / 4;
  const deviation = Math.sqrt((n * (n + 1) * (2 * n + 1)) / 24);
  return Math.min(1, 2 * normalTail((mean - smaller - 0.5) / deviation));
}

/** The upper tail of the normal distribution (Abramowitz and Stegun 26.2.17; error below 1e-7). */
function normalTail(z: number): number {
  if (z < 0) return 1 - normalTail(-z);
  const t = 1 / (1 + 0.2316419 * z);
  const series = [0.31938153, -0.356563782, 1.781477937, -1.821255978, 1.330274429];
  const sum = series.reduceRight((rest, factor) => t * (factor + rest), 0);
  return (Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI)) * sum;
}
