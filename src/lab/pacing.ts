/**
 * Pacing: how the generator waits for the next intended start. Node's timers have 1 ms granularity, far too coarse, and
 * what beats them costs CPU that nodes on the same machine would have used:
 *
 *   nap    sleeps the thread for a few tens of microseconds between looks at the sockets, so that both the next send and
 *          the next answer are at most about 100 us late, for a small part of a core
 *   spin   looks again and again: on time to the microsecond, for a whole core; right where cores are plentiful
 *   timer  a 1 ms timer: nearly free, but every send is up to 1 ms late
 *
 * All of them sleep on a timer while the next send is more than 2 ms away.
 */
import { assert } from "../base/assert.ts";
import type { Instant } from "../base/time.ts";
import { never } from "../base/time.ts";

/** See above. */
export type Pacing = "nap" | "spin" | "timer";
/** Every way. */
export const pacings: readonly Pacing[] = ["nap", "spin", "timer"];

const farUs = 2_000;
/** Asked for; the kernel's timer slack (50 us) comes on top. */
const napMs = 0.02;

/** Calls `look` again and again until it returns `never`. */
export class Pacer {
  readonly #pacing: Pacing;
  readonly #look: () => Instant;
  readonly #clock: () => Instant;
  readonly #turn: () => void;
  readonly #cell: Int32Array = new Int32Array(new SharedArrayBuffer(4));
  #onEnd: () => void = () => {};

  /** `look` sends what is due and returns when to look again. */
  constructor(pacing: Pacing, clock: () => Instant, look: () => Instant) {
    this.#pacing = pacing;
    this.#clock = clock;
    this.#look = look;
    this.#turn = () => this.#onTurn();
  }

  /** Resolves after `look` has returned `never`. */
  run(): Promise<void> {
    return new Promise((resolve) => {
      this.#onEnd = resolve;
      setImmediate(this.#turn);
    });
  }

  #onTurn(): void {
    const next = this.#look();
    if (next === never) this.#onEnd();
    else this.#wait(next);
  }

  #wait(next: Instant): void {
    const awayUs = next - this.#clock();
    if (this.#pacing === "timer") setTimeout(this.#turn, 1);
    else if (awayUs > farUs) setTimeout(this.#turn, Math.floor(awayUs / 1000) - 1);
    else {
      if (this.#pacing === "nap" && awayUs > 0) this.#nap();
      setImmediate(this.#turn);
    }
  }

  /** Nobody notifies the cell: this is a sleep with the precision of the kernel's timers. */
  #nap(): void {
    assert(Atomics.wait(this.#cell, 0, 0, napMs) === "timed-out", "nobody wakes a nap");
  }
}
