/** The sweep against made-up systems whose knee is known, and the verdict on single rates. */
import { describe, expect, it } from "vitest";
import type { BenchResult, Percentiles } from "../../../src/lab/result.ts";
import { judge, kneeOf, nextRate, type SweepPlan, type SweepPoint } from "../../../src/lab/sweep.ts";

const plan: SweepPlan = { from: 1000, to: 1_000_000, sloMs: 10 };

function percentiles(p999: number): Percentiles {
  return { p50: p999 / 10, p90: p999 / 5, p99: p999 / 2, "p99.9": p999, "p99.99": p999, max: p999 };
}

/** Of a second in which so many operations were due. */
function result(
  p999: number,
  due: number,
  lateness = 0.1,
  voided: string | null = null,
  throughput = due,
): BenchResult {
  const told = { latencyMs: percentiles(p999), latenessMs: percentiles(lateness), throughput, voided };
  return { ...told, operations: due, errors: 0, workload: { durationSeconds: 1 } } as BenchResult;
}

/** A queue that serves `capacity` a second: its p99.9 grows as it fills, and it answers no more than that. */
function queue(capacity: number): (rate: number) => BenchResult {
  return (rate) => {
    const p999 = rate < capacity ? (1000 * Math.log(1000)) / (capacity - rate) : 1000;
    return result(p999, rate, 0.1, null, Math.min(rate, capacity));
  };
}

function swept(system: (rate: number, run: number) => BenchResult, asked: SweepPlan = plan): SweepPoint[] {
  const points: SweepPoint[] = [];
  for (let rate = nextRate(points, asked); rate !== null; rate = nextRate(points, asked))
    points.push(judge(rate, system(rate, points.length), asked.sloMs));
  return points;
}

describe("the knee", () => {
  it.each([2_000, 7_000, 30_000, 123_456])("of a queue of %i a second is found to a tenth", (capacity) => {
    const points = swept(queue(capacity));
    // Where p99.9 is exactly what is allowed.
    const truth = capacity - (1000 * Math.log(1000)) / plan.sloMs;
    const { rate, limit } = kneeOf(points);
    expect(rate).toBeLessThanOrEqual(truth);
    expect(rate).toBeGreaterThan(truth * 0.85);
    expect(["latency", "goodput"]).toContain(limit);
    expect(points.length).toBeLessThan(30);
  });

  it("is not where the machine spoilt one run", () => {
    const spoilt = swept((rate, run) => (run === 2 ? result(500, rate) : queue(20_000)(rate)));
    expect(kneeOf(spoilt).rate).toBe(kneeOf(swept(queue(20_000))).rate);
    expect(spoilt.filter(({ limit }) => limit !== null).length).toBeGreaterThan(1);
  });

  it("may lie higher where the generator gave up first, and the sweep says so", () => {
    const points = swept((rate) => result(2, rate, rate > 8_000 ? 3 : 0.1));
    const knee = kneeOf(points);
    expect(knee).toMatchObject({ limit: "generator", why: expect.stringContaining("may lie higher") as string });
    expect(knee.rate).toBeGreaterThan(7_000);
    expect(knee.rate).toBeLessThanOrEqual(8_000);
  });

  it("is none where not even the first rate was held", () => {
    const points = swept(queue(500));
    expect(points.map(({ rate }) => rate)).toEqual([1000, 1000]);
    expect(kneeOf(points)).toMatchObject({ rate: null, limit: "goodput" });
  });

  it("is the highest rate allowed where all were held", () => {
    const points = swept(queue(1_000_000), { ...plan, to: 5_000 });
    expect(Math.max(...points.map(({ rate }) => rate))).toBe(5_000);
    expect(kneeOf(points)).toEqual({ rate: 5_000, limit: null, why: "no higher rate was tried" });
  });

  it("a system that answers as it likes does not keep the sweep busy for ever", () => {
    const points = swept((rate, run) => result(run % 3 === 0 ? 50 : 5, rate));
    expect(points.length).toBeLessThanOrEqual(40);
  });
});

describe("a rate", () => {
  it.each([
    ["held", result(9, 1000, 0.1, null, 991), null, null],
    ["held, with fewer random arrivals than usual", result(9, 960), null, null],
    ["too slow", result(11, 1000), "latency", /11.00 ms, allowed 10 ms/],
    ["not answered", result(5, 1000, 0.1, null, 980), "goodput", /980 of 1000 operations/],
    ["sent late, whatever its latency", result(50, 1000, 1.5, null, 500), "generator", /1.50 ms late/],
    ["spoilt by the machine", result(5, 1000, 0.1, "others took the CPUs"), "generator", /others took/],
  ] as const)("%s", (_name, measured, limit, why) => {
    const point = judge(1000, measured, 10);
    expect(point.limit).toBe(limit);
    if (why === null) expect(point.why).toBeNull();
    else expect(point.why).toMatch(why);
  });
});
