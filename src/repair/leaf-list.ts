/**
 * The keys of one leaf, as both sides list them, and the walk over both lists. The lists come in pages and in the same
 * order (key hash, then full key), so that what differs is found page by page: a leaf may hold any number of keys, but
 * only the differing ones are kept.
 */
import { assert } from "../base/assert.ts";
import { compareBytes, noBytes } from "../base/bytes.ts";
import { Hash64, hashKey } from "../base/hash.ts";
import type { RecordPage } from "../storage/store-events.ts";
import type { LeafKey } from "../wire/gen/codecs.ts";
import { hashOfRecord } from "./held-record.ts";

/** One key of a leaf. */
export interface LeafEntry {
  /** Owned by the entry. */
  readonly fullKey: Uint8Array;
  /** Its place in the order. */
  readonly keyHigh: number;
  readonly keyLow: number;
  /** The record's causal hash; 0: it cannot be read. */
  readonly hashHigh: number;
  readonly hashLow: number;
  readonly recordBytes: number;
}

const place = new Hash64();

/** An entry from what a page or a peer says about a key. Keeps `fullKey`. */
export function leafEntry(fullKey: Uint8Array, hashHigh: number, hashLow: number, recordBytes: number): LeafEntry {
  hashKey(fullKey, place);
  return { fullKey, keyHigh: place.high, keyLow: place.low, hashHigh, hashLow, recordBytes };
}

/** An entry of a peer's list; copies the key. */
export function entryOfKey({ fullKey, hashHigh, hashLow, recordBytes }: LeafKey): LeafEntry {
  return leafEntry(fullKey.slice(), hashHigh, hashLow, recordBytes);
}

/** The order of the lists. */
export function compareEntries(a: LeafEntry, b: LeafEntry): number {
  if (a.keyHigh !== b.keyHigh) return a.keyHigh < b.keyHigh ? -1 : 1;
  if (a.keyLow !== b.keyLow) return a.keyLow < b.keyLow ? -1 : 1;
  return compareBytes(a.fullKey, b.fullKey);
}

/** The tree class (N of its bucket) of a full key. */
export type TreeOf = (fullKey: Uint8Array) => number;

/** The page's keys that belong to the trees of this N, in order. Unreadable records are listed, without a hash. */
export function entriesOfPage(page: RecordPage, n: number, treeOf: TreeOf): LeafEntry[] {
  const entries: LeafEntry[] = [];
  for (let i = 0; i < page.fullKeys.length; i += 1) {
    const fullKey = page.fullKeys[i] as Uint8Array;
    if (treeOf(fullKey) !== n) continue;
    const sealed = page.records[i] as Uint8Array;
    const hash = hashOfRecord(sealed, fullKey);
    entries.push(leafEntry(fullKey, hash?.high ?? 0, hash?.low ?? 0, sealed.length));
  }
  const readable = entries.length;
  for (const fullKey of page.unreadable) if (treeOf(fullKey) === n) entries.push(leafEntry(fullKey, 0, 0, 0));
  if (entries.length > readable) entries.sort(compareEntries);
  return entries;
}

/** A key that the lists do not agree on. */
export interface Difference {
  readonly fullKey: Uint8Array;
  /** Bytes of the record here and there; 0: none, or unreadable. */
  readonly bytesHere: number;
  readonly bytesThere: number;
}

class List {
  entries: readonly LeafEntry[] = [];
  at = 0;
  done = false;

  get head(): LeafEntry | undefined {
    return this.entries[this.at];
  }
}

/** The walk over one leaf's two lists. */
export class LeafWalk {
  readonly differences: Difference[] = [];
  /** Keys looked at. */
  keys = 0;
  /** Where the next pages begin. */
  cursorHere: Uint8Array | null = null;
  cursorThere: Uint8Array = noBytes;
  /** XOR of all that differs: what the two leaves ought to differ by. */
  xorHigh = 0;
  xorLow = 0;
  readonly #here: List = new List();
  readonly #there: List = new List();

  /** Which list's next page the walk needs to go on. */
  get needsHere(): boolean {
    return this.#here.head === undefined && !this.#here.done;
  }

  get needsThere(): boolean {
    return this.#there.head === undefined && !this.#there.done;
  }

  get done(): boolean {
    return this.#here.done && this.#there.done && this.#here.head === undefined && this.#there.head === undefined;
  }

  /** The next page of the own list, and where the one after it begins; null: it was the last. */
  addHere(entries: readonly LeafEntry[], cursor: Uint8Array | null): void {
    this.cursorHere = cursor;
    this.#add(this.#here, entries, cursor === null);
  }

  /** The next page of the peer's list, and where the one after it begins; empty: it was the last. False: it is not sorted. */
  addThere(entries: readonly LeafEntry[], cursor: Uint8Array): boolean {
    for (let i = 1; i < entries.length; i += 1) {
      if (compareEntries(entries[i - 1] as LeafEntry, entries[i] as LeafEntry) >= 0) return false;
    }
    this.cursorThere = cursor;
    this.#add(this.#there, entries, cursor.length === 0);
    return true;
  }

  #add(list: List, entries: readonly LeafEntry[], last: boolean): void {
    assert(list.head === undefined && !list.done, "a page is added when the one before is used up");
    list.entries = entries;
    list.at = 0;
    list.done = last;
    this.#walk();
  }

  #walk(): void {
    for (;;) {
      const here = this.#here.head;
      const there = this.#there.head;
      if (here === undefined && (there === undefined || !this.#here.done)) return;
      if (there === undefined && !this.#there.done) return;
      const order = here === undefined ? 1 : there === undefined ? -1 : compareEntries(here, there);
      this.keys += 1;
      if (order <= 0) this.#here.at += 1;
      if (order >= 0) this.#there.at += 1;
      this.#compare(order <= 0 ? here : undefined, order >= 0 ? there : undefined);
    }
  }

  #compare(here: LeafEntry | undefined, there: LeafEntry | undefined): void {
    const high = (here?.hashHigh ?? 0) ^ (there?.hashHigh ?? 0);
    const low = (here?.hashLow ?? 0) ^ (there?.hashLow ?? 0);
    if ((high | low) === 0) return;
    this.xorHigh ^= high;
    this.xorLow ^= low;
    const fullKey = (here?.fullKey ?? there?.fullKey) as Uint8Array;
    this.differences.push({ fullKey, bytesHere: here?.recordBytes ?? 0, bytesThere: there?.recordBytes ?? 0 });
  }
}
