/**
 * Two ways of running the same thing, held against each other: interleaved blocks in ABBA order, so that a slow minute of
 * the machine hits both, or HDR logs of any two runs. The verdict is the median of the paired ratios with its bootstrap
 * interval, and the signed-rank test; of one pair of logs, the ratio with an interval over its seconds.
 */
import type { Histogram } from "hdr-histogram-js";
import { latencyHistogram } from "../metrics/metrics.ts";
import type { Bench, Measured } from "./bench.ts";
import { enoughBeyond, merged } from "./result.ts";
import type { LoggedRun } from "./series.ts";
import { type Estimate, medianEstimate, percentileEstimates, ratioEstimates, wilcoxon } from "./statistics.ts";

/** One block: what was answered, in slices of about a second. */
export interface DuelBlock {
  readonly slices: readonly Histogram[];
  /** Operations per second. */
  readonly throughput: number;
}

/** One percentile of both sides, milliseconds. */
export interface DuelRow {
  readonly percentile: number;
  readonly a: Estimate;
  readonly b: Estimate;
  /** b over a. */
  readonly ratio: Estimate;
  /** How likely such a difference is by chance; null: too few pairs for a test. */
  readonly p: number | null;
  /** Whether each side has enough samples beyond it. */
  readonly enough: boolean;
}

/** What came of it. */
export interface Duel {
  readonly pairs: number;
  readonly rows: readonly DuelRow[];
  /** Operations per second, b over a. */
  readonly throughput: { readonly a: number; readonly b: number; readonly ratio: Estimate };
  /** For plots: of each pair, b over a at p99. */
  readonly pairRatios: readonly number[];
}

const compared = [50, 90, 99, 99.9, 99.99];
/** With fewer pairs no difference can be told from chance at 5 %. */
const pairsForTest = 6;

/** All slices as one. */
export function wholeOf(blocks: readonly DuelBlock[]): Histogram {
  const sum = latencyHistogram();
  for (const { slices } of blocks) for (const slice of slices) sum.add(slice);
  return sum;
}

/** Block i of one side belongs to block i of the other. */
export function duelOf(a: readonly DuelBlock[], b: readonly DuelBlock[]): Duel {
  const mean = (blocks: readonly DuelBlock[]): number =>
    blocks.reduce((sum, { throughput }) => sum + throughput, 0) / blocks.length;
  const rates = a.map(({ throughput }, i) => (b[i] as DuelBlock).throughput / throughput);
  const wholes = { a: a.map((block) => wholeOf([block])), b: b.map((block) => wholeOf([block])) };
  const ratiosAt = (percentile: number): number[] =>
    wholes.a.map(
      (one, i) =>
        (wholes.b[i] as Histogram).getValueAtPercentile(percentile) / Math.max(1, one.getValueAtPercentile(percentile)),
    );
  return {
    pairs: a.length,
    rows: rowsOf(a, b, ratiosAt),
    throughput: { a: mean(a), b: mean(b), ratio: medianEstimate(rates) },
    pairRatios: ratiosAt(99),
  };
}

function rowsOf(
  a: readonly DuelBlock[],
  b: readonly DuelBlock[],
  ratiosAt: (percentile: number) => readonly number[],
): DuelRow[] {
  const slices = { a: a.flatMap((block) => block.slices), b: b.flatMap((block) => block.slices) };
  const sides = { a: percentileEstimates(slices.a, compared), b: percentileEstimates(slices.b, compared) };
  const unpaired = a.length > 1 ? [] : ratioEstimates(slices.a, slices.b, compared);
  const counts = [slices.a, slices.b].map((side) => side.reduce((sum, { totalCount }) => sum + totalCount, 0));
  return compared.map((percentile, i) => {
    const ratios = ratiosAt(percentile);
    return {
      percentile,
      a: inMs(sides.a[i] as Estimate),
      b: inMs(sides.b[i] as Estimate),
      ratio: unpaired[i] ?? medianEstimate(ratios),
      p: ratios.length < pairsForTest ? null : wilcoxon(ratios.map(Math.log)),
      enough: counts.every((count) => enoughBeyond(count, percentile)),
    };
  });
}

function inMs({ value, low, high }: Estimate): Estimate {
  return { value: value / 1000, low: low / 1000, high: high / 1000 };
}

/** A sentence about a row: a difference is one that the interval, and the test where there is one, do not put down to chance. */
export function sayRow({ ratio, p, enough }: DuelRow): string {
  if (!enough) return "too few samples";
  const shown = (ratio.low > 1 || ratio.high < 1) && (p === null || p < 0.05);
  if (!shown) return "no difference shown";
  const percent = Math.abs(100 * (ratio.value - 1)).toFixed(1);
  return `B is ${percent} % ${ratio.value > 1 ? "slower" : "faster"}`;
}

/** A log as a block. */
export function blockOfLog({ intervals }: LoggedRun): DuelBlock {
  const slices = intervals.map(({ histogram }) => histogram);
  const seconds = intervals.reduce((sum, { from, to }) => sum + to - from, 0);
  const operations = slices.reduce((sum, { totalCount }) => sum + totalCount, 0);
  return { slices, throughput: operations / Math.max(seconds, 0.001) };
}

/** A run as a block. */
function blockOfRun({ result, recording }: Measured): DuelBlock {
  const slices = recording.intervals.map(({ gets, puts }) => merged(gets, puts));
  return { slices, throughput: result.throughput };
}

/** Side of each block: A B, B A, A B ... so that neither is always first. */
export function duelOrder(pairs: number): readonly ("a" | "b")[] {
  return Array.from({ length: pairs }, (_, i) => (i % 2 === 0 ? (["a", "b"] as const) : (["b", "a"] as const))).flat();
}

/** Runs both sides in turns, each block with the seed of its pair. */
export async function runDuel(
  sides: { readonly a: Bench; readonly b: Bench },
  pairs: number,
  events: {
    onBlock(side: "a" | "b", pair: number): void;
    onMeasured(side: "a" | "b", pair: number, measured: Measured): void;
  },
): Promise<{ readonly a: readonly DuelBlock[]; readonly b: readonly DuelBlock[] }> {
  const blocks = { a: [] as DuelBlock[], b: [] as DuelBlock[] };
  for (const [i, side] of duelOrder(pairs).entries()) {
    const pair = i >> 1;
    events.onBlock(side, pair);
    const { plan } = sides[side];
    const measured = await sides[side].run({ ...plan, seed: (plan.seed + pair) >>> 0 });
    blocks[side].push(blockOfRun(measured));
    events.onMeasured(side, pair, measured);
  }
  return blocks;
}
