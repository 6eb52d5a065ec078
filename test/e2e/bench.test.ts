/**
 * `ringtail bench` from outside, on a real cluster: several processes, what it leaves behind, sweeps, duels and the comparison of
 * their logs. What the figures are is nobody's concern here; that they are whole, and where they should be, is.
 */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { HistogramLogReader } from "hdr-histogram-js";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { BenchResult } from "../../src/lab/result.ts";
import type { Knee, SweepPoint } from "../../src/lab/sweep.ts";
import { cleanUp, type Ended, jsonOf, ringtail, temporaryDirectory, UpCluster } from "../support/e2e.ts";

const keys = ["--keys", "300", "--value-bytes", "100"];
const short = [...keys, "--duration", "1", "--warm-up", "0.2"];

let cluster: UpCluster;
const directory = temporaryDirectory();

beforeAll(async () => {
  cluster = await UpCluster.start({ flags: ["--durability", "memory"] });
}, 60_000);
afterAll(cleanUp);

async function bench(args: readonly string[]): Promise<Ended> {
  const ended = await cluster.run(["bench", ...args], { cwd: directory });
  expect(ended.status, ended.stderr).toBe(0);
  return ended;
}

/** Samples in a log, by tag. */
function samplesOf(path: string): Record<string, number> {
  const reader = new HistogramLogReader(readFileSync(join(directory, path), "utf8"));
  const samples: Record<string, number> = {};
  for (let next = reader.nextIntervalHistogram(); next !== null; next = reader.nextIntervalHistogram())
    samples[next.tag] = (samples[next.tag] ?? 0) + next.totalCount;
  return samples;
}

describe("one run", () => {
  it("of two processes is one result, with a log, a report, plots, and the events of its time", async () => {
    const events = join(directory, "faults.json");
    const inThreeSeconds = Array.from({ length: 40 }, (_, i) => ({
      at: Date.now() + i * 500,
      kind: "fault",
      text: `made-up ${i}`,
    }));
    writeFileSync(events, JSON.stringify(inThreeSeconds));
    const files = ["--report", "run.html", "--svg", "plots", "--hlog", "run.hlog", "--events", events];
    const ended = await bench([
      ...short,
      "--rate",
      "200",
      "--arrivals",
      "constant",
      "--processes",
      "2",
      ...files,
      "--json",
    ]);
    const result = jsonOf(ended) as BenchResult;
    expect(result.workload).toMatchObject({ rate: 200, durationSeconds: 1 });
    expect(result.operations + result.errors).toBeGreaterThanOrEqual(198);
    expect(result.operations + result.errors).toBeLessThanOrEqual(202);
    expect(result.generator.processes).toBe(2);
    expect(result.hiccupsMs.machine?.max).toBeGreaterThan(0);
    expect(result.load).toEqual({ read: 0, written: 300 });
    expect(samplesOf("run.hlog")).toEqual({ GET: result.get.operations, PUT: result.put.operations });
    const html = readFileSync(join(directory, "run.html"), "utf8");
    expect(html).toContain("Percentile spectrum");
    expect(html).toMatch(/made-up \d+/);
    expect(html).toContain("--processes 2");
    expect(readdirSync(join(directory, "plots")).sort()).toEqual(["series.svg", "spectrum.svg"]);
  });

  it("of a closed loop shares its clients out", async () => {
    const ended = await bench([...short, "--clients", "3", "--processes", "2", "--load", "never", "--json"]);
    const result = jsonOf(ended) as BenchResult;
    expect(result.operations).toBeGreaterThan(10);
    expect(result.blindPuts).toBeGreaterThan(0);
    expect(result).toMatchObject({ errors: 0, load: null, workload: { clients: 3 } });
  });

  it("whose options the cluster refuses is one error, however many processes there are", async () => {
    const ended = await cluster.run(["bench", ...short, "--w", "7", "--processes", "2", "--json"]);
    expect(ended.status).toBe(2);
    expect(ended.stderr).toMatch(/^ringtail: INVALID_ARGUMENT: w is 7; allowed: 1 to 3 \(n\)\n$/);
  });
});

it("a sweep ends at the highest rate allowed, or at its knee", async () => {
  const asked = ["--sweep", "--rate", "50", "--rate-max", "100", "--slo-ms", "500", "--report", "sweep.html"];
  const { knee, points } = jsonOf(await bench([...short, ...asked, "--json"])) as { knee: Knee; points: SweepPoint[] };
  expect(points[0]?.rate).toBe(50);
  expect(points.every(({ rate }) => rate >= 50 && rate <= 100)).toBe(true);
  if (knee.rate !== null) expect(points.some(({ rate, limit }) => rate === knee.rate && limit === null)).toBe(true);
  expect(readFileSync(join(directory, "sweep.html"), "utf8")).toContain("Saturation");
  const text = await bench([...short, ...asked.slice(0, 3), "--rate-max", "50"]);
  expect(text.stdout).toMatch(/^knee +(50 operations\/s|none)\n/);
});

it("a duel leaves a log for each block, and those compare to what it said", async () => {
  const asked = ["--rate", "100", "--against", "--durability buffered", "--blocks", "2", "--hlog", "duel.hlog"];
  const told = jsonOf(await bench([...short, ...asked, "--json"])) as {
    rows: unknown[];
    pairs: number;
    results: Record<string, BenchResult[]>;
  };
  expect(told.pairs).toBe(2);
  expect(told.results.a?.map(({ environment }) => environment.cluster.durability)).toEqual(["memory", "memory"]);
  expect(told.results.b?.map(({ environment }) => environment.cluster.durability)).toEqual(["buffered", "buffered"]);
  const logs = ["duel-01a.hlog", "duel-01b.hlog", "duel-02a.hlog", "duel-02b.hlog"];
  const compared = await ringtail(["bench", "compare", ...logs, "--json", "--report", "duel.html"], { cwd: directory });
  expect(compared.status, compared.stderr).toBe(0);
  const medians = (rows: unknown[]): unknown =>
    (rows as { ratio: { value: number } }[]).map(({ ratio }) => ratio.value);
  expect(medians((jsonOf(compared) as { rows: unknown[] }).rows)).toEqual(medians(told.rows));
  expect(readFileSync(join(directory, "duel.html"), "utf8")).toContain("Pair by pair");
  const table = await ringtail(["bench", "compare", ...logs.slice(0, 2)], { cwd: directory });
  expect(table.stdout).toMatch(/^A {2}duel-01a.hlog\nB {2}duel-01b.hlog\n1 pair\n\nms \(95 % interval\)/);
});
