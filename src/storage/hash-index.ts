/**
 * HashIndex: 32-bit hash -> u32 location, in two typed arrays with linear probing. It holds no keys: the owner walks
 * the candidates of a hash and compares what lies at their locations. Fixed size: it never stops the loop to grow.
 */
import { assert } from "../base/assert.ts";

/** Locations are positive; 0 marks an empty slot. */
export class HashIndex {
  readonly #hashes: Uint32Array;
  readonly #locations: Uint32Array;
  readonly #mask: number;
  readonly limit: number;
  #size = 0;

  /** Room for `limit` entries, at most half full. */
  constructor(limit: number) {
    assert(limit >= 1 && limit <= 1 << 28, "hash index limit out of range");
    const slots = 1 << (32 - Math.clz32(2 * limit - 1));
    this.#hashes = new Uint32Array(slots);
    this.#locations = new Uint32Array(slots);
    this.#mask = slots - 1;
    this.limit = limit;
  }

  get size(): number {
    return this.#size;
  }

  /** The slot of the first candidate at or after `hash`'s home, or -1. */
  first(hash: number): number {
    return this.#candidate(hash, hash & this.#mask);
  }

  /** The slot of the next candidate after `slot`, or -1. */
  next(hash: number, slot: number): number {
    return this.#candidate(hash, (slot + 1) & this.#mask);
  }

  #candidate(hash: number, from: number): number {
    let slot = from;
    while (this.#locations[slot] !== 0) {
      if (this.#hashes[slot] === hash) return slot;
      slot = (slot + 1) & this.#mask;
    }
    return -1;
  }

  locationAt(slot: number): number {
    return this.#locations[slot] as number;
  }

  /** Points an entry at its new place. */
  move(hash: number, from: number, to: number): void {
    this.#locations[this.#slotOf(hash, from)] = to;
  }

  add(hash: number, location: number): void {
    assert(location > 0 && this.#size < this.limit, "hash index is full");
    let slot = hash & this.#mask;
    while (this.#locations[slot] !== 0) slot = (slot + 1) & this.#mask;
    this.#hashes[slot] = hash;
    this.#locations[slot] = location;
    this.#size += 1;
  }

  #slotOf(hash: number, location: number): number {
    let slot = this.first(hash);
    while (slot >= 0 && this.#locations[slot] !== location) slot = this.next(hash, slot);
    assert(slot >= 0, "hash index lost an entry");
    return slot;
  }

  /** Removes an entry and closes the gap, so that probing never meets marks of the dead. */
  remove(hash: number, location: number): void {
    let hole = this.#slotOf(hash, location);
    let slot = (hole + 1) & this.#mask;
    while (this.#locations[slot] !== 0) {
      const home = (this.#hashes[slot] as number) & this.#mask;
      if (((slot - home) & this.#mask) >= ((slot - hole) & this.#mask)) {
        this.#hashes[hole] = this.#hashes[slot] as number;
        this.#locations[hole] = this.#locations[slot] as number;
        hole = slot;
      }
      slot = (slot + 1) & this.#mask;
    }
    this.#locations[hole] = 0;
    this.#size -= 1;
  }
}
