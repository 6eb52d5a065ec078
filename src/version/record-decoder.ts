/**
 * Reads the body of a record: the `Record` message of schema/common.proto, by hand, into views of the input. The bytes
 * come from disks and peers, so whatever they are the answer is a set or a `RecordError`, in time and memory bounded by
 * their length. Fields of later versions are skipped; groups, wrong wire types, and what no SiblingSet can be (writes out
 * of order, a dot that the version does not cover, a missing id) are refused.
 */
import { noBytes } from "../base/bytes.ts";
import { readWord } from "../base/words.ts";
import { compareDots } from "./dots.ts";
import type { Superseded } from "./recent.ts";
import { compareRecent, recentEntriesMax } from "./recent.ts";
import { stampOf } from "./record-layout.ts";
import type { Sibling } from "./sibling.ts";
import { compareSiblings } from "./sibling.ts";
import { SiblingSet } from "./sibling-set.ts";
import type { Dot } from "./version-vector.ts";
import { dotAt, VersionVector, wordsPerDot } from "./version-vector.ts";

/** The bytes are no record; the message says why. */
export class RecordError extends Error {
  override readonly name = "RecordError";
}

/** Entries of a vector, and dots of a sibling: far beyond the alarm at 32. */
export const versionEntriesMax = 4096;
/** Siblings of a record: far beyond what puts may make (64), because merges cannot refuse. */
export const siblingsMax = 4096;

const requestIdBytes = 16;

/** The set in bytes[start..]. Values and ids are views of `bytes`; throws `RecordError`. */
export function decodeRecord(bytes: Uint8Array, start: number): SiblingSet {
  const cursor = new Cursor(bytes, start);
  const end = bytes.length;
  const words: number[] = [];
  const siblings: Sibling[] = [];
  const recent: Superseded[] = [];
  while (cursor.at < end) {
    const tag = cursor.varint(end);
    if (tag === 0x0a || tag === 0x0d) cursor.words(tag, end, words);
    else if (tag === 0x12) addSibling(siblings, readSibling(cursor, cursor.lengthEnd(end)));
    else if (tag === 0x1a) addRecent(recent, readSuperseded(cursor, cursor.lengthEnd(end)));
    else cursor.skipUnknown(tag, 3, end);
  }
  const version = versionOf(words);
  for (let i = 0; i < siblings.length; i += 1) {
    const { dots } = siblings[i] as Sibling;
    for (let j = 0; j < dots.length; j += 1) {
      if (!version.covers(dots[j] as Dot)) throw new RecordError("the version does not cover a sibling");
    }
  }
  if (version.size > 0) return new SiblingSet(version, siblings, recent);
  if (recent.length > 0) throw new RecordError("a record without a version remembers a write");
  return SiblingSet.empty;
}

/** The version in the record's bytes[start..], without a look at siblings; throws `RecordError`. */
export function decodeVersion(bytes: Uint8Array, start: number): VersionVector {
  const cursor = new Cursor(bytes, start);
  const words: number[] = [];
  while (cursor.at < bytes.length) {
    const tag = cursor.varint(bytes.length);
    if (tag === 0x0a || tag === 0x0d) cursor.words(tag, bytes.length, words);
    else cursor.skip(tag, bytes.length);
  }
  return versionOf(words);
}

/** How many siblings are in the record's bytes[start..]; throws `RecordError`. */
export function countSiblings(bytes: Uint8Array, start: number): number {
  const cursor = new Cursor(bytes, start);
  let count = 0;
  while (cursor.at < bytes.length) {
    const tag = cursor.varint(bytes.length);
    if (tag === 0x12) count += 1;
    cursor.skip(tag, bytes.length);
  }
  return count;
}

function versionOf(words: readonly number[]): VersionVector {
  const version = VersionVector.fromWords(words);
  if (version === null) throw new RecordError("the version vector is not in order");
  return version;
}

function addSibling(siblings: Sibling[], sibling: Sibling): void {
  if (siblings.length === siblingsMax) throw new RecordError(`more than ${siblingsMax} siblings`);
  const last = siblings.at(-1);
  if (last !== undefined && compareSiblings(last, sibling) >= 0) throw new RecordError("siblings are not in order");
  if (sibling.stamp > 0 && siblings.some((other) => other.stamp > 0)) throw new RecordError("two stamped siblings");
  siblings.push(sibling);
}

function addRecent(recent: Superseded[], entry: Superseded): void {
  if (recent.length === recentEntriesMax) throw new RecordError(`more than ${recentEntriesMax} recent writes`);
  const last = recent.at(-1);
  if (last !== undefined && compareRecent(last, entry) >= 0) throw new RecordError("recent writes are not in order");
  recent.push(entry);
}

function readSibling(cursor: Cursor, end: number): Sibling {
  const words: number[] = [];
  let requestId = noBytes;
  let value = noBytes;
  let tombstone = false;
  let second = 0;
  let stamp = 0;
  while (cursor.at < end) {
    const tag = cursor.varint(end);
    if (tag === 0x0a || tag === 0x0d) cursor.words(tag, end, words);
    else if (tag === 0x12) requestId = cursor.view(end);
    else if (tag === 0x1a) value = cursor.view(end);
    else if (tag === 0x20) tombstone = cursor.varint(end) !== 0;
    else if (tag === 0x2d) second = cursor.word(end) >>> 0;
    else if (tag === 0x3a) stamp = checkedStamp(cursor.view(end));
    else cursor.skipUnknown(tag, 5, end);
  }
  return { dots: dotsOf(words), requestId: checkedId(requestId), value, tombstone, second, stamp };
}

function readSuperseded(cursor: Cursor, end: number): Superseded {
  const words: number[] = [];
  let requestId = noBytes;
  let second = 0;
  while (cursor.at < end) {
    const tag = cursor.varint(end);
    if (tag === 0x0a) requestId = cursor.view(end);
    else if (tag === 0x12 || tag === 0x15) cursor.words(tag, end, words);
    else if (tag === 0x1d) second = cursor.word(end) >>> 0;
    else cursor.skipUnknown(tag, 3, end);
  }
  return { requestId: checkedId(requestId), dots: dotsOf(words), second };
}

function checkedStamp(bytes: Uint8Array): number {
  const stamp = bytes.length === 8 ? stampOf(readWord(bytes, 0), readWord(bytes, 4)) : 0;
  if (stamp === 0) throw new RecordError("not a stamp");
  return stamp;
}

function checkedId(requestId: Uint8Array): Uint8Array {
  if (requestId.length !== requestIdBytes) throw new RecordError(`a request id of ${requestId.length} bytes`);
  return requestId;
}

function dotsOf(words: readonly number[]): readonly Dot[] {
  if (words.length === 0 || words.length % wordsPerDot !== 0) throw new RecordError("not a list of dots");
  const dots: Dot[] = [];
  for (let at = 0; at < words.length; at += wordsPerDot) {
    const dot = dotAt(words, at);
    if (dot.counter === 0) throw new RecordError("a dot with counter 0");
    if (at > 0 && compareDots(dots[dots.length - 1] as Dot, dot) >= 0) throw new RecordError("dots are not in order");
    dots.push(dot);
  }
  return dots;
}

/** A position in protobuf bytes. `end` is that of the message being read; no method goes beyond it. */
class Cursor {
  readonly bytes: Uint8Array;
  at: number;

  constructor(bytes: Uint8Array, at: number) {
    this.bytes = bytes;
    this.at = at;
  }

  /** Up to ten bytes; what needs more than 32 bits reads as 2^32 - 1, which is no valid tag and no valid length. */
  varint(end: number): number {
    let value = 0;
    for (let i = 0; i < 10; i += 1) {
      if (this.at >= end) throw new RecordError("cut off within a number");
      const byte = this.bytes[this.at] as number;
      this.at += 1;
      const bits = byte & 0x7f;
      if (i < 4) value |= bits << (7 * i);
      else if (i === 4 && bits < 0x10) value = (value | (bits << 28)) >>> 0;
      else if (bits !== 0) value = 0xffff_ffff;
      if (byte < 0x80) return value;
    }
    throw new RecordError("a number of more than ten bytes");
  }

  /** Reads a length; returns where that many bytes end. */
  lengthEnd(end: number): number {
    const length = this.varint(end);
    if (length > end - this.at) throw new RecordError("a field is longer than what holds it");
    return this.at + length;
  }

  /** A bytes field: a view. */
  view(end: number): Uint8Array {
    const stop = this.lengthEnd(end);
    const view = this.bytes.subarray(this.at, stop);
    this.at = stop;
    return view;
  }

  /** A fixed32, signed. */
  word(end: number): number {
    if (end - this.at < 4) throw new RecordError("cut off within a word");
    this.at += 4;
    return readWord(this.bytes, this.at - 4);
  }

  /** A repeated fixed32 field, packed or (as every protobuf reader must take it) one element at a time. */
  words(tag: number, end: number, into: number[]): void {
    const stop = (tag & 7) === 2 ? this.lengthEnd(end) : this.at + 4;
    if (stop > end) throw new RecordError("cut off within a word");
    if ((stop - this.at) % 4 !== 0) throw new RecordError("packed words of a wrong size");
    if (into.length + (stop - this.at) / 4 > wordsPerDot * versionEntriesMax) {
      throw new RecordError(`more than ${versionEntriesMax} dots`);
    }
    for (; this.at < stop; this.at += 4) into.push(readWord(this.bytes, this.at));
  }

  /** Skips a field of a later version; one that this version knows (1..lastKnown) has the wrong wire type. */
  skipUnknown(tag: number, lastKnown: number, end: number): void {
    if (tag >>> 3 <= lastKnown) throw new RecordError(`field ${tag >>> 3} is not of its type`);
    this.skip(tag, end);
  }

  /** Skips the value of whatever field this tag opens. */
  skip(tag: number, end: number): void {
    const wireType = tag & 7;
    if (tag >>> 3 === 0 || (wireType & 3) === 3 || wireType === 4 || wireType === 6) {
      throw new RecordError("an invalid field tag");
    }
    if (wireType === 0) this.varint(end);
    else if (wireType === 2) this.at = this.lengthEnd(end);
    else this.at += wireType === 5 ? 4 : 8;
    if (this.at > end) throw new RecordError("cut off within a field");
  }
}
