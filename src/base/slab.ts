/**
 * Slab: a table of objects in flight, each under an id of index and generation, so that a late answer to a finished
 * op finds nothing instead of finding its successor. No map, no hashing: a look-up is an index and a compare.
 *
 * Id layout (29 bits, so that three bits remain for a slot in a u32 frame id): generation 13 bits, index 16 bits.
 */
import { assert } from "./assert.ts";
import { Fifo } from "./fifo.ts";

const indexBits = 16;
const indexMask = (1 << indexBits) - 1;
const generationMask = 0x1fff;
/**
 * Freed places wait in line, at least this many: were the last one freed taken first, a single busy place would go
 * through its generations in a second, and an answer later than that would be credited to another op.
 */
const restingMin = 1024;

/** At most 65,536 entries live at once. */
export class Slab<T> {
  readonly #entries: (T | undefined)[] = [];
  readonly #generations: number[] = [];
  readonly #free: Fifo<number>;
  readonly #limit: number;
  #size = 0;

  constructor(limit: number) {
    assert(limit >= 1 && limit <= indexMask + 1, "slab limit out of range");
    this.#limit = limit;
    this.#free = new Fifo(limit);
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
    const index = this.#place();
    this.#entries[index] = entry;
    this.#size += 1;
    return ((this.#generations[index] as number) << indexBits) | index;
  }

  #place(): number {
    const fresh = this.#entries.length;
    if (this.#free.size >= restingMin || fresh === this.#limit) return this.#free.shift() as number;
    this.#entries.push(undefined);
    this.#generations.push(0);
    return fresh;
  }

  /** The entry under this id, unless it was removed. */
  get(id: number): T | undefined {
    const index = id & indexMask;
    if (this.#generations[index] !== ((id >>> indexBits) & generationMask)) return undefined;
    return this.#entries[index];
  }

  /** Forgets the entry; its id never finds anything again (until 8,192 reuses of its place: millions of ops). */
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
