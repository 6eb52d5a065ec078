/**
 * Hiccups: how much longer than it should have a sleep of a millisecond took, over and over. In the generator that is what
 * its own event loop stood still (LoopMeter); in a process that does nothing else it is what the machine keeps from anybody
 * (`idleHiccups`, run by `hiccup-process.ts`).
 */
import { performance } from "node:perf_hooks";
import type { Histogram } from "hdr-histogram-js";
import { latencyHistogram } from "../metrics/metrics.ts";

const sleepMs = 1;
const highestUs = 60_000_000;

function record(histogram: Histogram, overMs: number): void {
  histogram.recordValue(Math.max(1, Math.min(Math.round(overMs * 1000), highestUs)));
}

/** Timers have a granularity of a millisecond: what is less than that is none of the loop's fault. */
export class LoopMeter {
  /** Microseconds. */
  readonly stalls: Histogram = latencyHistogram();
  readonly #nap: () => void;
  #timer: NodeJS.Timeout | undefined;
  #began = 0;

  constructor() {
    this.#nap = () => {
      const now = performance.now();
      record(this.stalls, now - this.#began - 2 * sleepMs);
      this.#sleep(now);
    };
  }

  start(): void {
    this.#sleep(performance.now());
  }

  #sleep(now: number): void {
    this.#began = now;
    this.#timer = setTimeout(this.#nap, sleepMs);
  }

  stop(): void {
    clearTimeout(this.#timer);
  }
}

const cell = new Int32Array(new SharedArrayBuffer(4));

/** Sleeps for as long as `histogram` is to cover and records each sleep's excess, to some ten microseconds; blocks the thread. */
export function idleHiccups(histogram: Histogram, forMs: number): void {
  const end = performance.now() + forMs;
  for (let began = performance.now(); began < end; ) {
    Atomics.wait(cell, 0, 0, sleepMs);
    const now = performance.now();
    record(histogram, now - began - sleepMs);
    began = now;
  }
}
