/**
 * Recording: what one run of a generator has measured, and the same of several generators as one: counts add up and
 * histograms are merged, so that the percentiles are those of all operations. As plain data it goes from one process to
 * another.
 */
import { decodeFromCompressedBase64, encodeIntoCompressedBase64, type Histogram } from "hdr-histogram-js";
import type { ErrorCode } from "../base/errors.ts";
import { instant } from "../base/time.ts";
import { latencyHistogram } from "../metrics/metrics.ts";
import type { UsageBetween } from "./machine.ts";
import { Recorder } from "./recorder.ts";

/** What was answered between two moments, in seconds from the start of the measured window. */
export interface Interval {
  readonly from: number;
  readonly to: number;
  /** Microseconds. */
  readonly gets: Histogram;
  readonly puts: Histogram;
}

/** See above. */
export interface Recording {
  readonly recorder: Recorder;
  /** Empty unless they were asked for. */
  readonly intervals: readonly Interval[];
  readonly usage: UsageBetween;
  /** The generator's own stalls: how much longer than it should have a turn of its event loop took, in microseconds. */
  readonly stalls: Histogram;
  /** Wall clock at the start of the window. */
  readonly startedMs: number;
}

/** A recording as JSON can carry it. */
export type PackedRecording = Readonly<Record<"counts" | "histograms" | "errors" | "intervals" | "rest", unknown>>;

type Counts = Pick<
  Recorder,
  "answeredInside" | "heldBack" | "blindPuts" | "siblings" | "siblingsMost" | "from" | "to" | "isOpenLoop"
> & { readonly gets: readonly number[]; readonly puts: readonly number[] };

const pack = encodeIntoCompressedBase64;

/** A histogram of ours out of its packed form. */
export function unpackHistogram(text: string): Histogram {
  const histogram = latencyHistogram();
  histogram.add(decodeFromCompressedBase64(text, 32, false));
  return histogram;
}

function histogramsOf({ recorder, stalls }: Recording): Histogram[] {
  const { gets, puts, lateness } = recorder;
  return [gets.response, gets.service, puts.response, puts.service, lateness, stalls];
}

/** For another process. */
export function packRecording(recording: Recording): PackedRecording {
  const { recorder, usage, startedMs } = recording;
  const { answeredInside, heldBack, blindPuts, siblings, siblingsMost, from, to, isOpenLoop, gets, puts } = recorder;
  const counts: Counts = {
    ...{ answeredInside, heldBack, blindPuts, siblings, siblingsMost, from, to, isOpenLoop },
    gets: [gets.operations, gets.errors],
    puts: [puts.operations, puts.errors],
  };
  return {
    counts,
    histograms: histogramsOf(recording).map((histogram) => pack(histogram)),
    errors: [...recorder.errorCounts],
    intervals: recording.intervals.map((one) => [one.from, one.to, pack(one.gets), pack(one.puts)]),
    rest: { usage, startedMs },
  };
}

/** What `packRecording` was given. */
export function unpackRecording(packed: PackedRecording): Recording {
  const counts = packed.counts as Counts;
  const recorder = new Recorder({ from: instant(counts.from), to: instant(counts.to), isOpenLoop: counts.isOpenLoop });
  for (const name of ["answeredInside", "heldBack", "blindPuts", "siblings", "siblingsMost"] as const)
    recorder[name] = counts[name];
  for (const kind of ["gets", "puts"] as const) {
    const [operations, errors] = counts[kind];
    Object.assign(recorder[kind], { operations, errors });
  }
  for (const [code, count] of packed.errors as [ErrorCode, number][]) recorder.errorCounts.set(code, count);
  const { usage, startedMs } = packed.rest as Pick<Recording, "usage" | "startedMs">;
  const stalls = latencyHistogram();
  const recording = { recorder, usage, startedMs, stalls, intervals: intervalsOf(packed) };
  const texts = packed.histograms as string[];
  for (const [i, histogram] of histogramsOf(recording).entries()) histogram.add(unpackHistogram(texts[i] as string));
  return recording;
}

function intervalsOf(packed: PackedRecording): Interval[] {
  return (packed.intervals as [number, number, string, string][]).map(([from, to, gets, puts]) => {
    return { from, to, gets: unpackHistogram(gets), puts: unpackHistogram(puts) };
  });
}

/** Several recordings of one window as one; the first takes in the others. */
export function mergeRecordings(recordings: readonly [Recording, ...Recording[]]): Recording {
  const [first, ...others] = recordings;
  for (const other of others) {
    first.recorder.add(other.recorder);
    first.stalls.add(other.stalls);
  }
  return {
    ...first,
    intervals: mergeIntervals(recordings.flatMap(({ intervals }) => intervals)),
    usage: mergeUsage(recordings.map(({ usage }) => usage)),
    startedMs: Math.min(...recordings.map(({ startedMs }) => startedMs)),
  };
}

/**
 * Those that begin in the same second, to the nearest, are one: all count from one instant, and end intervals on whole
 * seconds or a little late. A process that was held up has fewer and longer ones, or one more at the end, for what was
 * answered after the window.
 */
function mergeIntervals(all: readonly Interval[]): Interval[] {
  const bySecond = new Map<number, Interval>();
  for (const interval of all) {
    const second = Math.round(interval.from);
    const merged = bySecond.get(second);
    if (merged !== undefined) {
      merged.gets.add(interval.gets);
      merged.puts.add(interval.puts);
    }
    bySecond.set(second, merged === undefined ? interval : { ...merged, to: Math.max(merged.to, interval.to) });
  }
  return [...bySecond.values()].sort((a, b) => a.from - b.from);
}

function mergeUsage(usages: readonly UsageBetween[]): UsageBetween {
  const sum = (pick: (usage: UsageBetween) => number | null): number | null => {
    const values = usages.map(pick);
    return values.includes(null) ? null : (values as number[]).reduce((a, b) => a + b, 0);
  };
  const steals = usages.flatMap(({ stealShare }) => (stealShare === null ? [] : [stealShare]));
  return {
    cpuUs: sum(({ cpuUs }) => cpuUs) ?? 0,
    waitedUs: sum(({ waitedUs }) => waitedUs),
    stealShare: steals.length === 0 ? null : Math.max(...steals),
  };
}
