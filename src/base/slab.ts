/**
 * Slab: a table of objects in flight, each under an id of index and generation, so that a late answer to a finished
 * op finds nothing instead of finding its successor. No map, no hashing: a look-up is an index and a compare.
 *
 * Id layout (29 bits, so that three bits remain for a slot in a u32 frame id): generation 13 bits, index 16 bits.
 */
import { assert } from "./assert.ts";

const indexBits = 16;
const indexMask = (1 << indexBits) - 1;
const generationMask = 0x1fff;

/** At most 65,536 entries live at once. */
export class Slab<T> {
  readonly #entries: (T | undefined)[] = [];
  readonly #generations: number[] = [];
  readonly #free: number[] = [];
  readonly #limit: number;
  #size = 0;

  constructor(limit: number) {
    assert(limit >= 1 && limit <= indexMask + 1, "slab limit out of range");
    this.#limit = limit;
  }

  get size(): number {
    return this.#size;
  }

  get full(): boolean {
    return this.#size >= this.#limit;
  }

  /** Keeps `entry` and returns its id: 0..2^29-1. The slab must not be full. */
  add(entry: T): number {
    assert(!this.full, "slab is full");
    let index = this.#free.pop();
    if (index === undefined) {
      index = this.#entries.length;
      this.#entries.push(undefined);
      this.#generations.push(0);
    }
    this.#entries[index] = entry;
    this.#size += 1;
    return ((this.#generations[index] as number) << indexBits) | index;
  }

  /** The entry under this id, unless it was removed. */
  get(id: number): T | undefined {
    const index = id & indexMask;
    if (this.#generations[index] !== ((id >>> indexBits) & generationMask)) return undefined;
    return this.#entries[index];
  }

  /** Forgets the entry; its id never finds anything again (until 8,192 reuses of its place). */
  remove(id: number): void {
    const index = id & indexMask;
    assert(this.get(id) !== undefined, "slab id is not live");
    this.#entries[index] = undefined;
    this.#generations[index] = ((this.#generations[index] as number) + 1) & generationMask;
    this.#free.push(index);
    this.#size -= 1;
  }

  /** Calls `visit` for each live entry, in index order. For cold paths: stopping, checks, status. */
  forEach(visit: (entry: T, id: number) => void): void {
    for (let index = 0; index < this.#entries.length; index += 1) {
      const entry = this.#entries[index];
      if (entry !== undefined) visit(entry, ((this.#generations[index] as number) << indexBits) | index);
    }
  }
}
