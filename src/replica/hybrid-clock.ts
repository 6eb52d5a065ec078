/**
 * HybridClock: the stamps of writes to buckets where the last write wins (Kulkarni et al., "Logical Physical Clocks",
 * 2014): never behind the wall clock, and always above every stamp that this node has made or been shown. So a write
 * wins over all that its node knew of, whatever the wall clocks say.
 *
 * A stamp is one number, microseconds since 1970. The wall clock is read in milliseconds; the microseconds below are the
 * logical part, and what they overflow into is made up for as soon as the wall clock has caught up.
 *
 * A clock that is far ahead of this node's drags nobody along: its stamps win where they are (a put on top of one gets a
 * greater one), and nowhere else.
 */
import { assert } from "../base/assert.ts";
import { canary } from "../base/canary.ts";
import { mark } from "../base/mark.ts";

/** A stamp further ahead of the wall clock than this is not followed, microseconds. */
export const stampAheadMax = 500_000;

/** One node's. */
export class HybridClock {
  /** Milliseconds since 1970. */
  readonly #wallMs: () => number;
  readonly #farAhead: { value: number };
  #last = 0;

  /** `farAhead` counts the stamps that are not followed. */
  constructor(wallMs: () => number, farAhead: { value: number } = { value: 0 }) {
    this.#wallMs = wallMs;
    this.#farAhead = farAhead;
  }

  /** The greatest stamp that was made or followed. */
  get last(): number {
    return this.#last;
  }

  /** Another node's clock has made this stamp. */
  observe(stamp: number): void {
    if (stamp <= this.#last) return;
    if (stamp <= this.#wallMs() * 1000 + stampAheadMax) this.#last = stamp;
    else {
      mark("hybrid-clock.far-ahead");
      this.#farAhead.value += 1;
    }
  }

  /** The stamp of a write on top of one stamped `above`; 0: on top of none. */
  next(above: number): number {
    this.observe(above);
    const wall = this.#wallMs() * 1000;
    if (canary("stamp-ignores-held")) return wall;
    this.#last = Math.max(wall, this.#last + 1);
    const stamp = Math.max(this.#last, above + 1);
    assert(stamp <= Number.MAX_SAFE_INTEGER, "a stamp is an exact number");
    return stamp;
  }
}
