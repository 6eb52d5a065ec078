/** Recordings of several generators as one: as if a single generator had seen it all; and what crosses processes arrives whole. */
import { expect, it } from "vitest";
import { Rng } from "../../../src/base/rng.ts";
import { instant } from "../../../src/base/time.ts";
import { splitPlan } from "../../../src/lab/processes.ts";
import { Recorder } from "../../../src/lab/recorder.ts";
import {
  type Interval,
  mergeRecordings,
  packRecording,
  type Recording,
  unpackRecording,
} from "../../../src/lab/recording.ts";
import type { RunPlan } from "../../../src/lab/result.ts";
import { latencyHistogram } from "../../../src/metrics/metrics.ts";

interface Operation {
  readonly intended: number;
  readonly us: number;
  readonly isGet: boolean;
}

const second = 1_000_000;

function operations(seed: number): Operation[] {
  const rng = new Rng(seed);
  return Array.from({ length: 500 }, (_, i) => {
    return { intended: i * 4_000, us: 100 + rng.below(50_000), isGet: rng.below(2) === 0 };
  });
}

/** What a generator with these operations records in two seconds. */
function recorded(all: readonly Operation[], share: number): Recording {
  const intervals: Interval[] = [];
  const recorder = new Recorder({
    from: instant(0),
    to: instant(2 * second),
    isOpenLoop: true,
    take: (from, to, gets, puts) => {
      intervals.push({ from: from / second, to: to / second, gets, puts });
    },
  });
  const sorted = [...all].sort((a, b) => a.intended - b.intended);
  for (const at of [0, second]) {
    for (const { intended, us, isGet } of sorted.filter((one) => one.intended >= at && one.intended < at + second)) {
      recorder.sent(instant(intended), instant(intended + 50), false);
      recorder.answered(isGet, instant(intended), instant(intended + 50), instant(intended + us));
      if (isGet) recorder.sawSiblings(1 + (us % 3));
    }
    recorder.endInterval(instant(at + second));
  }
  recorder.failed(true, instant(5), "OVERLOADED");
  const stalls = latencyHistogram();
  stalls.recordValue(1_000 * share);
  return {
    recorder,
    intervals,
    stalls,
    usage: { cpuUs: 1_000 * share, waitedUs: 10 * share, stealShare: 0.001 * share },
    startedMs: 1_700_000_000_000 + share,
  };
}

/** Everything that a recording says, comparable. */
function told(recording: Recording): unknown {
  const { recorder } = recording;
  const of = (histogram: ReturnType<typeof latencyHistogram>): unknown => [
    histogram.totalCount,
    ...[0, 10, 50, 90, 99, 100].map((percentile) => histogram.getValueAtPercentile(percentile)),
  ];
  const kinds = [recorder.gets, recorder.puts].map((kind) => [
    kind.operations,
    kind.errors,
    of(kind.response),
    of(kind.service),
  ]);
  const { answeredInside, heldBack, blindPuts, siblings, siblingsMost } = recorder;
  return {
    kinds,
    lateness: of(recorder.lateness),
    errors: [...recorder.errorCounts],
    counts: { answeredInside, heldBack, blindPuts, siblings, siblingsMost },
    intervals: recording.intervals.map(({ from, to, gets, puts }) => [from, to, of(gets), of(puts)]),
  };
}

it("two merged are what one would have recorded", () => {
  const [a, b] = [operations(1), operations(2)];
  const merged = mergeRecordings([recorded(a, 1), recorded(b, 2)]);
  const whole = recorded([...a, ...b], 1);
  whole.recorder.failed(true, instant(5), "OVERLOADED");
  expect(told(merged)).toEqual(told(whole));
  expect(merged.usage).toEqual({ cpuUs: 3_000, waitedUs: 30, stealShare: 0.002 });
  expect(merged.startedMs).toBe(1_700_000_000_001);
  expect(merged.stalls.totalCount).toBe(2);
});

it("a process that ended its intervals at other times loses none of its samples", () => {
  const samples = (us: number): Interval["gets"] => {
    const histogram = latencyHistogram();
    histogram.recordValue(us);
    return histogram;
  };
  const withIntervals = (...bounds: [number, number][]): Recording => {
    const intervals = bounds.map(([from, to], i) => ({ from, to, gets: samples(i + 1), puts: samples(i + 1) }));
    return { ...recorded([], 1), intervals };
  };
  const prompt = withIntervals([0, 1], [1, 2], [2, 3]);
  const heldUp = withIntervals([0, 1.004], [1.004, 3.001], [3.001, 3.02]);
  const merged = mergeRecordings([prompt, heldUp]).intervals;
  expect(merged.map(({ from, to }) => [from, to])).toEqual([
    [0, 1.004],
    [1, 3.001],
    [2, 3],
    [3.001, 3.02],
  ]);
  expect(merged.map(({ gets, puts }) => [gets.totalCount, puts.totalCount])).toEqual([
    [2, 2],
    [2, 2],
    [1, 1],
    [1, 1],
  ]);
});

it("as JSON it goes to another process and is the same there", () => {
  const there = unpackRecording(JSON.parse(JSON.stringify(packRecording(recorded(operations(3), 1)))));
  const here = recorded(operations(3), 1);
  expect(told(there)).toEqual(told(here));
  expect({ usage: there.usage, startedMs: there.startedMs }).toEqual({ usage: here.usage, startedMs: here.startedMs });
});

it("unknown waiting stays unknown when recordings are merged", () => {
  const unknown = { ...recorded([], 1), usage: { cpuUs: 1, waitedUs: null, stealShare: null } };
  expect(mergeRecordings([unknown, recorded([], 2)]).usage).toEqual({
    cpuUs: 2_001,
    waitedUs: null,
    stealShare: 0.002,
  });
});

const plan: RunPlan = {
  ...{ mode: "closed", clients: 10, rate: null, arrivals: null, pacing: null },
  ...{
    durationSeconds: 1,
    warmUpSeconds: 1,
    connections: 1,
    coordination: "node",
    inFlightMax: 1_000,
    seed: 0xffff_ffff,
  },
};

it("parts of a plan make up the whole, with draws of their own", () => {
  const parts = splitPlan(plan, 4);
  expect(parts.map(({ clients }) => clients)).toEqual([3, 3, 2, 2]);
  expect(new Set(parts.map(({ seed }) => seed)).size).toBe(4);
  const open = splitPlan({ ...plan, mode: "open", clients: null, rate: 1_000 }, 3);
  expect(open.reduce((sum, { rate }) => sum + (rate ?? 0), 0)).toBeCloseTo(1_000, 9);
});
