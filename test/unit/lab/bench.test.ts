/** A whole run against a real cluster in this process: load phase, both loops, the log, and what is refused. */
import { HistogramLogReader } from "hdr-histogram-js";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { runBench as measure } from "../../../src/lab/bench.ts";
import type { GeneratorEvents } from "../../../src/lab/generator.ts";
import { histogramLogText } from "../../../src/lab/histogram-log.ts";
import type { LoadReport } from "../../../src/lab/load-phase.ts";
import type { BenchOptions } from "../../../src/lab/options.ts";
import { type BenchResult, percentilesOf, type RunPlan } from "../../../src/lab/result.ts";
import { type Workload, workloads } from "../../../src/lab/workloads.ts";
import { latencyHistogram } from "../../../src/metrics/metrics.ts";
import { type LocalCluster, startLocalCluster } from "../../../src/testing/index.ts";

const keys = 200;
const plan: RunPlan = {
  mode: "closed",
  clients: 8,
  rate: null,
  arrivals: null,
  pacing: null,
  durationSeconds: 0.6,
  warmUpSeconds: 0.2,
  connections: 1,
  coordination: "node",
  inFlightMax: 1000,
  seed: 1,
};
const workload: Workload = { ...(workloads.a as Workload), keys, valueBytes: 100 };

let cluster: LocalCluster;

beforeAll(async () => {
  cluster = await startLocalCluster({ durability: "buffered" });
});

afterAll(async () => {
  await cluster.close();
});

function optionsOf(changes: Partial<BenchOptions> = {}): BenchOptions {
  const seedNodes = cluster.seedNodes;
  return {
    seedNodes,
    workload,
    plan,
    load: "auto",
    timeoutMs: 10_000,
    processes: 1,
    prior: false,
    keepsIntervals: false,
    hiccups: false,
    ...changes,
  };
}

/** What a run told, in order. */
class Witness implements GeneratorEvents {
  readonly told: string[] = [];
  loaded: LoadReport | undefined;
  keys = 0;

  onLoading(count: number): void {
    this.told.push(`loading ${count}`);
  }
  onKeys(count: number): void {
    this.keys += count;
  }
  onLoaded(report: LoadReport): void {
    this.told.push("loaded");
    this.loaded = report;
  }
  onRunning(seconds: number): void {
    this.told.push(`running ${seconds}`);
  }
  onSecond(): void {}
  onRunEnded(): void {
    this.told.push("ended");
  }
}

async function runBench(options: BenchOptions, events: GeneratorEvents): Promise<BenchResult> {
  return (await measure(options, events)).result;
}

describe("a closed loop", () => {
  it("loads, runs, and reports what the cluster is", async () => {
    const witness = new Witness();
    const result = await runBench(optionsOf(), witness);
    expect(witness.told).toEqual([`loading ${keys}`, "loaded", "running 0.8", "ended"]);
    expect(witness.loaded).toEqual({ read: 0, written: keys });
    expect(witness.keys).toBe(keys);
    expect(result.errors).toBe(0);
    expect(result.operations).toBeGreaterThan(0);
    expect(result.operations).toBe(result.get.operations + result.put.operations);
    expect(result.throughput).toBeGreaterThan(0);
    expect(result.latencyMs.p50).toBeGreaterThan(0);
    expect(result.latencyMs.p50).toBeLessThanOrEqual(result.latencyMs["p99.9"]);
    expect(result.latencyMs["p99.9"]).toBeLessThanOrEqual(result.latencyMs.max);
    expect(result.blindPuts).toBe(0);
    expect(result.siblings.mean).toBeGreaterThanOrEqual(1);
    expect(result.environment.cluster).toEqual({
      nodes: 3,
      epoch: 1,
      partitions: 64,
      n: 3,
      r: 2,
      w: 2,
      durability: "buffered",
    });
  });

  it("finds the keys again, and reads them for their contexts", async () => {
    const witness = new Witness();
    const result = await runBench(optionsOf({ workload: { ...workload, durability: "memory", w: 3 } }), witness);
    expect(witness.loaded).toEqual({ read: keys, written: 0 });
    expect(result.blindPuts).toBe(0);
    expect(result.environment.cluster).toMatchObject({ w: 3, durability: "memory" });
  });
});

describe("an open loop", () => {
  const open: RunPlan = {
    ...plan,
    mode: "open",
    clients: null,
    rate: 200,
    arrivals: "constant",
    durationSeconds: 0.75,
  };

  it.each(["nap", "spin", "timer"] as const)("pacing %s: sends what the schedule says, and no more", async (pacing) => {
    const result = await runBench(optionsOf({ plan: { ...open, pacing }, load: "never" }), new Witness());
    expect(result.operations + result.errors).toBe(150);
    expect(result.load).toBeNull();
    expect(result.latenessMs.max).toBeGreaterThan(0);
    expect(result.latencyMs.max).toBeGreaterThanOrEqual(result.serviceMs.p50);
  });

  it("writes a log that holds every operation", async () => {
    const asked = optionsOf({ plan: { ...open, pacing: "nap" }, keepsIntervals: true });
    const { result, recording } = await measure(asked, new Witness());
    const told = result.series?.reduce((sum, { operations }) => sum + operations, 0);
    expect(told).toBe(result.operations);
    const reader = new HistogramLogReader(histogramLogText(recording.intervals, recording.startedMs, []));
    const all = latencyHistogram();
    const tags = new Set<string>();
    for (let next = reader.nextIntervalHistogram(); next !== null; next = reader.nextIntervalHistogram()) {
      tags.add(next.tag);
      all.add(next);
    }
    expect([...tags].sort()).toEqual(["GET", "PUT"]);
    expect(all.totalCount).toBe(result.operations);
    expect(percentilesOf(all).p99).toBe(result.latencyMs.p99);
  });
});

it("says when too many were in flight", async () => {
  const tight: RunPlan = { ...plan, mode: "open", clients: null, rate: 3000, arrivals: "poisson", pacing: "nap" };
  const result = await runBench(optionsOf({ plan: { ...tight, inFlightMax: 1 }, load: "never" }), new Witness());
  expect(result.voided).toMatch(/had to wait because 1 were in flight/);
});

describe("refused", () => {
  it("a quorum that the bucket does not have", async () => {
    await expect(runBench(optionsOf({ workload: { ...workload, w: 5 } }), new Witness())).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
      message: expect.stringContaining("1 to 3") as string,
    });
  });

  it("a cluster that is not there", async () => {
    await expect(runBench(optionsOf({ seedNodes: ["127.0.0.1:1"] }), new Witness())).rejects.toMatchObject({
      code: "CONNECTION_LOST",
    });
  });
});
