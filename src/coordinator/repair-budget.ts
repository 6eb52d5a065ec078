/**
 * RepairBudget: which repairs gets may send: so many at once, and of one key one get's every 20 ms. Where a key is written
 * all the time, every other get finds an owner that a put is about to reach anyway, and a repair is the whole record: at
 * 1,750 puts/s of one key, 630 to 840 repairs/s came beside them. What a get leaves out, the next one makes up for, or the
 * hint, or anti-entropy.
 */
import { after, type DurationUs, type Instant } from "../base/time.ts";

/** A key is repaired again after this, no sooner. */
export const repairEveryUs: DurationUs = 20_000;
/** Keys that are remembered: two that share a place forget each other. */
const places = 256;

/** What is under way, and the keys that this node has lately repaired, in fixed memory. */
export class RepairBudget {
  /** Repairs under way. */
  inFlight = 0;
  /** Repairs not sent because too many were under way. */
  skipped = 0;
  readonly #most: number;
  readonly #highs = new Uint32Array(places);
  readonly #lows = new Uint32Array(places);
  readonly #againAt = new Float64Array(places);

  /** `most`: how many may be under way. */
  constructor(most: number) {
    this.#most = most;
  }

  /** Whether one more may be sent; it counts as under way then. */
  begin(): boolean {
    if (this.inFlight < this.#most) {
      this.inFlight += 1;
      return true;
    }
    this.skipped += 1;
    return false;
  }

  /** So many have ended. */
  end(count: number): void {
    this.inFlight -= count;
  }

  /** Whether a get may repair the key with this hash now; counts as done then. */
  takeKey(now: Instant, high: number, low: number): boolean {
    const place = low & (places - 1);
    const same = this.#lows[place] === low >>> 0 && this.#highs[place] === high >>> 0;
    if (same && now < (this.#againAt[place] as number)) return false;
    this.#lows[place] = low;
    this.#highs[place] = high;
    this.#againAt[place] = after(now, repairEveryUs);
    return true;
  }
}
