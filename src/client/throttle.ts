/**
 * Throttle: a client that is told OVERLOADED again and again asks less (mechanisms.md 1.9). A refusal costs a node little,
 * but a thousand of them cost it what it could have answered with, so a client sends at most twice as much as is answered:
 * the rest fails here, by chance, and costs nobody anything. The formula is that of "Site Reliability Engineering", chapter
 * 21, over one second, so that it ends with the overload.
 */
import type { Rng } from "../base/rng.ts";
import type { Instant } from "../base/time.ts";
import { RecentCount } from "./recent-count.ts";

const slots = 10;
const slotUs = 100_000;
/** So many refusals more than answers are bad luck. */
const patience = 32;

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
    const surplus = refused - answered - patience;
    if (surplus <= 0 || rng.below(refused + answered) >= surplus) return false;
    this.#refused.add(now);
    return true;
  }
}
