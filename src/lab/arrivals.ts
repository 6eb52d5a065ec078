/**
 * When operations of an open loop are due: a schedule fixed before anything is sent, so that a slow answer never delays the
 * next question. Poisson arrivals, as many independent users make them, or evenly spaced ones.
 */
import { assert } from "../base/assert.ts";
import type { Rng } from "../base/rng.ts";
import type { Instant } from "../base/time.ts";
import { instant } from "../base/time.ts";
import { fraction } from "./key-choice.ts";

/** How arrivals are spaced. */
export type ArrivalKind = "poisson" | "constant";

/** The instants of one run, in order. */
export class Arrivals {
  readonly #kind: ArrivalKind;
  readonly #meanGapUs: number;
  readonly #rng: Rng;
  /** Kept with its fraction: rounding each gap would change the rate. */
  #at: number;

  /** `rate` is in operations per second; the first arrival is one gap after `start`. */
  constructor(kind: ArrivalKind, rate: number, rng: Rng, start: Instant) {
    assert(rate > 0, "a rate is positive");
    this.#kind = kind;
    this.#meanGapUs = 1_000_000 / rate;
    this.#rng = rng;
    this.#at = start;
    this.advance();
  }

  /** When the next operation is due. */
  get next(): Instant {
    return instant(Math.floor(this.#at));
  }

  /** That operation is taken: on to the one after it. */
  advance(): void {
    const gaps = this.#kind === "constant" ? 1 : -Math.log(1 - fraction(this.#rng));
    this.#at += gaps * this.#meanGapUs;
  }
}
