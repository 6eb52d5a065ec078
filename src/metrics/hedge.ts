/**
 * Hedging: asking a second time when the first is late. What the SDK (a get at another owner) and a coordinator (a record
 * from another replica) decide it by. The delay is the healthy peers' 95th percentile, never that of the slow one, which
 * rises just when a hedge is needed; a budget bounds the extra work; and nothing is hedged when everybody is slow or busy,
 * because then it only adds to what makes them so.
 */
import { assert } from "../base/assert.ts";
import { canary } from "../base/canary.ts";
import type { DurationUs } from "../base/time.ts";

/** One hedge per so many requests: 5 %. */
const requestsPerHedge = 20;
/** Hedges that may follow one another at once. */
const hedgesAtOnce = 8;

/** At most 5 % of the requests, and few of them at once. */
export class HedgeBudget {
  /** What requests have brought in and hedges have not used, in requests. */
  #saved = 0;

  /** A request that might be hedged has begun. */
  earn(): void {
    if (this.#saved < hedgesAtOnce * requestsPerHedge) this.#saved += 1;
  }

  /** Takes one hedge; false: there is none left. */
  take(): boolean {
    if (canary("hedge-without-budget")) return true;
    if (this.#saved < requestsPerHedge) return false;
    this.#saved -= requestsPerHedge;
    return true;
  }
}

/** The estimate moves by so much of itself: one in 2^8 down, 19 times that up, which balances where 1 in 20 is above. */
const stepShift = 8;
const stepsUp = 19;
/** It carries so many binary places. */
const places = 4;
const sampleMaxUs: DurationUs = 60_000_000;
/** Samples before it says anything. */
const samplesLeast = 16;

/** An estimate of what 95 of 100 recent durations stay below, in two numbers (frugal streaming, arXiv:1407.1121). */
export class P95 {
  #scaled = 0;
  #samples = 0;

  add(us: DurationUs): void {
    assert(us >= 0, "a duration is not negative");
    const sample = Math.min(us, sampleMaxUs) << places;
    if (this.#samples < samplesLeast) {
      this.#samples += 1;
      this.#scaled = Math.max(this.#scaled, sample);
      return;
    }
    const step = 1 + (this.#scaled >>> stepShift);
    if (sample > this.#scaled) this.#scaled = Math.min(sample, this.#scaled + stepsUp * step);
    else this.#scaled = Math.max(sample, this.#scaled - step);
  }

  /** 0: there are too few samples to tell. */
  get us(): DurationUs {
    return this.#samples < samplesLeast ? 0 : this.#scaled >>> places;
  }

  /** What was is no guide any more. */
  forget(): void {
    this.#scaled = 0;
    this.#samples = 0;
  }
}

/** Timers are no finer. */
const delayLeastUs: DurationUs = 1_000;

/**
 * How long to wait before asking a second time, of the percentiles of all peers (0: not known) and of what nearly all requests
 * should take at the most: the 95th percentile of the two fastest, 1 ms to a third of the target; 0: do not. One peer is no
 * measure, and where even the fastest takes more than that third everybody is slow.
 */
export function hedgeDelayUs(peers: Iterable<{ readonly p95Us: DurationUs }>, targetUs: DurationUs): DurationUs {
  let fastest = 0;
  let second = 0;
  for (const { p95Us } of peers) {
    if (p95Us === 0) continue;
    if (fastest === 0 || p95Us < fastest) {
      second = fastest;
      fastest = p95Us;
    } else if (second === 0 || p95Us < second) second = p95Us;
  }
  const most = Math.floor(targetUs / 3);
  if (second === 0 || fastest > most) return 0;
  return Math.max(delayLeastUs, Math.min(second, most));
}

/** Above so much of all nodes' time, in percent, nothing is hedged. */
const busyMax = 70;

/** Whether the nodes have time for asking twice; each tells how busy it is. */
export function haveTime(nodes: Iterable<{ readonly busy: number }>): boolean {
  let sum = 0;
  let count = 0;
  for (const { busy } of nodes) {
    sum += busy;
    count += 1;
  }
  return sum <= busyMax * count;
}

/** Longest queue that is told apart: beyond it a node is as bad as any. */
const queueMax = 4_095;

/**
 * What a request to a node is expected to cost, after C3 (Suresh et al., NSDI 2015): its latency times the third power of
 * the requests before it, those that the asker has there and those that the node itself told of. Comparable, smaller is
 * better; an exact integer.
 */
export function replicaScore(latencyUs: DurationUs, mine: number, told: number): number {
  const queue = Math.min(1 + mine + told, queueMax);
  return Math.min(latencyUs, 100_000) * queue * queue * queue;
}
