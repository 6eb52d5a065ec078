/**
 * The result of a run, as plain data in the shape that other programs read (`bench --json`): all of it is stable, and
 * fields may be added. Times are milliseconds.
 */
import type { Histogram } from "hdr-histogram-js";
import type { Coordination } from "../client/own-coordination.ts";
import { latencyHistogram } from "../metrics/metrics.ts";
import type { ArrivalKind } from "./arrivals.ts";
import type { LoadReport } from "./load-phase.ts";
import type { Machine, UsageBetween } from "./machine.ts";
import type { Pacing } from "./pacing.ts";
import type { KindRecord, Recorder } from "./recorder.ts";
import type { SystemFacts } from "./target.ts";
import type { Workload } from "./workloads.ts";

/** The percentiles that are reported. */
export const percentiles: readonly (readonly [name: PercentileName, percentile: number])[] = [
  ["p50", 50],
  ["p90", 90],
  ["p99", 99],
  ["p99.9", 99.9],
  ["p99.99", 99.99],
];

/** As in the JSON. */
export type PercentileName = "p50" | "p90" | "p99" | "p99.9" | "p99.99";

/** Milliseconds. All zeros without samples. */
export type Percentiles = Readonly<Record<PercentileName | "max", number>>;

/** One second, or one stretch, of a run: seconds from the start of the measured window. */
export interface SeriesPoint extends Percentiles {
  readonly from: number;
  readonly to: number;
  readonly operations: number;
}

/** What one kind of operation did. The percentiles are response times, by name, as in `latencyMs`. */
export interface KindResult extends Percentiles {
  readonly operations: number;
  readonly errors: number;
  readonly serviceMs: Percentiles;
}

/** How load was made. */
export interface RunPlan {
  readonly mode: "closed" | "open";
  /** In a closed loop. */
  readonly clients: number | null;
  /** In an open loop: operations per second asked for. */
  readonly rate: number | null;
  readonly arrivals: ArrivalKind | null;
  readonly pacing: Pacing | null;
  readonly durationSeconds: number;
  readonly warmUpSeconds: number;
  readonly connections: number;
  /** Of gets. */
  readonly coordination: Coordination;
  readonly inFlightMax: number;
  readonly seed: number;
}

/** Stalls in milliseconds; `prior`: the idle process waited for no other. */
export interface Hiccups {
  readonly generator: Percentiles;
  readonly machine: (Percentiles & { readonly prior: boolean }) | null;
}

/** `bench --json`. */
export interface BenchResult {
  readonly workload: Workload & RunPlan;
  /** Answered, of those due in the measured window. */
  readonly operations: number;
  readonly errors: number;
  /** Answers per second inside the measured window. */
  readonly throughput: number;
  /** Response time, of all operations. */
  readonly latencyMs: Percentiles;
  readonly get: KindResult;
  readonly put: KindResult;
  /** Null, or why the figures must not be published. */
  readonly voided: string | null;
  readonly serviceMs: Percentiles;
  /** The generator's own: from the intended start to the send. All zeros in a closed loop. */
  readonly latenessMs: Percentiles;
  /** Names of the percentiles of `latencyMs` with fewer than 100 samples beyond them. */
  readonly tooFewSamples: readonly PercentileName[];
  readonly errorsByCode: Readonly<Record<string, number>>;
  readonly siblings: { readonly mean: number; readonly max: number };
  /** Puts for whose key no context was known. */
  readonly blindPuts: number;
  readonly generator: {
    readonly cpuUsPerOperation: number;
    readonly cpuShare: number;
    readonly waitedForCpuMs: number | null;
    readonly stealShare: number | null;
    readonly processes: number;
  };
  /** What a sleep of a millisecond took too long: in the generator's event loop, and in an idle process (null: not asked for). */
  readonly hiccupsMs: Hiccups;
  readonly load: LoadReport | null;
  /** Second by second, of all operations; null: not asked for. */
  readonly series: readonly SeriesPoint[] | null;
  readonly environment: { readonly machine: Machine; readonly cluster: SystemFacts; readonly startedAt: string };
}

const tailSamplesMin = 100;

/** Whether enough samples lie beyond a percentile to quote it: 100. */
export function enoughBeyond(samples: number, percentile: number): boolean {
  // In thousandths of a percent, since 100 - 99.99 is not quite 0.01.
  return (samples * Math.round((100 - percentile) * 1000)) / 100_000 >= tailSamplesMin;
}

/** The percentiles that so many samples are too few for. */
export function tooFewSamples(samples: number): readonly PercentileName[] {
  return percentiles.filter(([, percentile]) => !enoughBeyond(samples, percentile)).map(([name]) => name);
}

/** The percentiles of a histogram of microseconds. */
export function percentilesOf(histogram: Histogram): Percentiles {
  const max = histogram.totalCount === 0 ? 0 : histogram.maxValue;
  // A percentile is the upper end of its bucket, which may lie above the largest value.
  const at = (percentile: number): number =>
    max === 0 ? 0 : Math.min(histogram.getValueAtPercentile(percentile), max) / 1000;
  return { p50: at(50), p90: at(90), p99: at(99), "p99.9": at(99.9), "p99.99": at(99.99), max: max / 1000 };
}

/** Both histograms as one. */
export function merged(a: Histogram, b: Histogram): Histogram {
  const sum = latencyHistogram();
  sum.add(a);
  sum.add(b);
  return sum;
}

function kindResult(kind: KindRecord, isOpenLoop: boolean): KindResult {
  const response = percentilesOf(kind.response);
  const serviceMs = isOpenLoop ? percentilesOf(kind.service) : response;
  return { operations: kind.operations, errors: kind.errors, ...response, serviceMs };
}

/** Everything that a result is made of, beside what was recorded. */
export interface ResultParts {
  readonly workload: Workload;
  readonly plan: RunPlan;
  readonly recorder: Recorder;
  readonly usage: UsageBetween;
  readonly voided: string | null;
  readonly load: LoadReport | null;
  readonly machine: Machine;
  readonly cluster: SystemFacts;
  readonly startedAt: string;
  readonly series: readonly SeriesPoint[] | null;
  readonly hiccups: Hiccups;
  readonly processes: number;
}

/** The result. */
export function resultOf(parts: ResultParts): BenchResult {
  const { workload, plan, recorder, usage } = parts;
  const isOpenLoop = plan.mode === "open";
  const all = percentilesOf(merged(recorder.gets.response, recorder.puts.response));
  const service = isOpenLoop ? percentilesOf(merged(recorder.gets.service, recorder.puts.service)) : all;
  const seconds = (recorder.to - recorder.from) / 1_000_000;
  const operations = recorder.gets.operations + recorder.puts.operations;
  return {
    workload: { ...workload, ...plan },
    operations,
    errors: recorder.gets.errors + recorder.puts.errors,
    throughput: rounded(recorder.answeredInside / seconds, 1),
    latencyMs: all,
    get: kindResult(recorder.gets, isOpenLoop),
    put: kindResult(recorder.puts, isOpenLoop),
    voided: parts.voided,
    serviceMs: service,
    latenessMs: percentilesOf(recorder.lateness),
    tooFewSamples: tooFewSamples(operations),
    errorsByCode: Object.fromEntries(recorder.errorCounts),
    siblings: {
      mean: rounded(recorder.siblings / Math.max(1, recorder.gets.operations), 3),
      max: recorder.siblingsMost,
    },
    blindPuts: recorder.blindPuts,
    generator: {
      cpuUsPerOperation: rounded(usage.cpuUs / Math.max(1, recorder.answeredInside), 1),
      cpuShare: rounded(usage.cpuUs / (seconds * 1_000_000), 3),
      waitedForCpuMs: usage.waitedUs === null ? null : rounded(usage.waitedUs / 1000, 1),
      stealShare: usage.stealShare === null ? null : rounded(usage.stealShare, 4),
      processes: parts.processes,
    },
    hiccupsMs: parts.hiccups,
    load: parts.load,
    series: parts.series,
    environment: { machine: parts.machine, cluster: parts.cluster, startedAt: parts.startedAt },
  };
}

function rounded(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}
