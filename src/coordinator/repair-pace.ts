/**
 * RepairPace: how often gets repair one key. Where a key is written all the time, every other get finds an owner that a
 * put is about to reach anyway, and a repair is the whole record: at 1,750 puts/s of one key, 630 to 840 repairs/s came
 * beside them. What a get leaves out, the next one makes up for, or the hint, or anti-entropy.
 */
import type { DurationUs, Instant } from "../base/time.ts";
import { after } from "../base/time.ts";

/** A key is repaired again after this, no sooner. */
export const repairEveryUs: DurationUs = 20_000;
/** Keys that are remembered: two that share a place forget each other. */
const places = 256;

/** The keys that this node has lately repaired, in fixed memory. */
export class RepairPace {
  readonly #highs = new Uint32Array(places);
  readonly #lows = new Uint32Array(places);
  readonly #againAt = new Float64Array(places);

  /** Whether the key with this hash may be repaired now; counts as done then. */
  take(now: Instant, high: number, low: number): boolean {
    const place = low & (places - 1);
    const same = this.#lows[place] === low >>> 0 && this.#highs[place] === high >>> 0;
    if (same && now < (this.#againAt[place] as number)) return false;
    this.#lows[place] = low;
    this.#highs[place] = high;
    this.#againAt[place] = after(now, repairEveryUs);
    return true;
  }
}
