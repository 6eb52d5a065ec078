/** The plots of the latency lab: percentile spectrum, time series, saturation curve, and the pairs of a duel. */
import type { Happening } from "../happenings.ts";
import type { SeriesPoint } from "../result.ts";
import type { SpectrumPoint } from "../spectrum.ts";
import type { Knee, SweepPoint } from "../sweep.ts";
import { linearScale, logScale, ninesScale, numberText } from "./scale.ts";
import type { Curve, Mark, Plot } from "./svg.ts";

/** What kinds of latency are told apart by, in all plots. */
const colourOf = { p50: 0, p99: 1, "p99.9": 2, max: 3, machine: 5 } as const;

/** One spectrum under a name. */
export interface NamedSpectrum {
  readonly name: string;
  readonly points: readonly SpectrumPoint[];
}

/** Spectra on an axis of nines; dashed where fewer than 100 samples lie beyond. */
export function spectrumPlot(title: string, spectra: readonly NamedSpectrum[]): Plot {
  const all = spectra.flatMap(({ points }) => points);
  const curves = spectra.flatMap(({ name, points }, colour): Curve[] => {
    const at = points.map(({ percentile, ms }) => [percentile, ms] as const);
    const quoted = points.filter(({ enough }) => enough).length;
    return [
      { name, colour, look: "line", points: at.slice(0, quoted) },
      { name: "", colour, look: "dashed", points: at.slice(Math.max(0, quoted - 1)) },
    ];
  });
  return {
    title,
    x: { label: "percentile", scale: ninesScale(Math.max(90, ...all.map(({ percentile }) => percentile))) },
    y: { label: "milliseconds", scale: logScale(all.map(({ ms }) => ms)) },
    curves,
  };
}

/** Second by second, with what happened meanwhile as numbered lines. */
export function seriesPlot(
  title: string,
  series: readonly SeriesPoint[],
  happenings: readonly Happening[],
  machine: readonly (readonly [second: number, ms: number])[],
): Plot {
  const curve = (name: "p50" | "p99" | "p99.9" | "max"): Curve => {
    const points = series
      .filter(({ operations }) => operations > 0)
      .map((point) => [(point.from + point.to) / 2, point[name]] as const);
    return { name, colour: colourOf[name], look: name === "max" ? "dashed" : "line", points };
  };
  const curves = [curve("max"), curve("p99.9"), curve("p99"), curve("p50")];
  if (machine.length > 0)
    curves.push({ name: "machine's worst hiccup", colour: colourOf.machine, look: "dots", points: machine });
  return {
    title,
    x: { label: "seconds", scale: linearScale(0, Math.max(1, series.at(-1)?.to ?? 1), 12) },
    y: { label: "milliseconds", scale: logScale(curves.flatMap(({ points }) => points.map(([, y]) => y))) },
    curves,
    marks: happenings.map(({ second, number, kind, text }) => {
      return { axis: "x", at: second, label: String(number), hint: `${second.toFixed(1)} s, ${kind}: ${text}` };
    }),
  };
}

/** Latency against rate, with the knee, what the slowest percentile may be, and what an ideal queue would do. */
export function curvePlot(title: string, points: readonly SweepPoint[], knee: Knee, sloMs: number): Plot {
  const sorted = byRate(points);
  const curve = (name: "p50" | "p99" | "p99.9"): Curve => {
    const at = sorted.map(({ rate, result }) => [rate, result.latencyMs[name]] as const);
    return { name, colour: colourOf[name], look: "line with dots", points: at };
  };
  const most = Math.max(...sorted.map(({ rate }) => rate), 1);
  const measured = [curve("p99.9"), curve("p99"), curve("p50")];
  // What it is capable of is only known where it, and not the generator, was what gave up.
  const curves = knee.limit === "latency" || knee.limit === "goodput" ? [...measured, ideal(sorted)] : measured;
  const marks: Mark[] = [{ axis: "y", at: sloMs, label: `${sloMs} ms`, hint: `p99.9 may be ${sloMs} ms` }];
  if (knee.rate !== null)
    marks.push({ axis: "x", at: knee.rate, label: `knee ${numberText(knee.rate)}/s`, hint: knee.why });
  return {
    title,
    x: { label: "operations per second", scale: linearScale(0, most * 1.04) },
    y: {
      label: "milliseconds",
      scale: logScale([sloMs, ...measured.flatMap(({ points: at }) => at.map(([, y]) => y))]),
    },
    curves,
    marks,
  };
}

/** p99.9 of a queue with one server and random service times (M/M/1) that is as fast as the fastest run was. */
function ideal(points: readonly SweepPoint[]): Curve {
  const fastest = Math.max(...points.map(({ result }) => result.throughput));
  const at = Array.from({ length: 60 }, (_, i) => (fastest * (i + 1)) / 62);
  const latency = at.map((rate) => [rate, (1000 * Math.log(1000)) / (fastest - rate)] as const);
  return { name: "p99.9 of an ideal queue (M/M/1)", colour: colourOf.max, look: "dashed", points: latency };
}

/** One run of each rate, in the order of rates: the one that was held, or the last. */
function byRate(points: readonly SweepPoint[]): SweepPoint[] {
  const chosen = new Map<number, SweepPoint>();
  for (const point of points) if (chosen.get(point.rate)?.limit !== null) chosen.set(point.rate, point);
  return [...chosen.values()].sort((a, b) => a.rate - b.rate);
}

/** What came back against what was asked for. */
export function goodputPlot(title: string, points: readonly SweepPoint[]): Plot {
  const sorted = byRate(points);
  const most = Math.max(...sorted.map(({ rate }) => rate), 1);
  return {
    title,
    x: { label: "operations per second asked for", scale: linearScale(0, most * 1.04) },
    y: { label: "answered per second", scale: linearScale(0, most * 1.04) },
    curves: [
      {
        name: "answered",
        colour: 4,
        look: "line with dots",
        points: sorted.map(({ rate, result }) => [rate, result.throughput]),
      },
      {
        name: "asked for",
        colour: colourOf.max,
        look: "dashed",
        points: [
          [0, 0],
          [most, most],
        ],
      },
    ],
  };
}

/** The ratio of each pair, in the order they ran. */
export function pairsPlot(title: string, ratios: readonly number[]): Plot {
  const low = Math.min(...ratios, 0.9);
  const high = Math.max(...ratios, 1.1);
  return {
    title,
    x: { label: "pair", scale: linearScale(0, ratios.length + 1, ratios.length + 1) },
    y: { label: "B over A", scale: linearScale(low * 0.95, high * 1.05) },
    curves: [{ name: "p99 of B over p99 of A", colour: 5, look: "dots", points: ratios.map((one, i) => [i + 1, one]) }],
    marks: [{ axis: "y", at: 1, label: "equal", hint: "B is as fast as A" }],
  };
}
