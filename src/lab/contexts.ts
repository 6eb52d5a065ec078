/**
 * Contexts: the newest context known of each key, so that a put replaces what is there instead of piling up siblings.
 * Replies overtake each other, and that of a put knows less than that of a get, so the newest is not the latest but the one
 * that has seen most. One arena of equal places instead of an object per key. With more keys than places, keys share them:
 * the table is bounded, and a put whose context was pushed out goes without one.
 */
import { noBytes } from "../base/bytes.ts";
import { readWord } from "../base/words.ts";
import { readContext } from "../version/context.ts";
import type { VersionVector } from "../version/version-vector.ts";
import type { System } from "./target.ts";

const firstPlaceBytes = 64;
const arenaBytesMax = 128 * 1024 * 1024;
const longest = 0xffff;

// The layout is documented in version/context.ts: the vector's words come last, three to an entry, its counter first; in
// format 2 the writer's own write comes before them. Format 3, from a get that this client coordinated, is rare enough to be
// opened.
const wordsAt = 16;
const ownBytes = 28;
const formatOwn = 2;
const formatList = 3;
const entryBytes = 12;

/** How many writes a context of ours has seen, more or less: the sum of its counters. Of two of one key the larger is newer. */
export function seenByRingtail(bytes: Uint8Array, start: number, end: number): number {
  if (bytes[start] === formatList) return sumOf(readContext(bytes.subarray(start, end)).version);
  let sum = bytes[start] === formatOwn ? 1 : 0;
  for (let at = start + wordsAt + sum * ownBytes; at + entryBytes <= end; at += entryBytes)
    sum += readWord(bytes, at) >>> 0;
  return sum;
}

function sumOf(version: VersionVector): number {
  let sum = 0;
  for (let i = 0; i < version.size; i += 1) sum += version.entry(i).counter;
  return sum;
}

export class Contexts {
  readonly #keys: number;
  readonly #seenBy: System["seenBy"];
  readonly #bytesMax: number;
  #placeBytes: number = firstPlaceBytes;
  #places = 0;
  #arena: Uint8Array = noBytes;
  #lengths: Uint16Array = new Uint16Array(0);
  /** Whose context lies in a place: the key's index. */
  #owners: Uint32Array = new Uint32Array(0);

  constructor(keys: number, seenBy: System["seenBy"] = seenByRingtail, bytesMax: number = arenaBytesMax) {
    this.#keys = keys;
    this.#seenBy = seenBy;
    this.#bytesMax = bytesMax;
    this.#layOut();
  }

  #layOut(): void {
    this.#places = Math.max(1, Math.min(this.#keys, Math.floor(this.#bytesMax / this.#placeBytes)));
    this.#arena = new Uint8Array(this.#places * this.#placeBytes);
    this.#lengths = new Uint16Array(this.#places);
    this.#owners = new Uint32Array(this.#places);
  }

  /** The context of that key, empty if none is known. The caller's own. */
  get(key: number): Uint8Array {
    const place = key % this.#places;
    const length = this.#lengths[place] as number;
    if (length === 0 || this.#owners[place] !== key) return noBytes;
    return this.#arena.slice(place * this.#placeBytes, place * this.#placeBytes + length);
  }

  /** Keeps a copy of the context, unless a newer one of that key is here or it is empty. */
  learn(key: number, context: Uint8Array): void {
    if (context.length === 0 || context.length > longest) return;
    if (context.length > this.#placeBytes) this.#grow(context.length);
    const place = key % this.#places;
    if (this.#owners[place] === key && this.#seenAt(place) > this.#seenBy(context, 0, context.length)) return;
    this.#owners[place] = key;
    this.#lengths[place] = context.length;
    this.#arena.set(context, place * this.#placeBytes);
  }

  #seenAt(place: number): number {
    const start = place * this.#placeBytes;
    return this.#seenBy(this.#arena, start, start + (this.#lengths[place] as number));
  }

  /** Vectors grow when nodes restart: all are laid out anew in larger places. */
  #grow(bytes: number): void {
    const { length } = this.#lengths;
    const old = {
      places: length,
      bytes: this.#placeBytes,
      arena: this.#arena,
      lengths: this.#lengths,
      owners: this.#owners,
    };
    while (this.#placeBytes < bytes) this.#placeBytes *= 2;
    this.#layOut();
    for (let place = 0; place < old.places; place += 1) {
      const size = old.lengths[place] as number;
      const start = place * old.bytes;
      if (size > 0) this.learn(old.owners[place] as number, old.arena.subarray(start, start + size));
    }
  }
}
