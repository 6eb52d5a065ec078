/**
 * SecondAttempts: ops that were refused because replicas obey a newer ring than the one they were begun with. Each waits
 * here for that ring, until its deadline at the most, and is then tried once more (`coordinator/again.ts`).
 */
import { emptyList } from "../base/one-shape.ts";
import { type Instant, never } from "../base/time.ts";
import type { AnyOp } from "./request.ts";

export class SecondAttempts {
  readonly #waiting: AnyOp[] = emptyList();

  /** How many wait. */
  get size(): number {
    return this.#waiting.length;
  }

  add(op: AnyOp): void {
    this.#waiting.push(op);
  }

  /** Takes an op whose ring is there, or undefined. */
  takeReady(epoch: number): AnyOp | undefined {
    return this.#take((op) => op.staleEpoch <= epoch);
  }

  /** Takes an op whose time is over, or undefined. */
  takeExpired(now: Instant): AnyOp | undefined {
    return this.#take((op) => op.deadline <= now);
  }

  #take(which: (op: AnyOp) => boolean): AnyOp | undefined {
    const at = this.#waiting.findIndex(which);
    return at < 0 ? undefined : this.#waiting.splice(at, 1)[0];
  }

  nextDeadline(): Instant {
    let next: Instant = never;
    for (const op of this.#waiting) if (op.deadline < next) next = op.deadline;
    return next;
  }
}
