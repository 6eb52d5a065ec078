/** Fifo: a bounded queue, first in, first out unless somebody asks for the last, on a ring of slots that grows by doubling up to its limit. */
import { assert } from "./assert.ts";

export class Fifo<T> {
  #slots: (T | undefined)[];
  #head = 0;
  #size = 0;
  readonly #limit: number;

  constructor(limit: number) {
    assert(limit >= 1, "fifo limit must be positive");
    this.#limit = limit;
    this.#slots = new Array<T | undefined>(Math.min(16, limit)).fill(undefined);
  }

  get size(): number {
    return this.#size;
  }

  get full(): boolean {
    return this.#size >= this.#limit;
  }

  /** Appends; the queue must not be full. */
  push(entry: T): void {
    assert(!this.full, "fifo is full");
    if (this.#size === this.#slots.length) this.#grow();
    this.#slots[(this.#head + this.#size) % this.#slots.length] = entry;
    this.#size += 1;
  }

  /** The oldest entry, left in place. */
  peek(): T | undefined {
    return this.#size === 0 ? undefined : this.#slots[this.#head];
  }

  /** Takes the oldest entry. */
  shift(): T | undefined {
    if (this.#size === 0) return undefined;
    const entry = this.#slots[this.#head];
    this.#slots[this.#head] = undefined;
    this.#head = (this.#head + 1) % this.#slots.length;
    this.#size -= 1;
    return entry;
  }

  /** Takes the newest entry. */
  pop(): T | undefined {
    if (this.#size === 0) return undefined;
    this.#size -= 1;
    const slot = (this.#head + this.#size) % this.#slots.length;
    const entry = this.#slots[slot];
    this.#slots[slot] = undefined;
    return entry;
  }

  #grow(): void {
    const slots = new Array<T | undefined>(Math.min(this.#limit, this.#slots.length * 2)).fill(undefined);
    for (let i = 0; i < this.#size; i += 1) slots[i] = this.#slots[(this.#head + i) % this.#slots.length];
    this.#slots = slots;
    this.#head = 0;
  }
}
