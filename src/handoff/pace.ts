/**
 * Pace: so many bytes per second, governed from outside, and how long to wait before the next try. Whole numbers only: the
 * debt is counted in bytes times microseconds per second.
 */
import type { Rng } from "../base/rng.ts";
import { after, type DurationUs, type Instant, never } from "../base/time.ts";

const second = 1_000_000;

/** A debt of bytes that wears off at the rate; more may be sent when there is none. */
export class Pace {
  #rate: number;
  #debt = 0;
  #at: Instant = 0 as Instant;

  constructor(bytesPerSecond: number) {
    this.#rate = bytesPerSecond;
  }

  /** Whether nothing may be sent at all. */
  get paused(): boolean {
    return this.#rate === 0;
  }

  /** Bytes per second, a whole number; 0: nothing. What was sent already wears off at the new rate. */
  setRate(now: Instant, bytesPerSecond: number): void {
    this.#wearOff(now);
    this.#rate = bytesPerSecond;
  }

  /** When more may be sent. */
  get readyAt(): Instant {
    if (this.#rate === 0) return never;
    return after(this.#at, Math.ceil(this.#debt / this.#rate));
  }

  /** How long so many bytes take; `never` while nothing may be sent. */
  timeOf(bytes: number): DurationUs {
    return this.#rate === 0 ? never : Math.ceil((bytes * second) / this.#rate);
  }

  /** So many bytes are sent. */
  take(now: Instant, bytes: number): void {
    this.#wearOff(now);
    this.#debt += bytes * second;
  }

  /** So many of the bytes taken were not sent after all. */
  giveBack(now: Instant, bytes: number): void {
    this.#wearOff(now);
    this.#debt = Math.max(0, this.#debt - bytes * second);
  }

  #wearOff(now: Instant): void {
    if (now <= this.#at) return;
    if (this.#rate !== 0) this.#debt = now >= this.readyAt ? 0 : this.#debt - (now - this.#at) * this.#rate;
    this.#at = now;
  }
}

/** How long to wait after the failure of that number (from 1): doubling from `least` to `most`, half of it by chance. */
export function retryDelay(attempt: number, least: DurationUs, most: DurationUs, rng: Rng): DurationUs {
  const whole = Math.min(most, least * 2 ** Math.min(attempt - 1, 20));
  const half = Math.floor(whole / 2);
  return half + rng.below(whole - half + 1);
}
