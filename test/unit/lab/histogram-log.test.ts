/** The HDR log, read back by the library's own reader, and its lines as other readers expect them. */
import { inflateSync } from "node:zlib";
import { type Histogram, HistogramLogReader, listTags } from "hdr-histogram-js";
import { expect, it } from "vitest";
import { Rng } from "../../../src/base/rng.ts";
import { instant } from "../../../src/base/time.ts";
import { histogramLogText } from "../../../src/lab/histogram-log.ts";
import { Recorder } from "../../../src/lab/recorder.ts";
import type { Interval } from "../../../src/lab/recording.ts";
import { latencyHistogram } from "../../../src/metrics/metrics.ts";

function readAll(text: string): Histogram[] {
  const reader = new HistogramLogReader(text);
  const all: Histogram[] = [];
  for (let next = reader.nextIntervalHistogram(); next !== null; next = reader.nextIntervalHistogram()) all.push(next);
  return all;
}

it("what was recorded comes back: tags, intervals, every value", () => {
  const intervals: Interval[] = [];
  const recorder = new Recorder({
    from: instant(5_000_000),
    to: instant(8_000_000),
    isOpenLoop: true,
    take: (from, to, gets, puts) => {
      intervals.push({ from: from / 1_000_000 - 5, to: to / 1_000_000 - 5, gets, puts });
    },
  });
  const rng = new Rng(1);
  for (let second = 5; second < 8; second += 1) {
    for (let i = 0; i < 500; i += 1) {
      const intended = instant(second * 1_000_000 + 2000 * i);
      recorder.answered(i % 5 !== 0, intended, intended, instant(intended + 50 + rng.below(100_000)));
    }
    recorder.endInterval(instant((second + 1) * 1_000_000));
  }

  const text = histogramLogText(intervals, 1_700_000_000_000, ["made by a test"]);
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

it("the payload is HdrHistogram's V2 encoding, compressed: cookies and layout, byte by byte", () => {
  const gets = latencyHistogram();
  for (const us of [1, 250, 250, 99_999]) gets.recordValue(us);
  const text = histogramLogText([{ from: 0, to: 1, gets, puts: latencyHistogram() }], 0, []);
  const payload = Buffer.from(text.trim().split("\n").at(-1)?.split(",").at(-1) as string, "base64");
  expect(payload.readUInt32BE(0)).toBe(0x1c849314);
  expect(payload.readUInt32BE(4)).toBe(payload.length - 8);
  const plain = inflateSync(payload.subarray(8));
  expect(plain.readUInt32BE(0)).toBe(0x1c849313);
  expect(plain.readUInt32BE(4)).toBe(plain.length - 40);
  // Normalizing index offset, significant digits, lowest, highest, conversion ratio.
  expect([plain.readUInt32BE(8), plain.readUInt32BE(12)]).toEqual([0, 3]);
  expect([plain.readBigUInt64BE(16), plain.readBigUInt64BE(24), plain.readDoubleBE(32)]).toEqual([1n, 60_000_000n, 1]);
  // ZigZag LEB128: one zero, one count, 248 zeros, a count of two.
  expect([...plain.subarray(40, 45)]).toEqual([0x00, 0x02, 0xef, 0x03, 0x04]);
});

it("intervals without values leave no line", () => {
  const text = histogramLogText([{ from: 0, to: 1, gets: latencyHistogram(), puts: latencyHistogram() }], 1.7e12, []);
  expect(readAll(text)).toHaveLength(0);
});
