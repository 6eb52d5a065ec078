/**
 * Sightings: since when a node has seen what could be forgotten, unchanged. The age of a tombstone is measured by this
 * node's own clock and never by the second written in it: that is another machine's word, and what the age must exceed,
 * the life of a write on its way, would not be exceeded if that machine's clock were wrong.
 *
 * A table of integers, by key hash, with a short probe. What finds no place is looked at again in the next pass; a key that
 * is not seen again loses its place to others.
 */
import { mark } from "../base/mark.ts";
import type { DurationUs, Instant } from "../base/time.ts";

const probes = 8;
const slotsFirst = 256;

/** Bounded by `slotsMax`, a power of two; 32 bytes each; few at first, and twice as many whenever a key finds no place. */
export class Sightings {
  readonly #slotsMax: number;
  #columns: Columns;

  constructor(slotsMax: number) {
    this.#slotsMax = slotsMax;
    this.#columns = new Columns(Math.min(slotsFirst, slotsMax));
  }

  /**
   * The key shows this mark now. How long it has been seen with it; -1: there is no place to remember it. A place whose key
   * was not seen for `forgetUs` is free.
   */
  see(now: Instant, high: number, low: number, markHigh: number, markLow: number, forgetUs: DurationUs): DurationUs {
    let slot = this.#slotFor(now, high, low, forgetUs);
    while (slot < 0 && this.#columns.slots < this.#slotsMax) {
      this.#columns = this.#columns.doubled();
      slot = this.#slotFor(now, high, low, forgetUs);
    }
    if (slot < 0) {
      mark("reap.no-place");
      return -1;
    }
    const columns = this.#columns;
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

  #slotFor(now: Instant, high: number, low: number, forgetUs: DurationUs): number {
    const columns = this.#columns;
    let free = -1;
    for (let i = 0; i < probes; i += 1) {
      const slot = (low + i) & (columns.slots - 1);
      if (columns.holds(slot, high, low)) return slot;
      const seen = columns.seen[slot] as number;
      if (free < 0 && (seen < 0 || now - seen > forgetUs)) free = slot;
    }
    return free;
  }

  /** How long the key has been seen as it was when it was last looked at; -1: it was not. */
  ageOf(now: Instant, high: number, low: number): DurationUs {
    const columns = this.#columns;
    for (let i = 0; i < probes; i += 1) {
      const slot = (low + i) & (columns.slots - 1);
      if (columns.holds(slot, high, low)) return now - (columns.since[slot] as number);
    }
    return -1;
  }
}

class Columns {
  readonly slots: number;
  readonly keys: Uint32Array;
  readonly marks: Uint32Array;
  readonly since: Float64Array;
  /** -1: the place was never taken. */
  readonly seen: Float64Array;

  constructor(slots: number) {
    this.slots = slots;
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

  /** The same in twice as many slots. Each key keeps its distance from where its probe begins: no two get one slot. */
  doubled(): Columns {
    const { slots, keys, marks, since, seen } = this;
    const next = new Columns(2 * slots);
    for (let slot = 0; slot < slots; slot += 1) {
      if ((seen[slot] as number) < 0) continue;
      const low = keys[2 * slot + 1] as number;
      const to = (low + ((slot - low) & (slots - 1))) & (next.slots - 1);
      next.put(to, keys[2 * slot] as number, low);
      next.marks.set(marks.subarray(2 * slot, 2 * slot + 2), 2 * to);
      next.since[to] = since[slot] as number;
      next.seen[to] = seen[slot] as number;
    }
    return next;
  }
}
