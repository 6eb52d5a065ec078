/**
 * The phase vector: where the time of one get, put or delete went at its coordinator, as a few 32-bit words that every
 * reply carries and that the slowest keep. It is made of instants that the node has read anyway, one per I/O callback; a
 * replica's own share comes with its answer. Microseconds, unless said otherwise.
 *
 *   word 0  shape: slots (4 bits), the slot whose answer completed the op + 1, the coordinator's own slot + 1 (0: none),
 *           then a bit each: it was a second attempt; the completing slot was asked only after another had failed
 *   word 1  waited: what the request may have waited, at most, until the coordinator's process read it
 *   word 2  held: how much of the op the coordinator's process stood still
 *   word 3  gc: how much of both the garbage collector took, as far as it was known when the answer left
 *   word 4  asked: when the completing slot was asked, after the op began (a put asks others when its own replica has minted)
 *   and three for each slot, in the order of the op's targets:
 *        0  answered: when it answered, after the op began; `unanswered`: it had not
 *        1  its waits, in units of 16 us: for the key (upper half), until its process read the request (lower half)
 *        2  storage: from then until its store had answered, without the wait for the key
 */
import type { DurationUs } from "../base/time.ts";

/** Where things are in the vector. */
export const PhaseWord: Readonly<{ shape: 0; waited: 1; held: 2; gc: 3; asked: 4; slots: 5 }> = {
  shape: 0,
  waited: 1,
  held: 2,
  gc: 3,
  asked: 4,
  /** The first slot's; each slot has `slotWords`. */
  slots: 5,
};
/** Words of each slot. */
export const slotWords = 3;

/** The length of the vector of an op with so many slots. */
export function phaseWordsOf(slots: number): number {
  return PhaseWord.slots + slotWords * slots;
}

/** The longest vector: eight slots. */
export const phaseWordsMax: number = phaseWordsOf(8);
/** In place of an instant: the slot had not answered. */
export const unanswered = 0xffff_ffff;

const waitShift = 4;
const waitMax = 0xffff;

/** The first word. Slots are -1 where there is none. */
export function shapeWord(slots: number, completing: number, own: number, again: boolean, added: boolean): number {
  return slots | ((completing + 1) << 4) | ((own + 1) << 8) | ((again ? 1 : 0) << 12) | ((added ? 1 : 0) << 13);
}

/** A slot's waits as one word; longer ones are cut. */
export function waitsWord(keyUs: DurationUs, loopUs: DurationUs): number {
  const key = Math.min(keyUs >>> waitShift, waitMax);
  return ((key << 16) | Math.min(loopUs >>> waitShift, waitMax)) >>> 0;
}

/** A phase vector as it is read. Words that are missing, because an older node sent fewer, are 0. */
export class Phases {
  readonly #words: ArrayLike<number>;

  constructor(words: ArrayLike<number>) {
    this.#words = words;
  }

  /** A word of the head. */
  word(place: number): number {
    return this.#words[place] ?? 0;
  }

  get slots(): number {
    return this.word(PhaseWord.shape) & 15;
  }

  /** The slot whose answer completed the op, or -1. */
  get completing(): number {
    return ((this.word(PhaseWord.shape) >>> 4) & 15) - 1;
  }

  /** The coordinator's own slot, or -1. */
  get own(): number {
    return ((this.word(PhaseWord.shape) >>> 8) & 15) - 1;
  }

  get again(): boolean {
    return ((this.word(PhaseWord.shape) >>> 12) & 1) === 1;
  }

  get added(): boolean {
    return ((this.word(PhaseWord.shape) >>> 13) & 1) === 1;
  }

  #ofSlot(slot: number, place: number): number {
    return this.word(PhaseWord.slots + slot * slotWords + place);
  }

  /** When the slot answered, after the op began; -1: it had not. */
  answered(slot: number): DurationUs {
    const us = this.#ofSlot(slot, 0);
    return us === unanswered ? -1 : us;
  }

  keyUs(slot: number): DurationUs {
    return (this.#ofSlot(slot, 1) >>> 16) << waitShift;
  }

  loopUs(slot: number): DurationUs {
    return (this.#ofSlot(slot, 1) & waitMax) << waitShift;
  }

  storageUs(slot: number): DurationUs {
    return this.#ofSlot(slot, 2);
  }
}
