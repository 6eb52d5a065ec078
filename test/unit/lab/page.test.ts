/** Scales, plots and pages: values lie where they should, files need nothing else, and no text breaks out of its place. */
import { describe, expect, it } from "vitest";
import { Rng } from "../../../src/base/rng.ts";
import { happeningsOf, readNoted } from "../../../src/lab/happenings.ts";
import { htmlOf, type Page, svgFilesOf } from "../../../src/lab/page/page.ts";
import { seriesPlot, spectrumPlot } from "../../../src/lab/page/plots.ts";
import { linearScale, logScale, ninesScale, numberText } from "../../../src/lab/page/scale.ts";
import { type Plot, svgOf } from "../../../src/lab/page/svg.ts";
import type { SeriesPoint } from "../../../src/lab/result.ts";
import { ninesOf, spectrumOf } from "../../../src/lab/spectrum.ts";
import { latencyHistogram } from "../../../src/metrics/metrics.ts";

/** Names of elements that are opened and not closed, or closed and not open: none in a well-formed file. */
function unbalanced(markup: string): string[] {
  const open: string[] = [];
  const wrong: string[] = [];
  const bare = markup.replace(/<style>[\s\S]*?<\/style>/g, "").replace("<!doctype html>", "");
  for (const [, close, name, selfClosed] of bare.matchAll(/<(\/?)([a-z][\w-]*)(?:\s[^<>]*?)?(\/?)>/gi)) {
    if (selfClosed === "/" || ["meta"].includes(name as string)) continue;
    if (close === "") open.push(name as string);
    else if (open.pop() !== name) wrong.push(name as string);
  }
  return [...open, ...wrong];
}

describe("scales", () => {
  it("linear: ends at 0 and 1, round ticks inside", () => {
    const { at, ticks } = linearScale(0, 37);
    expect([at(0), at(37)]).toEqual([0, 1]);
    expect(ticks.map(([value]) => value)).toEqual([0, 10, 20, 30]);
    expect(linearScale(0.9, 1.13, 4).ticks.map(([, label]) => label)).toEqual(["0.9", "1", "1.1"]);
  });

  it("logarithmic: whole decades around all values, and a place for zero", () => {
    const { at, ticks } = logScale([0.3, 40]);
    expect(ticks.map(([, label]) => label)).toEqual(["0.1", "1", "10", "100"]);
    expect(at(1)).toBeCloseTo(1 / 3, 9);
    expect(at(0)).toBe(0);
    expect(logScale([]).ticks).toHaveLength(2);
    expect(logScale([0, 0]).ticks).toHaveLength(2);
    expect(logScale([1]).ticks.length).toBeGreaterThan(1);
  });

  it("nines: each as wide as the one before", () => {
    const { at, ticks } = ninesScale(99.999);
    expect(at(99) - at(90)).toBeCloseTo(at(99.999) - at(99.99), 6);
    expect(at(99.999)).toBeCloseTo(1, 6);
    expect(ticks.map(([, label]) => label)).toEqual(["p0", "p50", "p90", "p99", "p99.9", "p99.99", "p99.999"]);
  });

  it("numbers as people write them", () =>
    expect([0.25, 12, 1234567, 999.5].map(numberText)).toEqual(["0.25", "12", "1,234,567", "1000"]));
});

it("a spectrum has the histogram's percentiles, to five nines, and says what may be quoted", () => {
  const histogram = latencyHistogram();
  const rng = new Rng(1);
  for (let i = 0; i < 200_000; i += 1) histogram.recordValue(1 + rng.below(100_000));
  const points = spectrumOf(histogram);
  expect(points.at(-1)?.percentile).toBeCloseTo(99.999, 6);
  for (const { percentile, ms } of points)
    expect(ms).toBe(Math.min(histogram.getValueAtPercentile(percentile), histogram.maxValue) / 1000);
  for (let i = 1; i < points.length; i += 1) expect(points[i]?.ms).toBeGreaterThanOrEqual(points[i - 1]?.ms as number);
  // 100 of 200,000 samples lie beyond p99.95.
  expect(points.filter(({ enough }) => enough).at(-1)?.percentile).toBeLessThan(99.951);
  expect(points.filter(({ enough }) => enough).at(-1)?.percentile).toBeGreaterThan(99.94);
  expect(ninesOf(99.9)).toBeCloseTo(3, 9);
  expect(spectrumOf(latencyHistogram())).toEqual([]);
});

const series: SeriesPoint[] = [0, 1, 2].map((from) => {
  return { from, to: from + 1, operations: 10, p50: 1, p90: 2, p99: 3, "p99.9": 10 ** from, "p99.99": 5, max: 200 };
});
const hostile = `<script>alert("1")</script> & 'x'`;
const happenings = happeningsOf([{ atMs: 1_500, kind: "fault", text: hostile }], 0, 3);

describe("a plot", () => {
  const plot: Plot = seriesPlot(`of ${hostile}`, series, happenings, [[1, 0.5]]);

  it("is well-formed, whatever stands in it", () => {
    for (const alone of [true, false]) {
      const svg = svgOf(plot, alone);
      expect(unbalanced(svg)).toEqual([]);
      expect(svg).not.toContain("<script");
      expect(svg).not.toMatch(/NaN|undefined|Infinity/);
    }
  });

  it("puts points where their values are: later to the right, slower higher", () => {
    const line = svgOf(plot, false).match(/class="curve c2" points="([^"]+)"/)?.[1] as string;
    const points = line.split(" ").map((one) => one.split(",").map(Number) as [number, number]);
    expect(points).toHaveLength(3);
    // 1, 10 and 100 ms: equal steps upwards.
    expect((points[0]?.[1] as number) - (points[1]?.[1] as number)).toBeCloseTo(
      (points[1]?.[1] as number) - (points[2]?.[1] as number),
      0,
    );
    expect(points[1]?.[0]).toBeGreaterThan(points[0]?.[0] as number);
    expect(points[0]?.[1]).toBeGreaterThan(points[2]?.[1] as number);
  });

  it("of nothing is a plot, too", () => {
    expect(unbalanced(svgOf(seriesPlot("empty", [], [], []), true))).toEqual([]);
    expect(svgOf(spectrumPlot("empty", [{ name: "none", points: [] }]), true)).not.toMatch(/NaN|undefined|Infinity/);
  });
});

describe("a page", () => {
  const page: Page = {
    title: hostile,
    subtitle: hostile,
    warnings: [hostile],
    figures: [{ label: hostile, value: hostile }],
    sections: [
      {
        heading: hostile,
        text: [hostile],
        plots: [{ name: "series", plot: seriesPlot("s", series, happenings, []) }],
        table: [
          ["", "p50"],
          [hostile, "1"],
        ],
        note: hostile,
        code: [hostile],
      },
    ],
    data: { text: hostile },
  };

  it("is one file, light and dark, that loads nothing and runs nothing", () => {
    const html = htmlOf(page);
    expect(unbalanced(html)).toEqual([]);
    expect(html).not.toMatch(/<script|<link|<img|@import|url\(|src=/i);
    expect([...html.matchAll(/https?:\/\/[^"]*/g)].map(([url]) => url)).toEqual(["http://www.w3.org/2000/svg"]);
    expect(html).toContain("prefers-color-scheme:dark");
    expect(html).toContain("&lt;script&gt;");
  });

  it("gives its plots as files, each with its own style", () => {
    const files = svgFilesOf(page);
    expect(files.map(([name]) => name)).toEqual(["series.svg"]);
    expect(files[0]?.[1]).toContain("<style>");
  });
});

describe("happenings", () => {
  it("are those of the window, in order, numbered; what several nodes say is told once", () => {
    const noted = [
      { atMs: 9_000, kind: "ring", text: "epoch 2" },
      { atMs: 4_000, kind: "member", text: "n3 is dead", node: "n1" },
      { atMs: 4_500, kind: "member", text: "n3 is dead", node: "n2" },
      { atMs: 8_000, kind: "member", text: "n3 is dead" },
      { atMs: 99_000, kind: "ring", text: "too late" },
      { atMs: 500, kind: "ring", text: "too early" },
    ];
    const told = happeningsOf(noted, 1_000, 20);
    expect(told.map(({ number, second, text }) => [number, second, text])).toEqual([
      [1, 3, "n3 is dead (n1, n2)"],
      [2, 7, "n3 is dead"],
      [3, 8, "epoch 2"],
    ]);
  });

  it("too many of them end in how many more there are", () => {
    const noted = Array.from({ length: 100 }, (_, i) => ({ atMs: i * 100, kind: "ring", text: `epoch ${i}` }));
    const told = happeningsOf(noted, 0, 20);
    expect(told).toHaveLength(60);
    expect(told.at(-1)?.text).toBe("41 more until the end");
  });

  it("are read from an array or from lines; anything else is refused", () => {
    const array = `[{"at":"1970-01-01T00:00:01Z","text":"a","kind":"fault"}]`;
    expect(readNoted("f", array)).toEqual([{ atMs: 1_000, kind: "fault", text: "a" }]);
    expect(readNoted("f", `{"at":5,"text":"a"}\n\n{"at":6,"text":"b"}\n`)).toHaveLength(2);
    for (const bad of ["nonsense", `[{"text":"a"}]`, `{"at":"yesterday","text":"a"}`, "[1]", "[null]"])
      expect(() => readNoted("f", bad)).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
  });
});
