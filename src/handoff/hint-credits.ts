/**
 * HintCredits: how much a node that comes back lets others send it. N senders have waited for it: without this they would
 * all at once, and each for itself within its rate, bury it under its own past. So one window of bytes is shared among
 * those who are delivering, and it shrinks when foreground requests suffer.
 */
import { after, type DurationUs, type Instant } from "../base/time.ts";

/** Bytes under way from all senders together. */
const windowBytesDefault = 4 * 1024 * 1024;
/** A sender that has been silent for so long takes no share. */
const forgetUsDefault: DurationUs = 5_000_000;
/** No share is smaller, or a record would take several. */
const shareLeast = 16 * 1024;

/** What the receiver measures of itself. */
export interface ForegroundLoad {
  /** A high percentile of the latency of clients' requests lately; 0: too few to tell. */
  readonly foregroundUs: number;
  /** What it should not exceed; 0: no limit. */
  readonly limitUs: number;
  /** The store has fallen behind. */
  readonly behind: boolean;
}

/** The windows that one node gives. */
export class HintCredits {
  readonly #windowBytes: number;
  readonly #forgetUs: DurationUs;
  readonly #seen: Map<number, Instant> = new Map();

  constructor(windowBytes: number = windowBytesDefault, forgetUs: DurationUs = forgetUsDefault) {
    this.#windowBytes = windowBytes;
    this.#forgetUs = forgetUs;
  }

  /** Those who have delivered something lately. */
  get senders(): number {
    return this.#seen.size;
  }

  /** Bytes that `from`, who has just delivered something, may have under way from now on; 0: come again later. */
  grant(now: Instant, from: number, load: ForegroundLoad): number {
    this.#seen.set(from, now);
    for (const [sender, at] of this.#seen) if (after(at, this.#forgetUs) <= now) this.#seen.delete(sender);
    if (load.behind) return 0;
    const share = Math.floor(this.#windowBytes / this.#seen.size);
    const slow = load.limitUs > 0 && load.foregroundUs > load.limitUs;
    return Math.max(shareLeast, slow ? Math.floor(share / 4) : share);
  }
}
