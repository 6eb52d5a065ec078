/**
 * Throttle: a client that is told OVERLOADED again and again asks less. A refusal costs a node little, but a thousand
 * of them cost it what it could have answered with, so of what a client sends a fifth is refused at the most: the rest
 * fails here, by chance, and costs nobody anything. The formula is that of "Site Reliability Engineering", chapter 21.
 * What it sends beyond what is answered is how it finds out that more would be: by a quarter every 0.2 s, so that it is
 * back within a second or two of an overload's end.
 */
import type { Rng } from "../base/rng.ts";
import type { Instant } from "../base/time.ts";
import { RecentCount } from "./recent-count.ts";

const slots = 10;
const slotUs = 20_000;
/** Of so many answers one refusal is no reason to ask less. */
const answersPerRefusal = 4;
/** So many more are bad luck. */
const patience = 8;

export class Throttle {
  readonly #answered = new RecentCount(slots, slotUs);
  /** By nodes, and here. */
  readonly #refused = new RecentCount(slots, slotUs);

  /** A node has answered, well or badly, but for OVERLOADED. */
  onAnswer(now: Instant): void {
    this.#answered.add(now);
  }

  /** A node has answered OVERLOADED. */
  onOverloaded(now: Instant): void {
    this.#refused.add(now);
  }

  /** Whether a request should fail here and now. */
  holdsBack(now: Instant, rng: Rng): boolean {
    const answered = this.#answered.sum(now);
    const refused = this.#refused.sum(now);
    const surplus = refused - Math.floor(answered / answersPerRefusal) - patience;
    if (surplus <= 0 || rng.below(refused + answered) >= surplus) return false;
    this.#refused.add(now);
    return true;
  }
}
