/**
 * Background: how much of this node its background work may have: transfers, anti-entropy, scrub (Dynamo 6.5). One
 * controller for all of them. Once a second it compares what clients see now with what they saw while the node was
 * quiet: headroom adds a slice, none halves them, and a late event loop does too. There is always one slice: work that
 * never ends is worse than work that is slow.
 *
 * Whoever works in the background is told a rate, or given credits; nobody else decides when.
 */
import { after, type DurationUs, type Instant } from "../base/time.ts";
import { RecentLatency } from "../metrics/recent-latency.ts";

const secondUs: DurationUs = 1_000_000;
/** All there is. */
export const slicesMax = 32;
const slicesAtFirst = 8;
/** Bytes per second that transfers to one node receive, and as many that they send, with all slices. */
export const transferBytesPerSecondMax: number = 64 * 1024 * 1024;
/** A limit is never below this: a quiet node's percentile is noise. */
const limitLeastUs = 3_000;
/** A percentile of fewer requests says nothing. */
const samplesLeast = 100;
const samplesWanted = 1_000;
/** The lowest percentile is that of so many minutes. */
const quietMinutes = 10;
/** A tick this late means that the event loop had no time for it. */
const lateUs = 5_000;

/** The controller of one node. */
export class Background {
  readonly #foreground: RecentLatency = new RecentLatency();
  /** The lowest percentile of each of the last minutes; 0: not known. */
  readonly #lowest: number[] = new Array<number>(quietMinutes).fill(0);
  #minute = 0;
  #slices = slicesAtFirst;
  #judgeAt: Instant = 0 as Instant;
  #ticks = 0;
  #late = 0;
  readonly #unbounded: boolean;

  /** `unbounded`: all slices, always. */
  constructor(unbounded = false) {
    this.#unbounded = unbounded;
    if (unbounded) this.#slices = slicesMax;
  }

  /** Slices granted now, of `slicesMax`. */
  get slices(): number {
    return this.#slices;
  }

  /** A request of a client was answered so long after it came. */
  onAnswered(now: Instant, us: DurationUs): void {
    this.#foreground.record(now, us);
  }

  /** The event loop came to a tick so long after it was due. */
  onTick(us: DurationUs): void {
    this.#ticks += 1;
    if (us > lateUs) this.#late += 1;
  }

  /** What clients wait for at the most, but for one in a thousand; 0: too few to tell. */
  foregroundUs(now: Instant): number {
    return this.#foreground.percentile(now, 999, samplesWanted, samplesLeast);
  }

  /** What that should not exceed; 0: nobody knows yet. */
  get limitUs(): number {
    let lowest = 0;
    for (const one of this.#lowest) if (one !== 0 && (lowest === 0 || one < lowest)) lowest = one;
    return lowest === 0 ? 0 : Math.max(limitLeastUs, lowest + (lowest >>> 1));
  }

  /** So much of `most`, by the slices granted; never less than a slice of it. */
  shareOf(most: number): number {
    return Math.max(1, Math.floor((most * this.#slices) / slicesMax));
  }

  /** More comes from clients than can be done: until that is over, background work has no more than its least. */
  yield(): void {
    if (!this.#unbounded) this.#slices = 1;
  }

  /** Judges the last second. */
  tick(now: Instant): void {
    if (now < this.#judgeAt) return;
    this.#judgeAt = after(now, secondUs);
    const seen = this.foregroundUs(now);
    this.#learn(now, seen);
    const limit = this.limitUs;
    const isLate = this.#late > 1 && this.#late * 100 > this.#ticks;
    this.#ticks = 0;
    this.#late = 0;
    if (this.#unbounded) return;
    if (isLate || (limit > 0 && seen > limit)) this.#slices = Math.max(1, this.#slices >>> 1);
    else if (seen * 10 <= limit * 8) this.#slices = Math.min(slicesMax, this.#slices + 1);
  }

  #learn(now: Instant, seen: number): void {
    const minute = Math.floor(now / (60 * secondUs));
    const slot = minute % quietMinutes;
    if (minute !== this.#minute) {
      this.#minute = minute;
      this.#lowest[slot] = 0;
    }
    const lowest = this.#lowest[slot] as number;
    if (seen > 0 && (lowest === 0 || seen < lowest)) this.#lowest[slot] = seen;
  }

  /** When `tick` is due. */
  nextTick(): Instant {
    return this.#judgeAt;
  }
}
