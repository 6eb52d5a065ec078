/**
 * Sightings: since when a node has seen what could be forgotten, unchanged. The age of a tombstone is measured by this
 * node's own clock and never by the second written in it: that is another machine's word, and what the age must exceed,
 * the life of a write on its way, would not be exceeded if that machine's clock were wrong.
 *
 * A table of integers, by key hash, with a short probe. What finds no place is looked at again in the next pass; a key that
 * is not seen again loses its place to others.
 */
import type { DurationUs, Instant } from "../base/time.ts";

const probes = 8;

/** Bounded by `slots`, a power of two; 32 bytes each, allocated at the first use. */
export class Sightings {
  readonly #slots: number;
  #columns: Columns | null = null;

  constructor(slots: number) {
    this.#slots = slots;
  }

  /**
   * The key shows this mark now. How long it has been seen with it; -1: there is no place to remember it. A place whose key
   * was not seen for `forgetUs` is free.
   */
  see(now: Instant, high: number, low: number, markHigh: number, markLow: number, forgetUs: DurationUs): DurationUs {
    this.#columns ??= new Columns(this.#slots);
    const columns = this.#columns;
    const slot = this.#slotFor(columns, now, high, low, forgetUs);
    if (slot < 0) return -1;
    const same = columns.holds(slot, high, low) && columns.marks[2 * slot] === markHigh;
    if (!same || columns.marks[2 * slot + 1] !== markLow) {
      columns.put(slot, high, low);
      columns.marks[2 * slot] = markHigh;
      columns.marks[2 * slot + 1] = markLow;
      columns.since[slot] = now;
    }
    columns.seen[slot] = now;
    return now - (columns.since[slot] as number);
  }

  #slotFor(columns: Columns, now: Instant, high: number, low: number, forgetUs: DurationUs): number {
    let free = -1;
    for (let i = 0; i < probes; i += 1) {
      const slot = (low + i) & (this.#slots - 1);
      if (columns.holds(slot, high, low)) return slot;
      const seen = columns.seen[slot] as number;
      if (free < 0 && (seen < 0 || now - seen > forgetUs)) free = slot;
    }
    return free;
  }

  /** How long the key has been seen as it was when it was last looked at; -1: it was not. */
  ageOf(now: Instant, high: number, low: number): DurationUs {
    const columns = this.#columns;
    for (let i = 0; columns !== null && i < probes; i += 1) {
      const slot = (low + i) & (this.#slots - 1);
      if (columns.holds(slot, high, low)) return now - (columns.since[slot] as number);
    }
    return -1;
  }
}

class Columns {
  readonly keys: Uint32Array;
  readonly marks: Uint32Array;
  readonly since: Float64Array;
  /** -1: the place was never taken. */
  readonly seen: Float64Array;

  constructor(slots: number) {
    this.keys = new Uint32Array(2 * slots);
    this.marks = new Uint32Array(2 * slots);
    this.since = new Float64Array(slots);
    this.seen = new Float64Array(slots).fill(-1);
  }

  holds(slot: number, high: number, low: number): boolean {
    return (this.seen[slot] as number) >= 0 && this.keys[2 * slot] === high && this.keys[2 * slot + 1] === low;
  }

  put(slot: number, high: number, low: number): void {
    this.keys[2 * slot] = high;
    this.keys[2 * slot + 1] = low;
  }
}
