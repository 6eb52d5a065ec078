/**
 * The percentile spectrum: a latency for every percentile up to p99.999, in equal steps of nines, which is how tails are
 * compared. A point with too few samples beyond it says so: it is there to be seen, not quoted.
 */
import type { Histogram } from "hdr-histogram-js";
import { enoughBeyond } from "./result.ts";

/** One point of a spectrum. */
export interface SpectrumPoint {
  readonly percentile: number;
  readonly ms: number;
  /** Whether at least 100 samples lie beyond it. */
  readonly enough: boolean;
}

const stepsPerNine = 20;
const ninesMax = 5;

/** How many nines a percentile has: 0 for p0, 1 for p90, 3 for p99.9. */
export function ninesOf(percentile: number): number {
  return -Math.log10(1 - percentile / 100);
}

/** From p0 to p99.999, or to the last percentile that any sample lies beyond. Microseconds in, milliseconds out. */
export function spectrumOf(histogram: Histogram): SpectrumPoint[] {
  const { totalCount, maxValue } = histogram;
  const points: SpectrumPoint[] = [];
  for (let step = 0; step <= stepsPerNine * ninesMax; step += 1) {
    const beyond = 10 ** (-step / stepsPerNine);
    if (totalCount * beyond < 1) break;
    const percentile = 100 * (1 - beyond);
    const ms = Math.min(histogram.getValueAtPercentile(percentile), maxValue) / 1000;
    points.push({ percentile, ms, enough: enoughBeyond(totalCount, percentile) });
  }
  return points;
}
