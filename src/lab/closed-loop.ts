/**
 * ClosedLoop: keeps so many operations in flight; whoever ends one is given the next at the end of the turn, so that all
 * answers of a turn lead to one write per connection. It shows what a cluster can do, not how it feels: while the cluster
 * stalls nobody asks it anything, so its latencies leave the stall out.
 */
import type { Instant } from "../base/time.ts";

export class ClosedLoop {
  readonly #start: (now: Instant) => boolean;
  #owed: number;

  /** `start` begins one operation; false: there is nothing left to do. */
  constructor(width: number, start: (now: Instant) => boolean) {
    this.#owed = width;
    this.#start = start;
  }

  /** An operation has ended: its place is free. */
  free(): void {
    this.#owed += 1;
  }

  /** Fills the places that were free at the call. One that is freed at once is filled in the next turn. */
  fill(now: Instant): void {
    for (let left = this.#owed; left > 0; left -= 1) {
      if (!this.#start(now)) return;
      this.#owed -= 1;
    }
  }
}
