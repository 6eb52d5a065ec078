/**
 * ObjectBuffer: recent records in memory, in front of the engine (Dynamo 6.1). A hot get and the read half of every
 * put are answered from here without an engine call; in `memory` mode an acknowledged record lives here alone, as a
 * dirty entry, until its batch is written.
 *
 * Nothing in it is a JS object of its own: records lie as sealed bytes in a few large slabs, which form a ring that is
 * filled in order; `RingArena` sweeps ahead of the place being filled, keeps what was used since the last lap (a second
 * chance) or is dirty, and drops the rest. The index is over integers.
 *
 * When an entry may change is the store's business: see store.ts.
 */
import { assert } from "../base/assert.ts";
import { HashIndex } from "./hash-index.ts";
import { type BufferEntry, RingArena } from "./ring-arena.ts";

/** The mean entry that the index is made for: smaller ones are bounded by number instead of bytes. */
const entryBytesMin = 256;

/** Bounded by bytes; dirty entries are never dropped. */
export class ObjectBuffer {
  readonly #index: HashIndex;
  readonly #arena: RingArena;
  readonly bytesMax: number;

  /** `bytesMax`: memory for slabs, at least 4 KiB; the index adds about 1/16. */
  constructor(bytesMax: number) {
    assert(bytesMax >= 4096, "object buffer needs 4 KiB at least");
    this.bytesMax = bytesMax;
    this.#index = new HashIndex(Math.max(16, Math.floor(bytesMax / entryBytesMin)));
    this.#arena = new RingArena(bytesMax, this.#index);
  }

  /** Entries held. */
  get size(): number {
    return this.#index.size;
  }

  /** Bytes of dirty entries, with their headers. */
  get dirtyBytes(): number {
    return this.#arena.dirtyBytes;
  }

  /** Bytes of memory that have been written to so far. */
  get touchedBytes(): number {
    return this.#arena.touchedBytes;
  }

  #find(fullKey: Uint8Array, hashHigh: number, hashLow: number): number {
    let slot = this.#index.first(hashLow);
    while (slot >= 0) {
      const location = this.#index.locationAt(slot);
      if (this.#arena.matches(location, fullKey, hashHigh)) return location;
      slot = this.#index.next(hashLow, slot);
    }
    return 0;
  }

  /** The sealed record: a view valid until the next call that changes the buffer. Counts as a use. */
  get(fullKey: Uint8Array, hashHigh: number, hashLow: number): Uint8Array | undefined {
    const location = this.#find(fullKey, hashHigh, hashLow);
    return location === 0 ? undefined : this.#arena.use(location);
  }

  has(fullKey: Uint8Array, hashHigh: number, hashLow: number): boolean {
    return this.#find(fullKey, hashHigh, hashLow) !== 0;
  }

  /** The dirty token of an entry; 0: clean or not here. */
  dirtyToken(fullKey: Uint8Array, hashHigh: number, hashLow: number): number {
    const location = this.#find(fullKey, hashHigh, hashLow);
    return location === 0 ? 0 : this.#arena.dirtyToken(location);
  }

  /**
   * Copies a record in, in place of the one it may hold under this key. `dirty` is 0 for a clean entry, else a token
   * that `clean` must name. False: no room was to be had; the caller decides about the entry that may still be held.
   */
  put(fullKey: Uint8Array, hashHigh: number, hashLow: number, sealed: Uint8Array, dirty: number): boolean {
    const held = this.#find(fullKey, hashHigh, hashLow);
    if (held !== 0 && this.#arena.overwrite(held, sealed, dirty)) return true;
    const location = this.#arena.allocate(fullKey.length, sealed.length, held !== 0);
    if (location === 0) return false;
    this.evict(fullKey, hashHigh, hashLow);
    this.#arena.fill(location, fullKey, hashHigh, hashLow, sealed, dirty);
    this.#index.add(hashLow, location);
    return true;
  }

  /** The place of the entry that carries this token, or 0. */
  #findDirty(hashLow: number, token: number): number {
    for (let slot = this.#index.first(hashLow); slot >= 0; slot = this.#index.next(hashLow, slot)) {
      const location = this.#index.locationAt(slot);
      if (this.#arena.dirtyToken(location) === token) return location;
    }
    return 0;
  }

  /** Full key and sealed record of the entry that carries this token: views valid until the next change of the buffer. */
  dirtyEntry(hashLow: number, token: number): BufferEntry | undefined {
    const location = this.#findDirty(hashLow, token);
    return location === 0 ? undefined : this.#arena.entryAt(location);
  }

  /** Makes the entry that still carries this token clean. */
  clean(hashLow: number, token: number): void {
    const location = this.#findDirty(hashLow, token);
    if (location !== 0) this.#arena.setDirty(location, 0);
  }

  /** Forgets a key, dirty or not. */
  evict(fullKey: Uint8Array, hashHigh: number, hashLow: number): void {
    const location = this.#find(fullKey, hashHigh, hashLow);
    if (location !== 0) this.#arena.drop(location);
  }

  /** Forgets every key of a partition, dirty or not; walks all entries. */
  evictPartition(partition: number, partitionBits: number): void {
    this.#arena.dropPartition(partition, partitionBits);
  }
}
