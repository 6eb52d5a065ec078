/**
 * RingArena: the memory of the object buffer. Entries of 16-byte units in equal slabs that are filled in turn, over and
 * over. Ahead of the place being filled goes a sweep over the entries of the last lap: a dirty or lately used one is
 * moved down to the fill place and loses its mark, any other is dropped. The sweep goes just as far as the next entry
 * needs, so that no put pays for a whole slab, and nothing needs spare room to be moved to.
 *
 *      slab   | new entries and survivors | free | entries of the last lap | never filled |
 *             0                         fill   sweep                      end
 *
 * An entry is six words (size in units, key hash high and low, key length and flags, record length, dirty token), the
 * full key, the record. Its location is its unit number plus 1, so that 0 can mean none.
 */
import { assert } from "../base/assert.ts";
import { RingtailError } from "../base/errors.ts";
import type { HashIndex } from "./hash-index.ts";
import { partitionOfHash } from "./keys.ts";

const unitBytes = 16;
const unitWords = unitBytes / 4;
const headerBytes = 24;
const slabBytesMax = 4 * 1024 * 1024;

const sizeWord = 0;
const hashHighWord = 1;
const hashLowWord = 2;
const keyWord = 3;
const recordWord = 4;
const dirtyWord = 5;

const live = 0x1_0000;
const used = 0x2_0000;
const lengthMask = 0xffff;

/** Survivors that one allocation moves before it stops sparing used entries, and before it gives up. */
const spareMax = 32;
const moveMax = 256;

/** What an entry holds: views. */
export interface BufferEntry {
  readonly fullKey: Uint8Array;
  readonly sealed: Uint8Array;
}

/** Knows the index, because a sweep moves and drops entries. */
export class RingArena {
  readonly #index: HashIndex;
  readonly #slabUnits: number;
  readonly #slabBits: number;
  readonly #slabs: number;
  readonly #words: Uint32Array[] = [];
  readonly #bytes: Uint8Array[] = [];
  /** Where each slab's entries end. */
  readonly #ends: Uint32Array;
  #slab = 0;
  #fill = 0;
  #sweep = 0;
  #end = 0;
  #moved = 0;
  #touched = 0;
  dirtyBytes = 0;

  /**
   * Takes all its memory at once, of which the system gives what is written to: V8 starts a full collection whenever 64 MiB
   * have come to be outside its heap: slabs that came one by one made one every 45 s at 2,500 operations a second, until
   * all were there.
   */
  constructor(bytesMax: number, index: HashIndex) {
    const slabBytes = Math.min(slabBytesMax, 1 << (31 - Math.clz32(Math.max(4096, bytesMax / 4))));
    this.#index = index;
    this.#slabUnits = slabBytes / unitBytes;
    this.#slabBits = 31 - Math.clz32(this.#slabUnits);
    this.#slabs = Math.max(1, Math.floor(bytesMax / slabBytes));
    this.#ends = new Uint32Array(this.#slabs);
    const memory = reserve(this.#slabs * slabBytes);
    for (let i = 0; i < this.#slabs; i += 1) {
      this.#words.push(new Uint32Array(memory, i * slabBytes, slabBytes / 4));
      this.#bytes.push(new Uint8Array(memory, i * slabBytes, slabBytes));
    }
  }

  /** Bytes of the slabs that were ever written to: what the system has been made to give. */
  get touchedBytes(): number {
    return this.#touched * this.#slabUnits * unitBytes;
  }

  #wordsOf(location: number): Uint32Array {
    return this.#words[(location - 1) >>> this.#slabBits] as Uint32Array;
  }

  #bytesOf(location: number): Uint8Array {
    return this.#bytes[(location - 1) >>> this.#slabBits] as Uint8Array;
  }

  /** The first word of an entry inside its slab. */
  #base(location: number): number {
    return ((location - 1) & (this.#slabUnits - 1)) * unitWords;
  }

  #location(slab: number, unit: number): number {
    return slab * this.#slabUnits + unit + 1;
  }

  /** Whether the entry is the one of this key. */
  matches(location: number, fullKey: Uint8Array, hashHigh: number): boolean {
    const words = this.#wordsOf(location);
    const base = this.#base(location);
    if (words[base + hashHighWord] !== hashHigh) return false;
    if (((words[base + keyWord] as number) & lengthMask) !== fullKey.length) return false;
    const bytes = this.#bytesOf(location);
    const start = base * 4 + headerBytes;
    for (let i = 0; i < fullKey.length; i += 1) if (bytes[start + i] !== fullKey[i]) return false;
    return true;
  }

  /** Marks the entry as used and returns a view of its record. */
  use(location: number): Uint8Array {
    const words = this.#wordsOf(location);
    const base = this.#base(location);
    const key = words[base + keyWord] as number;
    words[base + keyWord] = key | used;
    const start = base * 4 + headerBytes + (key & lengthMask);
    return this.#bytesOf(location).subarray(start, start + (words[base + recordWord] as number));
  }

  /** Views of an entry's key and record. */
  entryAt(location: number): BufferEntry {
    const words = this.#wordsOf(location);
    const base = this.#base(location);
    const start = base * 4 + headerBytes;
    const record = start + ((words[base + keyWord] as number) & lengthMask);
    const bytes = this.#bytesOf(location);
    const end = record + (words[base + recordWord] as number);
    return { fullKey: bytes.subarray(start, record), sealed: bytes.subarray(record, end) };
  }

  dirtyToken(location: number): number {
    return this.#wordsOf(location)[this.#base(location) + dirtyWord] as number;
  }

  setDirty(location: number, token: number): void {
    const words = this.#wordsOf(location);
    const base = this.#base(location);
    const bytes = (words[base + sizeWord] as number) * unitBytes;
    if (words[base + dirtyWord] !== 0) this.dirtyBytes -= bytes;
    if (token !== 0) this.dirtyBytes += bytes;
    words[base + dirtyWord] = token;
  }

  /** Replaces the record in place if the entry has room for it, and not much more. */
  overwrite(location: number, sealed: Uint8Array, dirty: number): boolean {
    const words = this.#wordsOf(location);
    const base = this.#base(location);
    const keyLength = (words[base + keyWord] as number) & lengthMask;
    const spare = (words[base + sizeWord] as number) - unitsFor(keyLength, sealed.length);
    if (spare < 0 || spare > (words[base + sizeWord] as number) >>> 2) return false;
    words[base + recordWord] = sealed.length;
    words[base + keyWord] = keyLength | live | used;
    this.#bytesOf(location).set(sealed, base * 4 + headerBytes + keyLength);
    this.setDirty(location, dirty);
    return true;
  }

  /**
   * Room for an entry, to be filled at once; 0 when there is none to be had now. May move or drop any other entry.
   * `grows`: it took the place of a smaller one, and is given an eighth more. Records grow by the ids of recent writes,
   * and one that is overwritten in place stays in memory that the processor has at hand.
   */
  allocate(keyLength: number, recordLength: number, grows: boolean): number {
    const least = unitsFor(keyLength, recordLength);
    if (least > this.#slabUnits) return 0;
    const units = grows ? Math.min(this.#slabUnits, least + (least >>> 3)) : least;
    this.#moved = 0;
    let slabsLeft = this.#slabs + 1;
    for (;;) {
      const limit = this.#sweep === this.#end ? this.#slabUnits : this.#sweep;
      if (limit - this.#fill >= units && this.#index.size < this.#index.limit) break;
      if (this.#sweep < this.#end) this.#sweepOne();
      else if (slabsLeft > 0) {
        this.#nextSlab();
        slabsLeft -= 1;
      } else return 0;
      if (this.#moved > moveMax) return 0;
    }
    if (this.#slab >= this.#touched) this.#touched = this.#slab + 1;
    const location = this.#location(this.#slab, this.#fill);
    this.#fill += units;
    (this.#words[this.#slab] as Uint32Array)[this.#base(location) + sizeWord] = units;
    return location;
  }

  #nextSlab(): void {
    this.#ends[this.#slab] = this.#fill;
    this.#slab = (this.#slab + 1) % this.#slabs;
    this.#fill = 0;
    this.#sweep = 0;
    this.#end = this.#ends[this.#slab] as number;
  }

  #sweepOne(): void {
    const from = this.#location(this.#slab, this.#sweep);
    const words = this.#words[this.#slab] as Uint32Array;
    const base = this.#base(from);
    const size = words[base + sizeWord] as number;
    const key = words[base + keyWord] as number;
    assert(size > 0, "object buffer sweep met no entry");
    this.#sweep += size;
    if ((key & live) === 0) return;
    const spared = (key & used) !== 0 && this.#moved < spareMax;
    if (words[base + dirtyWord] === 0 && !spared) {
      this.drop(from);
      return;
    }
    words[base + keyWord] = key & ~used;
    this.#moved += 1;
    const to = this.#location(this.#slab, this.#fill);
    this.#fill += size;
    if (to === from) return;
    const start = base * 4;
    (this.#bytes[this.#slab] as Uint8Array).copyWithin(this.#base(to) * 4, start, start + size * unitBytes);
    this.#index.move(words[this.#base(to) + hashLowWord] as number, from, to);
  }

  /** Writes an entry into room just allocated; the caller adds it to the index. */
  fill(
    location: number,
    fullKey: Uint8Array,
    hashHigh: number,
    hashLow: number,
    sealed: Uint8Array,
    dirty: number,
  ): void {
    const words = this.#wordsOf(location);
    const bytes = this.#bytesOf(location);
    const base = this.#base(location);
    words[base + hashHighWord] = hashHigh;
    words[base + hashLowWord] = hashLow;
    words[base + keyWord] = fullKey.length | live;
    words[base + recordWord] = sealed.length;
    words[base + dirtyWord] = 0;
    bytes.set(fullKey, base * 4 + headerBytes);
    bytes.set(sealed, base * 4 + headerBytes + fullKey.length);
    this.setDirty(location, dirty);
  }

  /** Forgets an entry; the sweep reuses its room. */
  drop(location: number): void {
    const words = this.#wordsOf(location);
    const base = this.#base(location);
    this.#index.remove(words[base + hashLowWord] as number, location);
    this.setDirty(location, 0);
    words[base + keyWord] = (words[base + keyWord] as number) & lengthMask;
  }

  /** Drops every entry of a partition. */
  dropPartition(partition: number, partitionBits: number): void {
    for (let slab = 0; slab < this.#slabs; slab += 1) {
      if (slab !== this.#slab) {
        this.#dropWithin(slab, 0, this.#ends[slab] as number, partition, partitionBits);
        continue;
      }
      this.#dropWithin(slab, 0, this.#fill, partition, partitionBits);
      this.#dropWithin(slab, this.#sweep, this.#end, partition, partitionBits);
    }
  }

  #dropWithin(slab: number, from: number, to: number, partition: number, partitionBits: number): void {
    const words = this.#words[slab] as Uint32Array;
    for (let unit = from; unit < to; ) {
      const base = unit * unitWords;
      const isLive = ((words[base + keyWord] as number) & live) !== 0;
      if (isLive && partitionOfHash(words[base + hashHighWord] as number, partitionBits) === partition) {
        this.drop(this.#location(slab, unit));
      }
      unit += words[base + sizeWord] as number;
    }
  }
}

function reserve(bytes: number): ArrayBuffer {
  try {
    return new ArrayBuffer(bytes);
  } catch {
    const mebibytes = Math.ceil(bytes / (1024 * 1024));
    throw new RingtailError("INVALID_ARGUMENT", `there are no ${mebibytes} MiB for the object buffer: give it fewer`);
  }
}

function unitsFor(keyLength: number, recordLength: number): number {
  return Math.ceil((headerBytes + keyLength + recordLength) / unitBytes);
}
