/**
 * Metrics: named counters and latency histograms of one process. Recording is a field increment or one histogram call;
 * reading is for status and reports. Latencies are whole microseconds, 1 us to 60 s, three significant digits, in HDR
 * histograms, so that those of several nodes can be merged; percentiles are never averaged.
 */
import { build, type Histogram } from "hdr-histogram-js";

/** One count that only rises, or a level; `value` is changed in place. */
export class Counter {
  readonly name: string;
  value = 0;

  constructor(name: string) {
    this.name = name;
  }
}

/** What `status` shows of a histogram; microseconds. */
export interface LatencySummary {
  readonly name: string;
  readonly count: number;
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
}

const highest = 60_000_000;

/** An HDR histogram of microseconds, with the layout that all of Ringtail uses. */
export function latencyHistogram(): Histogram {
  return build({
    bitBucketSize: 32,
    autoResize: false,
    lowestDiscernibleValue: 1,
    highestTrackableValue: highest,
    numberOfSignificantValueDigits: 3,
    useWebAssembly: false,
  });
}

/** A named latency; its histogram is made at the first record, since an idle one would cost 70 KiB. */
export class Latency {
  readonly name: string;
  #histogram: Histogram | undefined;

  constructor(name: string) {
    this.name = name;
  }

  /** Records one duration in microseconds; beyond 60 s counts as 60 s. */
  record(us: number): void {
    if (this.#histogram === undefined) this.#histogram = latencyHistogram();
    this.#histogram.recordValue(Math.max(1, Math.min(us, highest)));
  }

  summary(): LatencySummary {
    const h = this.#histogram;
    if (h === undefined) return { name: this.name, count: 0, p50: 0, p99: 0, p999: 0, max: 0 };
    return {
      name: this.name,
      count: h.totalCount,
      p50: h.getValueAtPercentile(50),
      p99: h.getValueAtPercentile(99),
      p999: h.getValueAtPercentile(99.9),
      max: h.maxValue,
    };
  }
}

/** The registry of one node. */
export class Metrics {
  readonly counters: Counter[] = [];
  readonly latencies: Latency[] = [];

  counter(name: string): Counter {
    const counter = new Counter(name);
    this.counters.push(counter);
    return counter;
  }

  latency(name: string): Latency {
    const latency = new Latency(name);
    this.latencies.push(latency);
    return latency;
  }
}
