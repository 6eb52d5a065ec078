/**
 * An HDR histogram log, format 1.3, which HistogramLogAnalyzer and the usual plotters read: one line per interval and tag
 * (GET, PUT), values in microseconds, the maximum column in milliseconds (measurement.md 3). Intervals are kept as they
 * are and encoded after the run, because encoding one takes as long as answering a dozen requests.
 */
import { writeFileSync } from "node:fs";
import { type Histogram, HistogramLogWriter } from "hdr-histogram-js";
import { RingtailError } from "../base/errors.ts";
import type { Instant } from "../base/time.ts";
import { merged, type SeriesPoint } from "./result.ts";
import { pointOf } from "./series.ts";

interface Interval {
  readonly from: Instant;
  readonly to: Instant;
  readonly gets: Histogram;
  readonly puts: Histogram;
}

const usPerSecond = 1_000_000;
const usPerMs = 1_000;

/** One log, from the check of its path to its writing. */
export class HistogramLog {
  readonly #path: string | undefined;
  readonly #intervals: Interval[] = [];

  /**
   * Makes the file at once: a path that cannot be written is found out before the run. Throws `INVALID_ARGUMENT`. Without
   * a path it keeps the intervals only.
   */
  constructor(path: string | undefined) {
    this.#path = path;
    this.#write("");
  }

  add(from: Instant, to: Instant, gets: Histogram, puts: Histogram): void {
    this.#intervals.push({ from, to, gets, puts });
  }

  /** All that was added, gets and puts as one, in seconds from `origin`. */
  series(origin: Instant): SeriesPoint[] {
    return this.#intervals.map(({ from, to, gets, puts }) => {
      const between = { from: (from - origin) / usPerSecond, to: (to - origin) / usPerSecond };
      return pointOf({ ...between, histogram: merged(gets, puts) });
    });
  }

  /** Writes the file. `startedMs` is the wall clock at `origin`, from which intervals are counted. */
  save(origin: Instant, startedMs: number, comments: readonly string[]): void {
    this.#write(histogramLogText(this.#intervals, origin, startedMs, comments));
  }

  #write(text: string): void {
    if (this.#path === undefined) return;
    try {
      writeFileSync(this.#path, text);
    } catch (error) {
      const reason = (error as NodeJS.ErrnoException).code ?? String(error);
      throw new RingtailError("INVALID_ARGUMENT", `cannot write the histogram log ${this.#path}: ${reason}`);
    }
  }
}

function histogramLogText(
  intervals: readonly Interval[],
  origin: Instant,
  startedMs: number,
  comments: readonly string[],
): string {
  let text = "";
  const writer = new HistogramLogWriter((part) => {
    text += part;
  });
  writer.outputLogFormatVersion();
  for (const comment of comments) writer.outputComment(comment);
  writer.outputComment(`[StartTime: ${(startedMs / 1000).toFixed(3)} (seconds since epoch), ${new Date(startedMs)}]`);
  writer.outputLegend();
  for (const { from, to, gets, puts } of intervals) {
    gets.tag = "GET";
    puts.tag = "PUT";
    for (const histogram of [gets, puts]) {
      if (histogram.totalCount === 0) continue;
      const seconds = { from: (from - origin) / usPerSecond, to: (to - origin) / usPerSecond };
      writer.outputIntervalHistogram(histogram, seconds.from, seconds.to, usPerMs);
    }
  }
  return text;
}
