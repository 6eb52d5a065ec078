/**
 * KeyTouches: which keys have changed, or are about to, since some moment. Keys share 4,096 cells by hash, so an answer
 * may be "changed" for a key that has not (which costs a cache fill), never the other way round.
 *
 * Two users: a fill of the object buffer from an engine read is dropped if a write of its key began or ended after the
 * read began, and a range deletion leaves a key alone whose record may no longer be the one it saw.
 */
import { assert } from "../base/assert.ts";

const cells = 4096;

/** The cells of one store. */
export class KeyTouches {
  readonly #touched: Float64Array = new Float64Array(cells);
  readonly #pending: Uint32Array = new Uint32Array(cells);
  /** Grows with every touch: remember it to ask `changedSince` later. */
  clock = 0;

  /** The key has changed in the object buffer, or what was written back of it is in the engine. */
  touch(hashLow: number): void {
    this.clock += 1;
    this.#touched[hashLow & (cells - 1)] = this.clock;
  }

  /** A write of the key was queued for a batch. */
  begin(hashLow: number): void {
    this.touch(hashLow);
    const cell = hashLow & (cells - 1);
    this.#pending[cell] = (this.#pending[cell] as number) + 1;
  }

  /** A queued write of the key is done. */
  end(hashLow: number): void {
    this.touch(hashLow);
    const cell = hashLow & (cells - 1);
    assert((this.#pending[cell] as number) > 0, "a write ended that had not begun");
    this.#pending[cell] = (this.#pending[cell] as number) - 1;
  }

  /** Whether the key may have changed after the clock stood at `clock`. */
  changedSince(hashLow: number, clock: number): boolean {
    return (this.#touched[hashLow & (cells - 1)] as number) > clock;
  }

  /**
   * Whether a write of the key may be queued for a batch, or in flight in one. What waits for write-back is not
   * counted: it waits for so long that many cells would say yes, and the object buffer knows it by its key.
   */
  isPending(hashLow: number): boolean {
    return (this.#pending[hashLow & (cells - 1)] as number) > 0;
  }
}
