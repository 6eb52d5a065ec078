/**
 * VersionVector: which writes a record reflects (Dynamo 4.4; its "vector clock"). An entry (actor, n) says that every
 * dot of that actor up to n has been seen for this key; a dot is one such event.
 *
 * The vector is one plain array of 32-bit words, three an entry, in the order and packing of schema/common.proto: it
 * is read from a record and written to one without sorting, hashing or an object per entry. The words are signed
 * (`| 0`) because the engine keeps those unboxed; every comparison is unsigned. Entries go only by `without`, by certificate (mechanisms 3.4).
 */
import { assert } from "../base/assert.ts";

/** One write event: an actor and its counter, from 1. All three are unsigned 32-bit numbers. */
export interface Dot {
  readonly actorHigh: number;
  readonly actorLow: number;
  readonly counter: number;
}

/** How two versions relate: `before` is an ancestor. */
export type Order = "before" | "equal" | "after" | "concurrent";

/** Words an entry takes: counter, actor low, actor high. */
export const wordsPerDot = 3;

/** Negative, zero or positive: the order of two actors, given as words of either sign. */
export function compareActors(aHigh: number, aLow: number, bHigh: number, bLow: number): number {
  if ((aHigh ^ bHigh) !== 0) return aHigh >>> 0 < bHigh >>> 0 ? -1 : 1;
  if ((aLow ^ bLow) !== 0) return aLow >>> 0 < bLow >>> 0 ? -1 : 1;
  return 0;
}

/** Immutable. */
export class VersionVector {
  /** Has seen nothing. */
  static readonly empty: VersionVector = new VersionVector([]);

  /** Packed entries, sorted by actor; counters are not zero. Do not change. */
  readonly words: readonly number[];

  /** Takes over `words`, which the caller knows to be sorted; `fromWords` checks words from elsewhere. */
  constructor(words: readonly number[]) {
    assert(words.length % wordsPerDot === 0, "a version vector has three words an entry");
    this.words = words;
  }

  /** Takes over `words` (each `| 0`) if they are a vector: whole entries, actors rising, no counter 0; else null. */
  static fromWords(words: readonly number[]): VersionVector | null {
    if (words.length === 0) return VersionVector.empty;
    if (words.length % wordsPerDot !== 0) return null;
    for (let at = 0; at < words.length; at += wordsPerDot) {
      if (words[at] === 0) return null;
      if (at > 0 && compareEntries(words, at - wordsPerDot, words, at) >= 0) return null;
    }
    return new VersionVector(words);
  }

  /** How many actors it names. */
  get size(): number {
    return this.words.length / wordsPerDot;
  }

  /** The highest counter seen of this actor; 0: none. */
  counterOf(actorHigh: number, actorLow: number): number {
    const at = this.#find(actorHigh, actorLow);
    return at < 0 ? 0 : (this.words[at] as number) >>> 0;
  }

  /** Whether the dot has been seen. */
  covers(dot: Dot): boolean {
    return this.counterOf(dot.actorHigh, dot.actorLow) >= dot.counter;
  }

  /** Whether any of the dots has been seen. */
  coversAny(dots: readonly Dot[]): boolean {
    for (let i = 0; i < dots.length; i += 1) if (this.covers(dots[i] as Dot)) return true;
    return false;
  }

  /** Whether each of the dots has been seen. */
  coversEach(dots: readonly Dot[]): boolean {
    for (let i = 0; i < dots.length; i += 1) if (!this.covers(dots[i] as Dot)) return false;
    return true;
  }

  /** Whether nothing of `other` is news to this vector. */
  coversAll(other: VersionVector): boolean {
    if (this === other) return true;
    const mine = this.words;
    const theirs = other.words;
    let at = 0;
    for (let j = 0; j < theirs.length; j += wordsPerDot) {
      while (at < mine.length && compareEntries(mine, at, theirs, j) < 0) at += wordsPerDot;
      if (at >= mine.length || compareEntries(mine, at, theirs, j) !== 0) return false;
      if ((mine[at] as number) >>> 0 < (theirs[j] as number) >>> 0) return false;
    }
    return true;
  }

  /** A vector that covers this one and `dot`. */
  with(dot: Dot): VersionVector {
    assert(dot.counter > 0, "a dot's counter starts at 1");
    if (this.covers(dot)) return this;
    const words = this.words.slice();
    const at = this.#find(dot.actorHigh, dot.actorLow);
    if (at >= 0) words[at] = dot.counter | 0;
    else words.splice(~at, 0, dot.counter | 0, dot.actorLow | 0, dot.actorHigh | 0);
    return new VersionVector(words);
  }

  /** The vector without these entries (packed, sorted by actor), or null unless it has each of them, with that counter. */
  without(entries: readonly number[]): VersionVector | null {
    const rest: number[] = [];
    let next = 0;
    for (let at = 0; at < this.words.length; at += wordsPerDot) {
      const same = next < entries.length && compareEntries(this.words, at, entries, next) === 0;
      if (!same) pushEntry(rest, this.words, at);
      else if ((this.words[at] as number) >>> 0 !== (entries[next] as number) >>> 0) return null;
      else next += wordsPerDot;
    }
    return next === entries.length ? new VersionVector(rest) : null;
  }

  /** The entry at `index` (0..size-1) as a dot, in actor order. */
  entry(index: number): Dot {
    assert(index >= 0 && index < this.size, "entry index within the vector");
    return dotAt(this.words, index * wordsPerDot);
  }

  /** Where the actor's entry starts, or the complement of where it belongs. Vectors are short: no binary search. */
  #find(actorHigh: number, actorLow: number): number {
    const words = this.words;
    for (let at = 0; at < words.length; at += wordsPerDot) {
      const order = compareActors(words[at + 2] as number, words[at + 1] as number, actorHigh, actorLow);
      if (order === 0) return at;
      if (order > 0) return ~at;
    }
    return ~words.length;
  }
}

/** The dot in three words at `at`. */
export function dotAt(words: readonly number[], at: number): Dot {
  return {
    actorHigh: (words[at + 2] as number) >>> 0,
    actorLow: (words[at + 1] as number) >>> 0,
    counter: (words[at] as number) >>> 0,
  };
}

function compareEntries(a: readonly number[], i: number, b: readonly number[], j: number): number {
  return compareActors(a[i + 2] as number, a[i + 1] as number, b[j + 2] as number, b[j + 1] as number);
}

/** How `a` relates to `b`. */
export function compareVersions(a: VersionVector, b: VersionVector): Order {
  const covers = a.coversAll(b);
  if (b.coversAll(a)) return covers ? "equal" : "before";
  return covers ? "after" : "concurrent";
}

/** The least vector that covers both: entry by entry the greater counter. Returns an argument where it is the result. */
export function mergeVersions(a: VersionVector, b: VersionVector): VersionVector {
  if (a.coversAll(b)) return a;
  if (b.coversAll(a)) return b;
  const merged: number[] = [];
  let i = 0;
  let j = 0;
  while (i < a.words.length && j < b.words.length) {
    const order = compareEntries(a.words, i, b.words, j);
    if (order === 0) {
      const fromA = (a.words[i] as number) >>> 0 >= (b.words[j] as number) >>> 0;
      if (fromA) pushEntry(merged, a.words, i);
      else pushEntry(merged, b.words, j);
    } else if (order < 0) pushEntry(merged, a.words, i);
    else pushEntry(merged, b.words, j);
    if (order <= 0) i += wordsPerDot;
    if (order >= 0) j += wordsPerDot;
  }
  for (; i < a.words.length; i += wordsPerDot) pushEntry(merged, a.words, i);
  for (; j < b.words.length; j += wordsPerDot) pushEntry(merged, b.words, j);
  return new VersionVector(merged);
}

function pushEntry(into: number[], words: readonly number[], at: number): void {
  into.push(words[at] as number, words[at + 1] as number, words[at + 2] as number);
}
