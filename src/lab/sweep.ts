/**
 * The sweep to the knee: runs at rising rates until the system, or the generator, cannot hold one, and the knee between the
 * last rate that was held and the first that was not. What comes next is a pure decision over what was measured. A rate
 * counts as not held when it failed twice: a machine that others use spoils a run now and then.
 */
import type { Bench, Measured } from "./bench.ts";
import type { BenchResult, RunPlan } from "./result.ts";

/** How to sweep. */
export interface SweepPlan {
  /** The first rate, operations per second. */
  readonly from: number;
  /** No rate above this. */
  readonly to: number;
  /** What p99.9 of the response time may be, milliseconds. */
  readonly sloMs: number;
}

/** What ended a rate: the system's latency, its goodput, or the generator (or the machine) that could not measure it. */
export type Limit = "latency" | "goodput" | "generator";

/** One run of a sweep. */
export interface SweepPoint {
  readonly rate: number;
  /** Null: held. */
  readonly limit: Limit | null;
  readonly why: string | null;
  readonly result: BenchResult;
}

/** What came of it. */
export interface Knee {
  /** The highest rate that was held; null: not even the first. */
  readonly rate: number | null;
  /** What the next higher rate failed by; null: none failed up to the highest rate allowed. */
  readonly limit: Limit | null;
  readonly why: string;
}

const factor = 1.5;
/** The knee is told to a tenth. */
const closeEnough = 1.1;
const runsMax = 40;
const goodputMin = 0.99;
const attempts = 2;

/** Whether the rate was held, and if not by what. */
export function judge(rate: number, result: BenchResult, sloMs: number): SweepPoint {
  const { latencyMs, latenessMs, throughput, voided, operations, errors, workload } = result;
  // What the schedule held: random arrivals are a little more or fewer than the rate.
  const due = (operations + errors) / workload.durationSeconds;
  const p999 = latencyMs["p99.9"];
  const failed = (limit: Limit, why: string): SweepPoint => ({ rate, limit, why, result });
  // The generator comes first: the latencies of one that is late are its own.
  if (latenessMs["p99.9"] > 1) return failed("generator", `it sent ${latenessMs["p99.9"].toFixed(2)} ms late at p99.9`);
  if (throughput < due * goodputMin)
    return failed("goodput", `${Math.round(throughput)} of ${Math.round(due)} operations a second came back in time`);
  if (p999 > sloMs) return failed("latency", `p99.9 was ${p999.toFixed(2)} ms, allowed ${sloMs} ms`);
  if (voided !== null) return failed("generator", voided);
  return { rate, limit: null, why: null, result };
}

function isHeld(points: readonly SweepPoint[], rate: number): boolean {
  return points.some((point) => point.rate === rate && point.limit === null);
}

/** The highest rate that was held, and the lowest above it that was not, by `attempts` runs. */
function bracket(points: readonly SweepPoint[]): { held: number; failed: number } {
  const held = Math.max(0, ...points.filter(({ limit }) => limit === null).map(({ rate }) => rate));
  const tries = (rate: number): number => points.filter((point) => point.rate === rate).length;
  const rates = points.map(({ rate }) => rate).filter((rate) => !isHeld(points, rate) && tries(rate) >= attempts);
  return { held, failed: Math.min(...rates.filter((rate) => rate > held)) };
}

/** Two digits, as people say rates. */
function rounded(rate: number): number {
  const unit = 10 ** Math.max(0, Math.floor(Math.log10(rate)) - 1);
  return Math.round(rate / unit) * unit;
}

/** The rate to run next; null: the sweep is over. */
export function nextRate(points: readonly SweepPoint[], plan: SweepPlan): number | null {
  const last = points.at(-1);
  if (last === undefined) return plan.from;
  if (points.length >= runsMax) return null;
  const tries = points.filter(({ rate }) => rate === last.rate).length;
  if (last.limit !== null && tries < attempts) return last.rate;
  const { held, failed } = bracket(points);
  if (failed === Number.POSITIVE_INFINITY) {
    const next = Math.min(plan.to, rounded(held * factor));
    return next > held ? next : null;
  }
  if (held === 0 || failed <= held * closeEnough) return null;
  const between = rounded(Math.sqrt(held * failed));
  return between > held && between < failed ? between : null;
}

/** The knee of what was measured. */
export function kneeOf(points: readonly SweepPoint[]): Knee {
  const { held, failed } = bracket(points);
  const rate = held === 0 ? null : held;
  const stop = points.findLast((point) => point.rate === failed);
  if (stop === undefined || stop.why === null) return { rate, limit: null, why: "no higher rate was tried" };
  const whose = stop.limit === "generator" ? "the generator gave up first, the knee may lie higher: " : "";
  return { rate, limit: stop.limit, why: `${whose}at ${stop.rate} operations a second ${stop.why}` };
}

/** Runs the sweep; `onPoint` hears of each run when it is over, `onRate` before. */
export async function runSweep(
  bench: Bench,
  run: RunPlan,
  plan: SweepPlan,
  events: { onRate(rate: number): void; onPoint(point: SweepPoint, measured: Measured): void },
): Promise<SweepPoint[]> {
  const points: SweepPoint[] = [];
  for (let rate = nextRate(points, plan); rate !== null; rate = nextRate(points, plan)) {
    events.onRate(rate);
    const measured = await bench.run({ ...run, rate, seed: (run.seed + points.length) >>> 0 });
    const point = judge(rate, measured.result, plan.sloMs);
    points.push(point);
    events.onPoint(point, measured);
  }
  return points;
}
