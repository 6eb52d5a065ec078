/**
 * LateAttempts: attempts whose request was answered by another one first. The node still works on them: they keep their
 * places there, and how long they take in the end is what is known of it. Were they forgotten at once, a node that is
 * always beaten would look as fast as those that beat it.
 */
import { DeadlineQueue } from "../base/deadlines.ts";
import { type DurationUs, type Instant, instant } from "../base/time.ts";
import type { Attempt } from "./request.ts";

/** More are not remembered: the budget of hedges allows a few. */
const attemptsMax = 1_024;

export class LateAttempts {
  readonly #byFrame = new Map<number, Attempt>();
  readonly #deadlines = new DeadlineQueue();

  /** Remembers an attempt by its frame id, for as long as its request had; false: it is to be forgotten at once. */
  add(now: Instant, frameId: number, attempt: Attempt, timeLeft: DurationUs): boolean {
    if (this.#byFrame.size >= attemptsMax || timeLeft <= 0) return false;
    this.#byFrame.set(frameId, attempt);
    this.#deadlines.push(now, frameId, timeLeft);
    return true;
  }

  /** The attempt that this late answer is to, now forgotten. */
  answered(frameId: number, connection: number): Attempt | undefined {
    const attempt = this.#byFrame.get(frameId);
    if (attempt?.connection !== connection) return undefined;
    this.#byFrame.delete(frameId);
    return attempt;
  }

  /** An attempt that nobody will answer any more, now forgotten. Call until undefined. */
  nextExpired(now: Instant): Attempt | undefined {
    for (let id = this.#deadlines.expired(now); id >= 0; id = this.#deadlines.expired(now)) {
      const attempt = this.#byFrame.get(id);
      if (attempt === undefined) continue;
      this.#byFrame.delete(id);
      return attempt;
    }
    return undefined;
  }

  /** Those on a connection that broke, now forgotten. */
  takeOn(connection: number): readonly Attempt[] {
    const lost: Attempt[] = [];
    for (const [frameId, attempt] of this.#byFrame) {
      if (attempt.connection !== connection) continue;
      this.#byFrame.delete(frameId);
      lost.push(attempt);
    }
    return lost;
  }

  nextTick(): Instant {
    return instant(this.#deadlines.next());
  }
}
