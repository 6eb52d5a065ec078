/**
 * Pacing: how the generator waits for the next intended start. Node's timers have 1 ms granularity, far too coarse, and
 * what beats them costs CPU that nodes on the same machine would have used:
 *
 *   nap    sleeps the thread between looks at the sockets, half a millisecond at most, and does not wake up for a send
 *          within half a millisecond of the one before: what is due then goes together. So sends and answers are up to
 *          half a millisecond late at high rates, and sends on time at low ones, for a small part of a core
 *   spin   looks again and again: on time to the microsecond, for a whole core; right where cores are plentiful
 *   timer  a 1 ms timer: cheaper still, but every send is up to 1 ms late
 *
 * All of them sleep on a timer while the next send is more than 2 ms away. Shorter naps would be on time, and take from
 * nodes on the same machine what they measure: a wake-up costs a virtual machine some 40 us of CPU (docs/BENCH.md).
 */
import { assert } from "../base/assert.ts";
import type { DurationUs, Instant } from "../base/time.ts";
import { after, never } from "../base/time.ts";

/** See above. */
export type Pacing = "nap" | "spin" | "timer";
/** Every way. */
export const pacings: readonly Pacing[] = ["nap", "spin", "timer"];

const farUs = 2_000;
/** Half of the lateness that voids a run; the kernel's timer slack (50 us) comes on top. */
const napUs: DurationUs = 500;

/** Calls `look` again and again until it returns `never`. */
export class Pacer {
  readonly #pacing: Pacing;
  readonly #look: () => Instant;
  readonly #clock: () => Instant;
  readonly #turn: () => void;
  readonly #cell: Int32Array = new Int32Array(new SharedArrayBuffer(4));
  #onEnd: () => void = () => {};
  #next: Instant = never;
  /** When the last send went. */
  #sentAt: Instant = 0 as Instant;

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
    const now = this.#clock();
    if (this.#next <= now) this.#sentAt = now;
    this.#next = this.#look();
    if (this.#next === never) this.#onEnd();
    else this.#wait();
  }

  #wait(): void {
    const now = this.#clock();
    const awayUs = this.#next - now;
    if (this.#pacing === "timer") setTimeout(this.#turn, 1);
    else if (awayUs > farUs) setTimeout(this.#turn, Math.floor(awayUs / 1000) - 1);
    else {
      if (this.#pacing === "nap") this.#nap(Math.max(awayUs, after(this.#sentAt, napUs) - now));
      setImmediate(this.#turn);
    }
  }

  /** Nobody notifies the cell: this is a sleep with the precision of the kernel's timers. */
  #nap(us: DurationUs): void {
    if (us <= 0) return;
    assert(Atomics.wait(this.#cell, 0, 0, Math.min(us, napUs) / 1000) === "timed-out", "nobody wakes a nap");
  }
}
