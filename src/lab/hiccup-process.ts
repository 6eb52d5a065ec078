/**
 * The program of the machine's hiccup meter: an idle process that is forked for the length of a run. It asks for real-time
 * scheduling, so that it waits for no process of this machine, and what it measures is the machine itself; where
 * that is not permitted it says so. It keeps a histogram per second and hands all of them over when it is told to stop:
 * to encode one takes longer than a sleep.
 */
import { encodeIntoCompressedBase64, type Histogram } from "hdr-histogram-js";
import { latencyHistogram } from "../metrics/metrics.ts";
import { idleHiccups } from "./hiccups.ts";
import { askRealTime } from "./priority.ts";

/** What it hands over. */
export interface HiccupReport {
  /** Whether it was scheduled before all others. */
  readonly prior: boolean;
  /** When each second began, on the wall clock, and its histogram, packed. */
  readonly seconds: readonly (readonly [atMs: number, packed: string])[];
}

const sliceMs = 50;
const secondMs = 1_000;
const secondsMax = 7_200;

const prior = askRealTime();
const seconds: [number, Histogram][] = [];

/** Slices, so that messages are heard in between. */
function slice(): void {
  const now = Date.now();
  let last = seconds.at(-1);
  if (last === undefined || now >= last[0] + secondMs) {
    last = [now, latencyHistogram()];
    seconds.push(last);
    if (seconds.length > secondsMax) seconds.shift();
  }
  idleHiccups(last[1], sliceMs);
  setImmediate(slice);
}

process.on("disconnect", () => process.exit());
process.on("message", () => {
  const packed = seconds.map(([atMs, histogram]) => [atMs, encodeIntoCompressedBase64(histogram)] as const);
  const report: HiccupReport = { prior, seconds: packed };
  process.send?.(report, () => process.exit());
});
process.send?.("ready");
slice();
