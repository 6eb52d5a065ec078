/**
 * Pauses: when this process stood still lately, and why: what the host has seen and tells the node (node/environment.ts).
 * A pause of the loop is seen by its lateness, whatever held it up; what the collector or a call to the disk took of it is
 * told apart, and may be told later. Bounded: the oldest is forgotten. Not here: who waited (metrics/cause.ts).
 */
import type { DurationUs, Instant } from "../base/time.ts";

/** Why a process stood still; numbers of the schema's `Pause`. */
export const PauseKind: Readonly<{ loop: 0; gc: 1; disk: 2; key: 3 }> = {
  /** The event loop came back late: long work, another process's turn, SIGSTOP. What follows is part of it. */
  loop: 0,
  /** The garbage collector stopped it. */
  gc: 1,
  /** A call to the disk that should not take time took some. */
  disk: 2,
  /** A turn of the loop was spent on one key; the node sees that itself. */
  key: 3,
};
export type PauseKind = 0 | 1 | 2 | 3;

/** So many are remembered. */
export const pausesMax = 512;

/** The pauses of one process. */
export class Pauses {
  readonly #kinds = new Uint8Array(pausesMax);
  readonly #from = new Float64Array(pausesMax);
  readonly #until = new Float64Array(pausesMax);
  /** The number of the one before it of its kind. */
  readonly #before = new Float64Array(pausesMax);
  /** How many were ever noted: the newest is at `#noted - 1`, modulo. */
  #noted = 0;
  #lastEnd = 0;
  /** By kind, the number of the one noted last. */
  readonly #lastOf: number[] = [-1, -1, -1, -1];

  /** When the latest of them ended: whatever began later was not held up. */
  get lastEnd(): number {
    return this.#lastEnd;
  }

  /** Notes one. What continues the latest of its kind is taken for the same pause. */
  note(kind: PauseKind, from: Instant, until: Instant): void {
    this.#lastEnd = Math.max(this.#lastEnd, until);
    const latest = this.#lastOf[kind] as number;
    const last = latest % pausesMax;
    if (this.#remembers(latest) && from <= (this.#until[last] as number)) {
      this.#until[last] = Math.max(until, this.#until[last] as number);
      return;
    }
    const at = this.#noted % pausesMax;
    this.#before[at] = latest;
    this.#lastOf[kind] = this.#noted;
    this.#noted += 1;
    this.#kinds[at] = kind;
    this.#from[at] = from;
    this.#until[at] = until;
  }

  /** How much of a stretch of time lies in pauses of that kind. */
  overlap(kind: PauseKind, from: Instant, until: Instant): DurationUs {
    if (this.#lastEnd <= from) return 0;
    let sum = 0;
    // Of one kind they are noted in the order in which they end: those before the first that is too old are older still.
    for (let number = this.#lastOf[kind] as number; this.#remembers(number); ) {
      const at = number % pausesMax;
      const ended = this.#until[at] as number;
      if (ended <= from) break;
      sum += Math.max(0, Math.min(ended, until) - Math.max(this.#from[at] as number, from));
      number = this.#before[at] as number;
    }
    return Math.min(sum, until - from);
  }

  #remembers(number: number): boolean {
    return number >= 0 && this.#noted - number <= pausesMax;
  }

  /** Visits those that are remembered, newest first. */
  forEach(visit: (kind: PauseKind, from: Instant, until: Instant) => void): void {
    const oldest = Math.max(0, this.#noted - pausesMax);
    for (let number = this.#noted - 1; number >= oldest; number -= 1) {
      const at = number % pausesMax;
      visit(this.#kinds[at] as PauseKind, this.#from[at] as Instant, this.#until[at] as Instant);
    }
  }
}
