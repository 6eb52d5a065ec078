/** The result in the shape that other programs read, and the report that people read. */
import { expect, it } from "vitest";
import { instant } from "../../../src/base/time.ts";
import { Recorder } from "../../../src/lab/recorder.ts";
import { reportOf } from "../../../src/lab/report.ts";
import { type BenchResult, percentilesOf, type RunPlan, resultOf, tooFewSamples } from "../../../src/lab/result.ts";
import { type Workload, workloads } from "../../../src/lab/workloads.ts";
import { latencyHistogram } from "../../../src/metrics/metrics.ts";

const closed: RunPlan = {
  mode: "closed",
  clients: 64,
  rate: null,
  arrivals: null,
  pacing: null,
  durationSeconds: 2,
  warmUpSeconds: 1,
  connections: 1,
  coordination: "node",
  inFlightMax: 16_384,
  seed: 1,
};
const open: RunPlan = { ...closed, mode: "open", clients: null, rate: 5000, arrivals: "poisson", pacing: "nap" };

function made(plan: RunPlan, operations: number, voided: string | null = null): BenchResult {
  const recorder = new Recorder({ from: instant(1_000_000), to: instant(3_000_000), isOpenLoop: plan.mode === "open" });
  for (let i = 0; i < operations; i += 1) {
    const intended = instant(1_000_000 + Math.floor((i * 1_900_000) / operations));
    recorder.sent(intended, instant(intended + 100), false);
    recorder.answered(i % 2 === 0, intended, instant(intended + 100), instant(intended + 1000 + (i % 1000)));
  }
  recorder.failed(false, instant(1_500_000), "QUORUM_NOT_MET");
  recorder.sawSiblings(1);
  return resultOf({
    workload: workloads.a as Workload,
    plan,
    recorder,
    usage: { cpuUs: 200_000, waitedUs: 5_000, stealShare: 0 },
    voided,
    load: { read: 0, written: 100_000 },
    machine: { cpus: 2, cpuModel: "made up", memoryGiB: 4, platform: "linux x64", node: "v20.0.0", loadAverage: 0.5 },
    cluster: { nodes: 3, epoch: 1, partitions: 1024, n: 3, r: 2, w: 2, durability: "buffered" },
    startedAt: "2026-11-21T00:00:00.000Z",
    series: null,
    hiccups: { generator: percentilesOf(latencyHistogram()), machine: null },
    processes: 1,
  });
}

it("has the fields of the stable shape, with numbers", () => {
  const result = JSON.parse(JSON.stringify(made(open, 10_000))) as BenchResult;
  for (const of of [result.latencyMs, result.get, result.put, result.serviceMs, result.latenessMs]) {
    for (const name of ["p50", "p90", "p99", "p99.9", "p99.99", "max"] as const) expect(of[name]).toBeTypeOf("number");
  }
  expect(result).toMatchObject({ operations: 10_000, errors: 1, throughput: 5000, voided: null });
  expect(result.errorsByCode).toEqual({ QUORUM_NOT_MET: 1 });
  expect(result.get.operations).toBe(5000);
  expect(result.put).toMatchObject({ operations: 5000, errors: 1 });
  expect(result.workload).toMatchObject({
    name: "a",
    readPercent: 50,
    keys: 100_000,
    mode: "open",
    rate: 5000,
    seed: 1,
  });
  expect(result.generator.cpuUsPerOperation).toBe(20);
});

it("response runs from the intended start, service from the send", () => {
  const { latencyMs, serviceMs, latenessMs } = made(open, 10_000);
  expect(latencyMs.p50).toBeCloseTo(1.5, 2);
  expect(serviceMs.p50).toBeCloseTo(1.4, 2);
  expect(latenessMs["p99.9"]).toBeCloseTo(0.1, 3);
  const { latencyMs: same, serviceMs: both } = made(closed, 10_000);
  expect(both).toEqual(same);
});

it("a percentile needs 100 samples beyond it", () => {
  expect(tooFewSamples(0)).toEqual(["p50", "p90", "p99", "p99.9", "p99.99"]);
  expect(tooFewSamples(199)).toContain("p50");
  expect(tooFewSamples(200)).toEqual(["p90", "p99", "p99.9", "p99.99"]);
  expect(tooFewSamples(10_000)).toEqual(["p99.9", "p99.99"]);
  expect(tooFewSamples(99_999)).toContain("p99.9");
  expect(tooFewSamples(100_000)).toEqual(["p99.99"]);
  expect(tooFewSamples(1_000_000)).toEqual([]);
});

it("a percentile is never above the largest value", () => {
  const histogram = latencyHistogram();
  histogram.recordValue(1_000_001);
  expect(percentilesOf(histogram)).toEqual({
    p50: 1000.001,
    p90: 1000.001,
    p99: 1000.001,
    "p99.9": 1000.001,
    "p99.99": 1000.001,
    max: 1000.001,
  });
  expect(percentilesOf(latencyHistogram()).max).toBe(0);
});

it("the report says VOIDED first", () => {
  expect(reportOf(made(open, 10_000, "because")).before[0]).toBe("VOIDED: because");
  expect(reportOf(made(open, 10_000)).before.join("\n")).not.toContain("VOIDED");
});

it("the report hides what has too few samples, and says so", () => {
  const { table, after } = reportOf(made(closed, 20_000));
  expect(table.map((row) => row[0])).toEqual(["", "get", "put", "all"]);
  expect(table[3]?.slice(1)).toEqual(["20,000", "1.499", "1.899", "1.989", "-", "-", "1.999"]);
  expect(after[0]).toContain("fewer than 100 samples");
  expect(reportOf(made(closed, 1_000_000)).table[3]).not.toContain("-");
});

it("an open loop's report has response, service and lateness side by side", () => {
  const { table, before } = reportOf(made(open, 10_000));
  expect(table.map((row) => row[0])).toEqual([
    "",
    "get response",
    "get service",
    "put response",
    "put service",
    "all response",
    "all service",
    "lateness",
  ]);
  const text = before.join("\n");
  expect(text).toContain("5,000 operations/s of 5,000/s asked for");
  for (const fact of ["50 % gets", "100,000 keys of 16 bytes", "zipfian", "n=3 r=2 w=2, buffered", "QUORUM_NOT_MET 1"])
    expect(text).toContain(fact);
});

it("tells each second when it was asked to", () => {
  const point = { from: 7, to: 8, operations: 5000, p50: 1, p90: 2, p99: 3, "p99.9": 4, "p99.99": 5, max: 6 };
  const result = made(open, 10);
  expect(reportOf(result).series).toEqual([]);
  expect(reportOf({ ...result, series: [point] }).series).toEqual([
    ["second", "samples", "p50", "p99", "p99.9", "max"],
    ["7", "5,000", "1.000", "3.000", "4.000", "6.000"],
  ]);
});
