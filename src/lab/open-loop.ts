/**
 * OpenLoop: sends what the schedule says is due, whatever became of what was sent before, so that a stall of the cluster is
 * felt by every operation that should have begun meanwhile. Deterministic: a pacer calls `poll`.
 */
import type { Instant } from "../base/time.ts";
import { instant, never } from "../base/time.ts";
import type { Arrivals } from "./arrivals.ts";
import type { Traffic } from "./traffic.ts";

/** Sends of one poll: more wait for the next one, so that answers are read in between. */
const burstMax = 64;

export class OpenLoop {
  readonly #traffic: Traffic;
  readonly #arrivals: Arrivals;
  readonly #until: Instant;
  readonly #inFlightMax: number;
  readonly #clock: () => Instant;
  /** When a send last had to wait because too many operations were in flight. */
  #heldAt: Instant = instant(-1);

  constructor(options: {
    traffic: Traffic;
    arrivals: Arrivals;
    /** The schedule ends here. */
    until: Instant;
    inFlightMax: number;
    clock: () => Instant;
  }) {
    this.#traffic = options.traffic;
    this.#arrivals = options.arrivals;
    this.#until = options.until;
    this.#inFlightMax = options.inFlightMax;
    this.#clock = options.clock;
  }

  /** When the next operation is due; `never`: the schedule is over. */
  get next(): Instant {
    return this.#arrivals.next < this.#until ? this.#arrivals.next : never;
  }

  /** Sends what is due, each with the clock's time of its own; returns how many. */
  poll(now: Instant): number {
    let sent = 0;
    let clock = now;
    for (let due = this.next; due <= clock && sent < burstMax; due = this.next) {
      if (this.#traffic.inFlight >= this.#inFlightMax) {
        this.#heldAt = clock;
        break;
      }
      this.#traffic.send(clock, due, due <= this.#heldAt);
      this.#arrivals.advance();
      sent += 1;
      clock = this.#clock();
    }
    return sent;
  }
}
