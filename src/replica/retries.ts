/**
 * Retries: which dot a recent put of this node got, by its request id, so that a retry that comes after its record has
 * forgotten the id is still one write.
 *
 * A bounded ring of the latest puts in typed arrays, with a chained hash index over it: nothing is allocated per put,
 * and the oldest put is forgotten first. An entry is named by request id *and* key: a client that uses one id for two
 * keys made two writes, and taking the second for a retry would lose it. After a restart the table is empty: then only
 * the record knows (its siblings and `recent`).
 */
import { assert } from "../base/assert.ts";
import { canary } from "../base/canary.ts";
import type { DurationUs, Instant } from "../base/time.ts";
import type { SiblingSet } from "../version/sibling-set.ts";
import type { Dot } from "../version/version-vector.ts";

const none = -1;
/** Room at first: a table grows with the puts it sees. */
const entriesFirst = 1_024;
const idWords = 4;
/** Words per entry: request id, key hash (high, low), dot (actor high, actor low, counter). */
const entryWords = idWords + 5;

function wordOf(bytes: Uint8Array, at: number): number {
  return (
    ((bytes[at] as number) |
      ((bytes[at + 1] as number) << 8) |
      ((bytes[at + 2] as number) << 16) |
      ((bytes[at + 3] as number) << 24)) >>>
    0
  );
}

/** The latest puts of one node. */
export class Retries {
  readonly #entriesMax: number;
  /** Entries that there is room for now: a power of two that doubles up to `entriesMax`. */
  #capacity: number;
  readonly #window: DurationUs;
  #words: Uint32Array;
  #mintedAt: Float64Array;
  #nexts: Int32Array;
  #heads: Int32Array;
  /** The entry looked for or made last: id and key hash as words. */
  readonly #wanted = new Uint32Array(idWords + 2);
  #cursor = 0;
  #size = 0;

  /** Remembers `entriesMax` (a power of two) puts, each for `window`: twice the longest deadline. */
  constructor(options: { readonly entriesMax: number; readonly window: DurationUs }) {
    const { entriesMax, window } = options;
    assert(entriesMax >= 1 && (entriesMax & (entriesMax - 1)) === 0, "the retry table holds a power of two");
    this.#entriesMax = entriesMax;
    this.#window = window;
    this.#capacity = Math.min(entriesMax, entriesFirst);
    this.#words = new Uint32Array(this.#capacity * entryWords);
    this.#mintedAt = new Float64Array(this.#capacity);
    this.#nexts = new Int32Array(this.#capacity);
    this.#heads = new Int32Array(this.#capacity).fill(none);
  }

  /** Remembers that the put with this id of this key got `dot`, in place of the oldest put if the table is full. */
  add(now: Instant, requestId: Uint8Array, hashHigh: number, hashLow: number, dot: Dot): void {
    if (this.#size === this.#capacity && this.#capacity < this.#entriesMax) this.#grow();
    const entry = this.#cursor;
    this.#cursor = (entry + 1) & (this.#capacity - 1);
    if (this.#size === this.#capacity) this.#unlink(entry);
    else this.#size += 1;
    this.#want(requestId, hashHigh, hashLow);
    const at = entry * entryWords;
    this.#words.set(this.#wanted, at);
    this.#words[at + idWords + 2] = dot.actorHigh;
    this.#words[at + idWords + 3] = dot.actorLow;
    this.#words[at + idWords + 4] = dot.counter;
    this.#mintedAt[entry] = now;
    const chain = this.#chainOf(at);
    this.#nexts[entry] = this.#heads[chain] as number;
    this.#heads[chain] = entry;
  }

  /** The dot of this very write if `held` reflects it: as a sibling, in `recent`, or so long ago that only this table knows. */
  dotIn(now: Instant, held: SiblingSet, requestId: Uint8Array, hashHigh: number, hashLow: number): Dot | undefined {
    if (canary("forget-retries")) return undefined;
    const dots = held.dotsOf(requestId);
    if (dots !== undefined) return dots[0];
    const dot = this.find(now, requestId, hashHigh, hashLow);
    return dot !== undefined && held.version.covers(dot) ? dot : undefined;
  }

  /** The dot that the put with this id of this key got, or undefined: unknown, too long ago, or pushed out. */
  find(now: Instant, requestId: Uint8Array, hashHigh: number, hashLow: number): Dot | undefined {
    if (this.#size === 0) return undefined;
    this.#want(requestId, hashHigh, hashLow);
    const wanted = this.#wanted;
    const head = this.#heads[this.#hash(wanted, 0)] as number;
    for (let entry = head; entry !== none; entry = this.#nexts[entry] as number) {
      if (now - (this.#mintedAt[entry] as number) > this.#window) return undefined;
      if (this.#matches(entry * entryWords)) return this.#dotAt(entry * entryWords);
    }
    return undefined;
  }

  #want(requestId: Uint8Array, hashHigh: number, hashLow: number): void {
    assert(requestId.length === 4 * idWords, "a request id has 16 bytes");
    for (let i = 0; i < idWords; i += 1) this.#wanted[i] = wordOf(requestId, 4 * i);
    this.#wanted[idWords] = hashHigh;
    this.#wanted[idWords + 1] = hashLow;
  }

  #matches(at: number): boolean {
    for (let i = 0; i < idWords + 2; i += 1) if (this.#words[at + i] !== this.#wanted[i]) return false;
    return true;
  }

  #dotAt(at: number): Dot {
    return {
      actorHigh: this.#words[at + idWords + 2] as number,
      actorLow: this.#words[at + idWords + 3] as number,
      counter: this.#words[at + idWords + 4] as number,
    };
  }

  #chainOf(at: number): number {
    return this.#hash(this.#words, at);
  }

  /** Ids are random already; all words are mixed in case a client's are not. */
  #hash(words: Uint32Array, at: number): number {
    let hash = 0;
    for (let i = 0; i < idWords + 2; i += 1)
      hash = Math.imul(hash ^ (words[at + i] as number), 0x9e3779b1) ^ (hash >>> 15);
    return (hash ^ (hash >>> 16)) & (this.#capacity - 1);
  }

  /** Doubles a full table. Entries keep their places, so their order of age; chains are made anew, oldest first. */
  #grow(): void {
    const size = this.#capacity;
    this.#capacity *= 2;
    const words = new Uint32Array(this.#capacity * entryWords);
    words.set(this.#words);
    this.#words = words;
    const mintedAt = new Float64Array(this.#capacity);
    mintedAt.set(this.#mintedAt);
    this.#mintedAt = mintedAt;
    this.#nexts = new Int32Array(this.#capacity);
    this.#heads = new Int32Array(this.#capacity).fill(none);
    for (let entry = 0; entry < size; entry += 1) {
      const chain = this.#chainOf(entry * entryWords);
      this.#nexts[entry] = this.#heads[chain] as number;
      this.#heads[chain] = entry;
    }
    this.#cursor = size;
  }

  /** Takes the oldest entry out of its chain, where it is the last: chains grow at their heads. */
  #unlink(entry: number): void {
    const chain = this.#chainOf(entry * entryWords);
    let at = this.#heads[chain] as number;
    if (at === entry) {
      this.#heads[chain] = none;
      return;
    }
    while (this.#nexts[at] !== entry) at = this.#nexts[at] as number;
    this.#nexts[at] = none;
  }
}
