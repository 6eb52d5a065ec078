/**
 * RecentLatency: a high percentile of the last seconds, cheap enough to be fed by every request. Sixty slots of a second
 * each, in buckets of an eighth of an octave: what is asked of it is "has it become much worse", not the third digit.
 */
import type { Instant } from "../base/time.ts";

const secondUs = 1_000_000;
const slots = 60;
/** Eight buckets to an octave, up to 2^28 us. */
const perOctave = 8;
const buckets = 29 * perOctave;
/** The window is widened from so many seconds until it holds enough samples. */
const secondsLeast = 10;

/** The bucket of a duration in microseconds. */
function bucketOf(us: number): number {
  const octave = 31 - Math.clz32(us | 1);
  const within = octave < 3 ? (us << (3 - octave)) & 7 : (us >>> (octave - 3)) & 7;
  return Math.min(buckets - 1, octave * perOctave + within);
}

/** The upper bound of a bucket. */
function boundOf(bucket: number): number {
  const octave = Math.floor(bucket / perOctave);
  return Math.floor((2 ** octave * (perOctave + (bucket % perOctave) + 1)) / perOctave);
}

export class RecentLatency {
  readonly #counts: Uint32Array = new Uint32Array(slots * buckets);
  readonly #totals: Uint32Array = new Uint32Array(slots);
  /** The second that the newest slot stands for. */
  #second = 0;

  #turnTo(now: Instant): void {
    const second = Math.floor(now / secondUs);
    const passed = Math.min(slots, second - this.#second);
    for (let i = 0; i < passed; i += 1) {
      const slot = (second - i) % slots;
      this.#counts.fill(0, slot * buckets, (slot + 1) * buckets);
      this.#totals[slot] = 0;
    }
    if (passed > 0) this.#second = second;
  }

  /** Takes one duration. */
  record(now: Instant, us: number): void {
    this.#turnTo(now);
    const slot = this.#second % slots;
    const at = slot * buckets + bucketOf(Math.max(0, us));
    this.#counts[at] = (this.#counts[at] as number) + 1;
    this.#totals[slot] = (this.#totals[slot] as number) + 1;
  }

  /**
   * A bound that so many of 1,000 durations stay below, of the last ten seconds, or of as many more, up to a minute, as hold
   * `samples`; 0: there are not `samplesLeast` even so.
   */
  percentile(now: Instant, perMille: number, samples: number, samplesLeast: number): number {
    this.#turnTo(now);
    let seconds = 0;
    let total = 0;
    for (; seconds < slots && (seconds < secondsLeast || total < samples); seconds += 1) {
      total += this.#totals[(this.#second - seconds + slots) % slots] as number;
    }
    if (total < samplesLeast || total === 0) return 0;
    let above = Math.floor((total * (1000 - perMille)) / 1000);
    for (let bucket = buckets - 1; bucket >= 0; bucket -= 1) {
      for (let i = 0; i < seconds; i += 1) {
        above -= this.#counts[((this.#second - i + slots) % slots) * buckets + bucket] as number;
      }
      if (above < 0) return boundOf(bucket);
    }
    return 0;
  }
}
