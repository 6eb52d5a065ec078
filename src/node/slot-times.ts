/**
 * SlotTimes: when each slot of each op in flight was asked and answered, and what its replica told of its own time. By
 * the op's place in its coordinator's table, so that an op needs no memory of its own for it.
 */
import type { DurationUs, Instant } from "../base/time.ts";
import type { Op } from "../coordinator/op.ts";
import { slotsMax } from "../coordinator/slots.ts";
import { PhaseWord, phaseWordsOf, shapeWord, slotWords, unanswered, waitsWord } from "../metrics/phases.ts";

/** The place of an op in its table is in the low bits of its id (base/slab.ts). */
const placeMask = 0xffff;
const placesAtFirst = 16;

/** Of the gets or the puts of one node. */
export class SlotTimes {
  #places = 0;
  /** Whose times they are: an answer may come after its op has left. */
  #ids = new Int32Array(0);
  #asked = new Float64Array(0);
  /** 0: not since it was asked. */
  #answered = new Float64Array(0);
  #waits = new Uint32Array(0);
  #storage = new Uint32Array(0);
  // The answer that came last: what it causes happens before the next one is noted.
  #lastId = -1;
  #lastSlot = -1;
  #lastAt = -1;
  /** By the number of slots: filled for each answer. */
  readonly #vectors: readonly Uint32Array[] = Array.from(
    { length: slotsMax + 1 },
    (_, slots) => new Uint32Array(phaseWordsOf(slots)),
  );

  #grow(place: number): void {
    while (this.#places <= place) this.#places = Math.max(placesAtFirst, 2 * this.#places);
    const size = this.#places * slotsMax;
    this.#ids = grown(new Int32Array(this.#places), this.#ids);
    this.#asked = grown(new Float64Array(size), this.#asked);
    this.#answered = grown(new Float64Array(size), this.#answered);
    this.#waits = grown(new Uint32Array(size), this.#waits);
    this.#storage = grown(new Uint32Array(size), this.#storage);
  }

  /** A slot is asked. */
  asked(now: Instant, id: number, slot: number): void {
    const place = id & placeMask;
    if (place >= this.#places) this.#grow(place);
    this.#ids[place] = id;
    const at = place * slotsMax + slot;
    this.#asked[at] = now;
    this.#answered[at] = 0;
    this.#waits[at] = 0;
    this.#storage[at] = 0;
  }

  /** A slot that was asked has waited for its key, and goes on. */
  waited(id: number, slot: number, keyUs: DurationUs): void {
    this.#waits[(id & placeMask) * slotsMax + slot] = waitsWord(keyUs, 0);
  }

  /** A slot has answered, well or not, perhaps too late; the last three are what its replica tells. */
  answered(now: Instant, id: number, slot: number, keyUs: DurationUs, loopUs: DurationUs, storageUs: DurationUs): void {
    const place = id & placeMask;
    if (place >= this.#places || this.#ids[place] !== id) return;
    const at = place * slotsMax + slot;
    this.#answered[at] = now;
    this.#waits[at] = waitsWord(keyUs, loopUs);
    this.#storage[at] = storageUs;
    this.#lastId = id;
    this.#lastSlot = slot;
    this.#lastAt = now;
  }

  /** The slot whose answer has just caused what happens to the op; -1: something else did. */
  completing(now: Instant, op: Op<unknown>): number {
    return op.id === this.#lastId && now === this.#lastAt ? this.#lastSlot : -1;
  }

  /** The phase vector of an op that is being answered; it holds until the next call. */
  vector(now: Instant, op: Op<unknown>, heldUs: DurationUs, gcUs: DurationUs): Uint32Array {
    const first = (op.id & placeMask) * slotsMax;
    const last = op.id < 0 ? -1 : this.completing(now, op);
    const slots = op.id < 0 ? 0 : op.targets;
    const added = last >= 0 && ((op.added >>> last) & 1) === 1;
    const askedUs = last < 0 ? 0 : Math.max(0, (this.#asked[first + last] as number) - op.started);
    const words = this.#vectors[slots] as Uint32Array;
    words[PhaseWord.shape] = shapeWord(slots, last, op.localSlot, op.again, added);
    words[PhaseWord.waited] = op.waitedUs;
    words[PhaseWord.held] = heldUs;
    words[PhaseWord.gc] = gcUs;
    words[PhaseWord.asked] = askedUs;
    for (let slot = 0, to = PhaseWord.slots as number; slot < slots; slot += 1, to += slotWords) {
      const at = first + slot;
      const wasAsked = (this.#asked[at] as number) >= op.started;
      const answeredAt = this.#answered[at] as number;
      words[to] = wasAsked && answeredAt >= op.started ? answeredAt - op.started : unanswered;
      words[to + 1] = wasAsked ? (this.#waits[at] as number) : 0;
      words[to + 2] = wasAsked ? (this.#storage[at] as number) : 0;
    }
    return words;
  }
}

function grown<T extends Float64Array | Uint32Array | Int32Array>(into: T, old: T): T {
  into.set(old);
  return into;
}
