/**
 * WriteQueue: writes waiting for a batch, oldest first, on a ring of slots that doubles as needed. Each gets the next
 * sequence number (31 bits above 2^31, wrapping, so never 0), by which it is found again while it waits: that is how a
 * dirty entry of the object buffer leads to its write without a map of keys.
 */
import type { StoreWrite } from "./store-write.ts";

const sequenceBase = 0x8000_0000;
const sequenceMask = 0x7fff_ffff;

/** Whether sequence `a` was given later than `b`; both are of the last 2^30. */
export function isLater(a: number, b: number): boolean {
  const distance = (a - b) & sequenceMask;
  return distance !== 0 && distance < 0x4000_0000;
}

/** Unbounded by itself: the store's `overloaded` is what keeps it short. */
export class WriteQueue {
  #slots: (StoreWrite | undefined)[] = new Array<StoreWrite | undefined>(64).fill(undefined);
  #head = 0;
  #size = 0;
  #next = sequenceBase;

  get size(): number {
    return this.#size;
  }

  /** The sequence number that the next write will get. */
  get nextSequence(): number {
    return this.#next;
  }

  /** Appends, and sets the write's sequence number. */
  push(write: StoreWrite): void {
    if (this.#size === this.#slots.length) this.#grow();
    write.sequence = this.#next;
    this.#next = ((this.#next + 1) & sequenceMask) + sequenceBase;
    this.#slots[(this.#head + this.#size) & (this.#slots.length - 1)] = write;
    this.#size += 1;
  }

  peek(): StoreWrite | undefined {
    return this.#slots[this.#head];
  }

  shift(): StoreWrite | undefined {
    const write = this.#slots[this.#head];
    if (write === undefined) return undefined;
    this.#slots[this.#head] = undefined;
    this.#head = (this.#head + 1) & (this.#slots.length - 1);
    this.#size -= 1;
    return write;
  }

  /** The write with this sequence number, if it still waits. */
  find(sequence: number): StoreWrite | undefined {
    const distance = (this.#next - sequence) & sequenceMask;
    if (distance === 0 || distance > this.#size) return undefined;
    return this.#slots[(this.#head + this.#size - distance) & (this.#slots.length - 1)];
  }

  #grow(): void {
    const old = this.#slots;
    const slots = new Array<StoreWrite | undefined>(old.length * 2).fill(undefined);
    for (let i = 0; i < this.#size; i += 1) slots[i] = old[(this.#head + i) & (old.length - 1)];
    this.#slots = slots;
    this.#head = 0;
  }
}
