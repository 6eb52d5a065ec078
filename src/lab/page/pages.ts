/** The reports of the latency lab, as pages: one run, a sweep, a duel. */
import type { Histogram } from "hdr-histogram-js";
import type { Measured } from "../bench.ts";
import { type Duel, type DuelBlock, sayRow, wholeOf } from "../duel.ts";
import type { Happening } from "../happenings.ts";
import { reportOf } from "../report.ts";
import { type BenchResult, enoughBeyond, merged, type Percentiles, percentiles } from "../result.ts";
import { spectrumOf } from "../spectrum.ts";
import { type Estimate, percentileEstimates } from "../statistics.ts";
import type { Knee, SweepPoint } from "../sweep.ts";
import type { Page, Section } from "./page.ts";
import { curvePlot, goodputPlot, type NamedSpectrum, pairsPlot, seriesPlot, spectrumPlot } from "./plots.ts";
import { numberText } from "./scale.ts";

/** What every page says of where it comes from. */
export interface Origin {
  /** Commands that make the same report anew. */
  readonly commands: readonly string[];
  /** Marks for the time series. */
  readonly happenings: readonly Happening[];
}

const ms = (value: number): string => `${value.toFixed(value < 10 ? 2 : 1)} ms`;

function setup(result: BenchResult, origin: Origin): Section[] {
  const { before } = reportOf(result);
  const lines = before.filter((line) => !line.startsWith("VOIDED") && line !== "" && line !== "milliseconds");
  return [
    { heading: "What ran, and where", code: lines },
    { heading: "To repeat it", code: origin.commands },
  ];
}

function named(name: string, histogram: Histogram): NamedSpectrum {
  return { name, points: spectrumOf(histogram) };
}

function spectrumSection({ recording, result }: Measured): Section {
  const { gets, puts } = recording.recorder;
  const open = result.workload.mode === "open";
  const spectra = [named("get", gets.response), named("put", puts.response)];
  if (open) spectra.push(named("all, service time", merged(gets.service, puts.service)));
  const title = open ? "Response time by percentile" : "Latency by percentile";
  const { table } = reportOf(result);
  return {
    heading: "Percentile spectrum",
    text: [
      "Each nine is as wide as the one before. Dashed: fewer than 100 samples lie beyond, to be seen, not quoted.",
    ],
    plots: [{ name: "spectrum", plot: spectrumPlot(title, spectra) }],
    table,
    ...certainty(recording.intervals.map((one) => merged(one.gets, one.puts))),
  };
}

/** How sure the percentiles are, from drawing whole seconds again; nothing for a run too short for that. */
function certainty(seconds: readonly Histogram[]): { note?: string } {
  if (seconds.length < 5) return {};
  const samples = seconds.reduce((sum, { totalCount }) => sum + totalCount, 0);
  const told = [99, 99.9, 99.99].filter((percentile) => enoughBeyond(samples, percentile));
  const each = percentileEstimates(seconds, told).map((estimate, i) => `p${told[i]} ${between(estimate)}`);
  return { note: `95 % intervals, all operations, whole seconds drawn again: ${each.join("; ")}.` };
}

function between({ low, high }: Estimate): string {
  return `${(low / 1000).toFixed(2)} to ${ms(high / 1000)}`;
}

function seriesSection({ result, hiccups }: Measured, happenings: readonly Happening[]): Section {
  const series = result.series ?? [];
  const plot = seriesPlot("Response time, second by second", series, happenings, hiccups?.worst ?? []);
  const rows = happenings.map(({ number, second, kind, text }) => [String(number), second.toFixed(1), kind, text]);
  return {
    heading: "Time series",
    text: ["One second has few samples beyond p99.9: a shape to look at. Numbered lines: what happened meanwhile."],
    plots: [{ name: "series", plot }],
    ...(rows.length === 0
      ? { note: "Nothing was noted during the run." }
      : { table: [["", "second", "kind", "what"], ...rows] }),
  };
}

function stallsSection({ latenessMs, hiccupsMs }: BenchResult): Section {
  const row = (name: string, values: Percentiles): string[] => [
    name,
    ...percentiles.map(([key]) => values[key].toFixed(3)),
    values.max.toFixed(3),
  ];
  const rows = [row("generator's lateness", latenessMs), row("generator's event loop", hiccupsMs.generator)];
  const { machine } = hiccupsMs;
  if (machine !== null)
    rows.push(row(machine.prior ? "idle process, real-time" : "idle process, no priority", machine));
  return {
    heading: "Hiccups",
    text: [
      "What the generator added before sending, what its event loop stood still, and what an idle process on the same machine slept too long; milliseconds.",
    ],
    table: [["ms", ...percentiles.map(([name]) => name), "max"], ...rows],
  };
}

function warningsOf(results: readonly BenchResult[]): string[] {
  return results.flatMap(({ voided }) => (voided === null ? [] : [`VOIDED: ${voided}`]));
}

/** One run. */
export function runPage(measured: Measured, origin: Origin): Page {
  const { result } = measured;
  const { latencyMs, throughput, workload, environment } = result;
  const figures = (["p50", "p99", "p99.9"] as const).map((name) => ({ label: name, value: ms(latencyMs[name]) }));
  const load =
    workload.mode === "open"
      ? `open loop, ${numberText(workload.rate ?? 0)}/s`
      : `closed loop, ${workload.clients} clients`;
  return {
    title: `Ringtail under load: ${load}`,
    subtitle: `${environment.startedAt}; ${workload.readPercent} % gets; ${environment.cluster.durability}; ${workload.durationSeconds} s`,
    warnings: warningsOf([result]),
    figures: [
      { label: "operations/s", value: numberText(throughput) },
      ...figures,
      { label: "slowest", value: ms(latencyMs.max) },
      { label: "errors", value: numberText(result.errors) },
    ],
    sections: [
      spectrumSection(measured),
      seriesSection(measured, origin.happenings),
      stallsSection(result),
      ...setup(result, origin),
    ],
    data: result,
  };
}

/** A sweep as rows of a table, in the order its rates ran. */
export function sweepRows(points: readonly SweepPoint[]): string[][] {
  const rows = points.map(({ rate, limit, why, result: { throughput, latencyMs, latenessMs } }) => [
    numberText(rate),
    numberText(throughput),
    ...(["p50", "p99", "p99.9"] as const).map((name) => latencyMs[name].toFixed(2)),
    latenessMs["p99.9"].toFixed(2),
    limit === null ? "held" : `${limit}: ${why}`,
  ]);
  return [["rate", "answered/s", "p50", "p99", "p99.9", "lateness p99.9", ""], ...rows];
}

/** A sweep; `spectra` of some of its rates. */
export function sweepPage(
  points: readonly SweepPoint[],
  knee: Knee,
  sloMs: number,
  spectra: readonly NamedSpectrum[],
  origin: Origin,
): Page {
  const { result } = points[0] as SweepPoint;
  return {
    title: "Ringtail: sweep to the knee",
    subtitle: `${result.environment.startedAt}; ${result.workload.readPercent} % gets; ${result.environment.cluster.durability}; p99.9 may be ${sloMs} ms`,
    warnings: [],
    figures: [{ label: "knee, operations/s", value: knee.rate === null ? "none" : numberText(knee.rate) }],
    sections: [
      {
        heading: "Saturation",
        text: [knee.why],
        plots: [
          { name: "saturation", plot: curvePlot("Response time against rate", points, knee, sloMs) },
          { name: "goodput", plot: goodputPlot("Answers against rate", points) },
        ],
        table: sweepRows(points),
        note: "In the order they ran. A rate that failed is run once more; it counts as not held when it fails twice.",
      },
      { heading: "Spectra", plots: [{ name: "spectra", plot: spectrumPlot("Response time by percentile", spectra) }] },
      ...setup(result, origin),
    ],
    data: points,
  };
}

function estimateText({ value, low, high }: Estimate, digits: number): string {
  return `${value.toFixed(digits)} (${low.toFixed(digits)} to ${high.toFixed(digits)})`;
}

/** A duel as rows of a table, for people. */
export function duelRows(duel: Duel): string[][] {
  const rows = duel.rows.map((row) => [
    `p${row.percentile}`,
    estimateText(row.a, 2),
    estimateText(row.b, 2),
    estimateText(row.ratio, 3),
    row.p === null ? "-" : row.p.toFixed(4),
    sayRow(row),
  ]);
  const { a, b, ratio } = duel.throughput;
  const rate = ["operations/s", numberText(a), numberText(b), estimateText(ratio, 3), "-", ""];
  return [["ms (95 % interval)", "A", "B", "B / A", "p", ""], ...rows, rate];
}

/** A duel; `result`: of one of its runs, undefined where there are only logs. */
export function duelPage(
  duel: Duel,
  blocks: { readonly a: readonly DuelBlock[]; readonly b: readonly DuelBlock[] },
  names: { readonly a: string; readonly b: string },
  results: readonly BenchResult[],
  origin: Origin,
): Page {
  const spectra = [named(`A: ${names.a}`, wholeOf(blocks.a)), named(`B: ${names.b}`, wholeOf(blocks.b))];
  const [first] = results;
  const plots = [{ name: "spectra", plot: spectrumPlot("Response time by percentile", spectra) }];
  const pairs = { name: "pairs", plot: pairsPlot("Pair by pair", duel.pairRatios) };
  return {
    title: "Ringtail: A against B",
    subtitle: `A: ${names.a}; B: ${names.b}; ${duel.pairs} ${duel.pairs === 1 ? "pair" : "pairs"} of blocks`,
    warnings: warningsOf(results),
    figures: duel.rows.flatMap(({ percentile, ratio, enough }) =>
      enough ? [{ label: `p${percentile}, B / A`, value: ratio.value.toFixed(2) }] : [],
    ),
    sections: [
      {
        heading: "Difference",
        text: [
          duel.pairs > 1
            ? "The median of the paired ratios, its interval by bootstrap over the pairs, and the Wilcoxon signed-rank test (p)."
            : "The ratio of two runs, its interval by bootstrap over their seconds: what changed between the runs is in it, too.",
        ],
        plots: duel.pairs > 1 ? [...plots, pairs] : plots,
        table: duelRows(duel),
      },
      ...(first === undefined ? [{ heading: "To repeat it", code: origin.commands }] : setup(first, origin)),
    ],
    data: { duel, results },
  };
}
