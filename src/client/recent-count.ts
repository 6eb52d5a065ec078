/** RecentCount: how often something happened in the last while: one number per slot of time, forgotten as time passes. */
import type { DurationUs, Instant } from "../base/time.ts";

export class RecentCount {
  readonly #slots: Int32Array;
  readonly #slotUs: DurationUs;
  #sum = 0;
  #slot = 0;

  /** Looks back over `slots` times `slotUs`, the present slot included. */
  constructor(slots: number, slotUs: DurationUs) {
    this.#slots = new Int32Array(slots);
    this.#slotUs = slotUs;
  }

  /** It happened. */
  add(now: Instant): void {
    this.#advance(now);
    const at = this.#slot % this.#slots.length;
    this.#slots[at] = (this.#slots[at] as number) + 1;
    this.#sum += 1;
  }

  /** How often, lately. */
  sum(now: Instant): number {
    this.#advance(now);
    return this.#sum;
  }

  #advance(now: Instant): void {
    const { length } = this.#slots;
    const slot = Math.floor(now / this.#slotUs);
    const steps = Math.min(slot - this.#slot, length);
    for (let step = 1; step <= steps; step += 1) {
      const at = (this.#slot + step) % length;
      this.#sum -= this.#slots[at] as number;
      this.#slots[at] = 0;
    }
    if (steps > 0) this.#slot = slot;
  }
}
