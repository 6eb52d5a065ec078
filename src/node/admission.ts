/**
 * Admission: how many requests of clients a node works on at once (what is bounded is the time in queues, not their
 * length). More in flight than the machine can take makes no more answers, only later ones, and late answers cost: puts
 * of one key overlap, each sees less of the others, and records grow by siblings, so that everything becomes dearer
 * still.
 *
 * Every 100 ms it looks at the answers since: when most took longer than the target, the limit falls by a third, at
 * most to what is in flight; otherwise it rises by a tenth. A window without answers lets it rise too, so it never
 * sticks. The median is looked at, not a late tail: one slow replica or a collection of garbage is no overload.
 */
import { after, type Instant } from "../base/time.ts";

const windowUs = 100_000;
/** Most answers of a healthy node, on a slow disk too, are far below. */
const targetUs = 50_000;
/** With fewer answers in a window nothing is concluded. */
const answersLeast = 16;
/** So few cost nobody much, and answers may be late for reasons that refusing cures not: a cold process, a slow disk. */
const limitLeast = 64;

/** The limit of one node. */
export class Admission {
  readonly #limitMax: number;
  #limit: number;
  #windowEnd: Instant = 0 as Instant;
  #answers = 0;
  #late = 0;

  constructor(limitMax: number) {
    this.#limitMax = limitMax;
    this.#limit = limitMax;
  }

  /** Requests that may be in flight now. */
  get limit(): number {
    return this.#limit;
  }

  /**
   * A request was answered, well or with an error, `elapsedUs` after it was taken in; `inFlight` are those that are
   * left. Were only good answers looked at, a node whose requests all run out of time would never take in less.
   */
  onAnswer(now: Instant, elapsedUs: number, inFlight: number): void {
    this.#answers += 1;
    if (elapsedUs > targetUs) this.#late += 1;
    if (now >= this.#windowEnd) this.#endWindow(now, inFlight);
  }

  /** A request is refused: if answers have stopped, time must still pass. */
  onRefused(now: Instant, inFlight: number): void {
    if (now >= this.#windowEnd) this.#endWindow(now, inFlight);
  }

  #endWindow(now: Instant, inFlight: number): void {
    const overloaded = this.#answers >= answersLeast && this.#late * 2 > this.#answers;
    if (overloaded) this.#limit = Math.max(limitLeast, Math.floor((Math.min(this.#limit, inFlight) * 2) / 3));
    else this.#limit = Math.min(this.#limitMax, this.#limit + Math.ceil(this.#limit / 10));
    this.#windowEnd = after(now, windowUs);
    this.#answers = 0;
    this.#late = 0;
  }
}
