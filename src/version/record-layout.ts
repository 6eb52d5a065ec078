/**
 * RecordLayout: where things are in the bytes of a sealed record, found without making an object. Nearly every write
 * that reaches a replica is either a copy of what it holds or a successor; deciding that on the bytes costs a tenth of
 * opening both records, and leaves nothing to the garbage collector (sealed-merge.ts, sealed-causal-hash.ts).
 *
 * Only a plain record has a layout: canonical field order, no unknown field, few siblings, everything in the order that
 * record-decoder.ts demands. Of any other `read` says false, and the caller opens it instead: this is an optimisation
 * with one meaning, and that meaning is openRecord's.
 */
import { noBytes } from "../base/bytes.ts";
import { readWord } from "../base/words.ts";
import { recentMax } from "./recent.ts";

/** The header in front of a body. */
export const recordHeaderBytes = 8;
/** The header's first word: the format number and three bytes of zero. */
export const recordFormat = 1;
/** The same of a record with a stamp, which a node that knows only the first format would lose. */
export const stampedFormat = 2;
/** A packed dot. */
export const bytesPerDot = 12;

const requestIdBytes = 16;
const siblingsMax = 16;

/** Whether a header's first word is one that this version knows. */
export function isRecordFormat(word: number): boolean {
  return word === recordFormat || word === stampedFormat;
}

/** The stamp in two words; 0: no number that a clock could have made. */
export function stampOf(low: number, high: number): number {
  return high >>> 21 === 0 ? high * 0x1_0000_0000 + (low >>> 0) : 0;
}

/** The order of two packed dots: actor, then counter. */
export function compareDotsAt(a: Uint8Array, i: number, b: Uint8Array, j: number): number {
  const order = compareActorsAt(a, i, b, j);
  return order !== 0 ? order : (readWord(a, i) >>> 0) - (readWord(b, j) >>> 0);
}

/** The order of two packed dots' actors. */
export function compareActorsAt(a: Uint8Array, i: number, b: Uint8Array, j: number): number {
  const aHigh = readWord(a, i + 8);
  const bHigh = readWord(b, j + 8);
  // The high words differ between nodes: mostly the low ones need not be read.
  if (aHigh !== bHigh) return aHigh >>> 0 < bHigh >>> 0 ? -1 : 1;
  const aLow = readWord(a, i + 4);
  const bLow = readWord(b, j + 4);
  return aLow === bLow ? 0 : aLow >>> 0 < bLow >>> 0 ? -1 : 1;
}

/** One write's place: a sibling or a superseded write. All but the last two are offsets into the record. */
export class WriteSpan {
  /** The whole message, without its own tag and length. */
  start = 0;
  end = 0;
  /** 16 bytes from here. */
  id = 0;
  dots = 0;
  dotsEnd = 0;
  second = 0;
  tombstone = false;
  stamp = 0;
}

/** Reused: a caller keeps one for each record that it looks at together. */
export class RecordLayout {
  bytes: Uint8Array = noBytes;
  /** The packed version. */
  version = 0;
  versionEnd = 0;
  readonly siblings: readonly WriteSpan[] = Array.from({ length: siblingsMax }, () => new WriteSpan());
  siblingCount = 0;
  readonly recent: readonly WriteSpan[] = Array.from({ length: recentMax }, () => new WriteSpan());
  recentCount = 0;
  /** Of the stamped sibling; 0: there is none. */
  stamp = 0;
  #at = 0;

  /** Whether the record is plain; if so, the fields describe it until the next call. The checksum is not verified. */
  read(sealed: Uint8Array): boolean {
    if (sealed.length < recordHeaderBytes || !isRecordFormat(readWord(sealed, 0))) return false;
    this.bytes = sealed;
    this.#at = recordHeaderBytes;
    this.siblingCount = 0;
    this.recentCount = 0;
    this.stamp = 0;
    return this.#readVersion() && this.#readSiblings() && this.#readRecent() && this.#at === sealed.length;
  }

  /** Forgets the record, whose memory may be pooled. */
  clear(): void {
    this.bytes = noBytes;
  }

  /** The counter that the version shows of an actor; 0: none. */
  counterOf(actorHigh: number, actorLow: number): number {
    const { bytes } = this;
    for (let at = this.version; at < this.versionEnd; at += bytesPerDot) {
      if (readWord(bytes, at + 4) >>> 0 !== actorLow || readWord(bytes, at + 8) >>> 0 !== actorHigh) continue;
      return readWord(bytes, at) >>> 0;
    }
    return 0;
  }

  /** Whether the version covers the dot at `at` of `bytes`. */
  covers(bytes: Uint8Array, at: number): boolean {
    for (let entry = this.version; entry < this.versionEnd; entry += bytesPerDot) {
      const order = compareActorsAt(this.bytes, entry, bytes, at);
      if (order === 0) return readWord(this.bytes, entry) >>> 0 >= readWord(bytes, at) >>> 0;
      if (order > 0) return false;
    }
    return false;
  }

  /** Reads a length-delimited field if it is the next one before `end`: its length, else -1. */
  #field(tag: number, end: number): number {
    if (this.#at >= end || this.bytes[this.#at] !== tag) return -1;
    this.#at += 1;
    let length = 0;
    for (let shift = 0; shift < 28 && this.#at < end; shift += 7) {
      const byte = this.bytes[this.#at] as number;
      this.#at += 1;
      length |= (byte & 0x7f) << shift;
      if (byte < 0x80) return length <= end - this.#at ? length : -1;
    }
    return -1;
  }

  #readVersion(): boolean {
    const length = this.#field(0x0a, this.bytes.length);
    if (length <= 0 || length % bytesPerDot !== 0) return false;
    this.version = this.#at;
    this.#at += length;
    this.versionEnd = this.#at;
    for (let at = this.version; at < this.versionEnd; at += bytesPerDot) {
      if (readWord(this.bytes, at) === 0) return false;
      if (at > this.version && compareActorsAt(this.bytes, at - bytesPerDot, this.bytes, at) >= 0) return false;
    }
    return true;
  }

  #readSiblings(): boolean {
    while (this.bytes[this.#at] === 0x12) {
      const length = this.#field(0x12, this.bytes.length);
      if (length < 0 || this.siblingCount === siblingsMax) return false;
      const span = this.siblings[this.siblingCount] as WriteSpan;
      span.start = this.#at;
      span.end = this.#at + length;
      if (!this.#readDots(span, 0x0a) || !this.#readId(span, 0x12)) return false;
      if (this.bytes[this.#at] === 0x1a && this.#at < span.end) {
        const valueBytes = this.#field(0x1a, span.end);
        if (valueBytes < 0) return false;
        this.#at += valueBytes;
      }
      span.tombstone = this.#at < span.end - 1 && this.bytes[this.#at] === 0x20 && this.bytes[this.#at + 1] === 1;
      if (span.tombstone) this.#at += 2;
      if (!this.#readSecond(span, 0x2d) || !this.#readStamp(span) || !this.#inOrder(span)) return false;
      this.siblingCount += 1;
    }
    return true;
  }

  /** Whether a sibling comes after the one before it, and its dots are covered. */
  #inOrder(span: WriteSpan): boolean {
    const before = this.siblingCount === 0 ? undefined : this.siblings[this.siblingCount - 1];
    if (before !== undefined && compareDotsAt(this.bytes, before.dots, this.bytes, span.dots) >= 0) return false;
    for (let at = span.dots; at < span.dotsEnd; at += bytesPerDot) if (!this.covers(this.bytes, at)) return false;
    return true;
  }

  #readRecent(): boolean {
    while (this.bytes[this.#at] === 0x1a) {
      const length = this.#field(0x1a, this.bytes.length);
      if (length < 0 || this.recentCount === recentMax) return false;
      const span = this.recent[this.recentCount] as WriteSpan;
      span.start = this.#at;
      span.end = this.#at + length;
      if (!this.#readId(span, 0x0a) || !this.#readDots(span, 0x12) || !this.#readSecond(span, 0x1d)) return false;
      if (this.#at !== span.end) return false;
      const before = this.recentCount === 0 ? undefined : this.recent[this.recentCount - 1];
      if (before !== undefined) {
        const order = before.second - span.second || compareDotsAt(this.bytes, before.dots, this.bytes, span.dots);
        if (order >= 0) return false;
      }
      this.recentCount += 1;
    }
    return true;
  }

  #readDots(span: WriteSpan, tag: number): boolean {
    const length = this.#field(tag, span.end);
    if (length <= 0 || length % bytesPerDot !== 0) return false;
    span.dots = this.#at;
    this.#at += length;
    span.dotsEnd = this.#at;
    for (let at = span.dots; at < span.dotsEnd; at += bytesPerDot) {
      if (readWord(this.bytes, at) === 0) return false;
      if (at > span.dots && compareDotsAt(this.bytes, at - bytesPerDot, this.bytes, at) >= 0) return false;
    }
    return true;
  }

  #readId(span: WriteSpan, tag: number): boolean {
    if (this.#field(tag, span.end) !== requestIdBytes) return false;
    span.id = this.#at;
    this.#at += requestIdBytes;
    return true;
  }

  /** Left out if it is 0. */
  #readSecond(span: WriteSpan, tag: number): boolean {
    span.second = 0;
    if (this.#at === span.end || this.bytes[this.#at] !== tag) return true;
    if (span.end - this.#at < 5) return false;
    span.second = readWord(this.bytes, this.#at + 1) >>> 0;
    this.#at += 5;
    return true;
  }

  /** The last field of a sibling, left out if it is 0. */
  #readStamp(span: WriteSpan): boolean {
    span.stamp = 0;
    if (this.#at === span.end) return true;
    if (this.stamp > 0 || this.#field(0x3a, span.end) !== 8 || span.end - this.#at !== 8) return false;
    span.stamp = stampOf(readWord(this.bytes, this.#at), readWord(this.bytes, this.#at + 4));
    this.stamp = span.stamp;
    this.#at = span.end;
    return span.stamp > 0;
  }
}
