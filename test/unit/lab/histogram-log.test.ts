/** The HDR log, read back by the library's own reader, and its lines as other readers expect them. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Histogram, HistogramLogReader, listTags } from "hdr-histogram-js";
import { afterAll, expect, it } from "vitest";
import { Rng } from "../../../src/base/rng.ts";
import { instant } from "../../../src/base/time.ts";
import { HistogramLog } from "../../../src/lab/histogram-log.ts";
import { Recorder } from "../../../src/lab/recorder.ts";

const directory = mkdtempSync(join(tmpdir(), "ringtail-hlog-"));
afterAll(() => rmSync(directory, { recursive: true }));

function readAll(text: string): Histogram[] {
  const reader = new HistogramLogReader(text);
  const all: Histogram[] = [];
  for (let next = reader.nextIntervalHistogram(); next !== null; next = reader.nextIntervalHistogram()) all.push(next);
  return all;
}

it("what was recorded comes back: tags, intervals, every value", () => {
  const path = join(directory, "run.hlog");
  const log = new HistogramLog(path);
  const recorder = new Recorder({
    from: instant(5_000_000),
    to: instant(8_000_000),
    isOpenLoop: true,
    take: (...interval) => log.add(...interval),
  });
  const rng = new Rng(1);
  for (let second = 5; second < 8; second += 1) {
    for (let i = 0; i < 500; i += 1) {
      const intended = instant(second * 1_000_000 + 2000 * i);
      recorder.answered(i % 5 !== 0, intended, intended, instant(intended + 50 + rng.below(100_000)));
    }
    recorder.endInterval(instant((second + 1) * 1_000_000));
  }
  log.save(instant(5_000_000), 1_700_000_000_000, ["made by a test"]);

  const text = readFileSync(path, "utf8");
  const lines = text.split("\n");
  expect(lines[0]).toBe("#[Histogram log format version 1.3]");
  expect(text).toContain("#[StartTime: 1700000000.000 (seconds since epoch), ");
  expect(text).toContain('"StartTimestamp","Interval_Length","Interval_Max","Interval_Compressed_Histogram"');
  const data = lines.filter((line) => line.startsWith("Tag="));
  expect(data).toHaveLength(6);
  for (const line of data) expect(line).toMatch(/^Tag=(GET|PUT),[0-9]\.000,1\.000,[0-9]+\.[0-9]{3},HISTFAAA[\w+/]+=*$/);
  expect(data.map((line) => line.split(",")[1])).toEqual(["0.000", "0.000", "1.000", "1.000", "2.000", "2.000"]);

  expect(listTags(text)).toEqual(["GET", "PUT"]);
  const all = readAll(text);
  const gets = all.filter(({ tag }) => tag === "GET");
  const puts = all.filter(({ tag }) => tag === "PUT");
  expect(gets.map(({ startTimeStampMsec }) => startTimeStampMsec)).toEqual([1.7e12, 1.7e12 + 1000, 1.7e12 + 2000]);
  for (const [read, recorded] of [
    [gets, recorder.gets],
    [puts, recorder.puts],
  ] as const) {
    const sum = read[0] as Histogram;
    for (const histogram of read.slice(1)) sum.add(histogram);
    expect(sum.totalCount).toBe(recorded.operations);
    for (const p of [1, 25, 50, 90, 99, 99.9, 100])
      expect(sum.getValueAtPercentile(p)).toBe(recorded.response.getValueAtPercentile(p));
  }
});

it("intervals without values leave no line", () => {
  const path = join(directory, "empty.hlog");
  const log = new HistogramLog(path);
  const recorder = new Recorder({ from: instant(0), to: instant(9), isOpenLoop: false, take: (...i) => log.add(...i) });
  recorder.endInterval(instant(9));
  log.save(instant(0), 1_700_000_000_000, []);
  expect(readAll(readFileSync(path, "utf8"))).toHaveLength(0);
});

it("a file that cannot be written is refused at once", () => {
  expect(() => new HistogramLog(join(directory, "no", "such", "place"))).toThrow(
    expect.objectContaining({ code: "INVALID_ARGUMENT", message: expect.stringContaining("ENOENT") as string }),
  );
});
