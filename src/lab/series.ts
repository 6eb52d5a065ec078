/**
 * A run second by second: the time series that a fault, a join or a pause shows up in, and stretches of it as one. It is
 * read from the intervals of a run or from its HDR log (histogram-log.ts), so that a log of any generator serves. Stretches
 * merge histograms; percentiles are never averaged. A point of one second has few samples beyond p99.9: it is there to be
 * plotted, not quoted.
 */
import { type Histogram, HistogramLogReader } from "hdr-histogram-js";
import { latencyHistogram } from "../metrics/metrics.ts";
import type { Interval } from "./recording.ts";
import { merged, percentilesOf, type SeriesPoint } from "./result.ts";

/** What was answered between two instants, in seconds from the start of the measured window. */
export interface LoggedInterval {
  readonly from: number;
  readonly to: number;
  /** Gets and puts, microseconds. */
  readonly histogram: Histogram;
}

/** An HDR log as it was read. */
export interface LoggedRun {
  /** Wall clock at second 0. */
  readonly startedMs: number;
  readonly intervals: readonly LoggedInterval[];
}

const startPattern = /^#\[StartTime: (\d+(?:\.\d+)?)/m;

/** Reads the text of an HDR log: one interval for all tags with the same start. */
export function readHistogramLog(text: string): LoggedRun {
  const startedMs = Math.round(Number(startPattern.exec(text)?.[1] ?? 0) * 1000);
  const reader = new HistogramLogReader(text);
  const byStart = new Map<number, LoggedInterval>();
  for (let next = reader.nextIntervalHistogram(); next !== null; next = reader.nextIntervalHistogram()) {
    const from = (next.startTimeStampMsec - startedMs) / 1000;
    const to = (next.endTimeStampMsec - startedMs) / 1000;
    const known = byStart.get(from);
    byStart.set(from, { from, to, histogram: known === undefined ? next : merged(known.histogram, next) });
  }
  return { startedMs, intervals: [...byStart.values()].sort((a, b) => a.from - b.from) };
}

/** The intervals of a run as points, gets and puts as one. */
export function seriesOf(intervals: readonly Interval[]): SeriesPoint[] {
  return intervals.map(({ from, to, gets, puts }) => pointOf({ from, to, histogram: merged(gets, puts) }));
}

/** One interval as a point. */
export function pointOf({ from, to, histogram }: LoggedInterval): SeriesPoint {
  return { from, to, operations: histogram.totalCount, ...percentilesOf(histogram) };
}

/** All that was answered in intervals whose middle lies from `from` up to `to`. */
export function stretchOf(intervals: readonly LoggedInterval[], from: number, to: number): SeriesPoint {
  const sum = latencyHistogram();
  for (const interval of intervals) {
    const middle = (interval.from + interval.to) / 2;
    if (middle >= from && middle < to) sum.add(interval.histogram);
  }
  return pointOf({ from, to, histogram: sum });
}
