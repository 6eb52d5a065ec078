/** Runs second by second: what a log says of each second, and stretches of it whose percentiles are those of all their values. */
import { expect, it } from "vitest";
import { Rng } from "../../../src/base/rng.ts";
import { histogramLogText } from "../../../src/lab/histogram-log.ts";
import type { Interval } from "../../../src/lab/recording.ts";
import type { SeriesPoint } from "../../../src/lab/result.ts";
import { pointOf, readHistogramLog, seriesOf, stretchOf } from "../../../src/lab/series.ts";
import { latencyHistogram } from "../../../src/metrics/metrics.ts";

const seconds = 4;
const rng = new Rng(3);
/** The microseconds of each second: gets, then puts; second 2 is a hundred times slower. */
const values = Array.from({ length: seconds }, (_, second) =>
  Array.from({ length: 400 }, () => (100 + rng.below(900)) * (second === 2 ? 100 : 1)),
);

function writtenLog(): { text: string; intervals: readonly Interval[] } {
  const intervals = values.map((all, second) => {
    const gets = latencyHistogram();
    const puts = latencyHistogram();
    for (const [i, us] of all.entries()) (i % 3 === 0 ? puts : gets).recordValue(us);
    return { from: second, to: second + 1, gets, puts };
  });
  return { text: histogramLogText(intervals, 1_700_000_000_500, []), intervals };
}

/** The least value that `percentile` of all are not above, to three digits. */
function naivePercentile(all: readonly number[], percentile: number): number {
  const sorted = [...all].sort((a, b) => a - b);
  return (sorted[Math.ceil((sorted.length * percentile) / 100) - 1] as number) / 1000;
}

it("a log read back tells each second as the run itself does", () => {
  const { text, intervals } = writtenLog();
  const run = readHistogramLog(text);
  expect(run.startedMs).toBe(1_700_000_000_500);
  const points = run.intervals.map(pointOf);
  // A log keeps buckets, and so not the largest value itself.
  const inBuckets = ({ from, to, operations, p50, p90, p99 }: SeriesPoint): unknown => [
    from,
    to,
    operations,
    p50,
    p90,
    p99,
  ];
  expect(points.map(inBuckets)).toEqual(seriesOf(intervals).map(inBuckets));
  expect(points.map(({ from, to, operations }) => [from, to, operations])).toEqual(
    values.map((all, second) => [second, second + 1, all.length]),
  );
  for (const [second, all] of values.entries()) {
    const near = (ms: number): [number, number] => [ms * 0.999, ms * 1.001];
    for (const [name, percentile] of [
      ["p50", 50],
      ["p99", 99],
      ["max", 100],
    ] as const) {
      const [least, most] = near(naivePercentile(all, percentile));
      expect(points[second]?.[name]).toBeGreaterThanOrEqual(least);
      expect(points[second]?.[name]).toBeLessThanOrEqual(most);
    }
  }
});

it("a stretch is its seconds together, and no others", () => {
  const { intervals } = readHistogramLog(writtenLog().text);
  const quiet = stretchOf(intervals, 0, 2);
  expect(quiet.operations).toBe(800);
  expect(quiet.max).toBeLessThan(1.01);
  const slow = stretchOf(intervals, 2, 4);
  expect(slow.operations).toBe(800);
  // Half of its operations are slow: an average of percentiles would be half as long.
  expect(slow.p99).toBeGreaterThan(90);
  expect(stretchOf(intervals, 7, 9)).toMatchObject({ operations: 0, p50: 0, max: 0 });
});
