/**
 * An HDR histogram log, format 1.3, which HistogramLogAnalyzer and the usual plotters read: one line per interval and tag
 * (GET, PUT), values in microseconds, the maximum column in milliseconds; the payload is HdrHistogram's V2 encoding,
 * compressed, in base64. Intervals are encoded after the run, because encoding one takes as long as answering a dozen
 * requests.
 *
 * The library's own writer claims that its counts are rotated by one (a normalizing index offset of 1), which they are not
 * and which readers in C take at its word, and writes the conversion ratio 1 as an integer; both are put right here.
 */
import { deflateSync, inflateSync } from "node:zlib";
import { encodeIntoCompressedBase64, type Histogram } from "hdr-histogram-js";
import type { Interval } from "./recording.ts";

const usPerMs = 1_000;
/** Before the deflated part: cookie and length. */
const headBytes = 8;
const offsetAt = 8;
const ratioAt = 32;

/** The log. `startedMs` is the wall clock at second 0, from which intervals are counted. */
export function histogramLogText(
  intervals: readonly Interval[],
  startedMs: number,
  comments: readonly string[],
): string {
  const started = `[StartTime: ${(startedMs / 1000).toFixed(3)} (seconds since epoch), ${new Date(startedMs)}]`;
  const head = ["[Histogram log format version 1.3]", ...comments, started].map((comment) => `#${comment}`);
  const columns = '"StartTimestamp","Interval_Length","Interval_Max","Interval_Compressed_Histogram"';
  const lines = intervals.flatMap((interval) => [
    line("GET", interval, interval.gets),
    line("PUT", interval, interval.puts),
  ]);
  return [...head, columns, ...lines.filter((one) => one !== ""), ""].join("\n");
}

function line(tag: string, { from, to }: Interval, histogram: Histogram): string {
  if (histogram.totalCount === 0) return "";
  const numbers = [from, to - from, histogram.maxValue / usPerMs].map((value) => value.toFixed(3));
  return [`Tag=${tag}`, ...numbers, payloadOf(histogram)].join(",");
}

function payloadOf(histogram: Histogram): string {
  const packed = Buffer.from(encodeIntoCompressedBase64(histogram), "base64");
  const plain = inflateSync(packed.subarray(headBytes));
  plain.writeUInt32BE(0, offsetAt);
  plain.writeDoubleBE(1, ratioAt);
  const deflated = deflateSync(plain);
  const head = Buffer.from(packed.subarray(0, headBytes));
  head.writeUInt32BE(deflated.length, 4);
  return Buffer.concat([head, deflated]).toString("base64");
}
