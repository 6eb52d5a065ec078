/**
 * Writes the body of a record: the `Record` message of schema/common.proto, by hand, because floor 1 cannot use the
 * generated code and because every put pays for it. Canonical: fields ascending, packed, default values left out, no
 * field twice; with the sorted order of a SiblingSet, equal sets are equal bytes. Differential tests hold it to the
 * schema. A size pass comes first, so that the bytes are written once, into memory of the right size.
 */
import { assert } from "../base/assert.ts";
import { writeWord } from "../base/words.ts";
import { writeDot } from "./dots.ts";
import type { Superseded } from "./recent.ts";
import type { Sibling } from "./sibling.ts";
import type { SiblingSet } from "./sibling-set.ts";
import type { Dot } from "./version-vector.ts";

const bytesPerDot = 12;
/** Tag, length, and two words. */
const stampBytes = 10;

/** The encoded size of a set's body. */
export function recordBodyBytes(set: SiblingSet): number {
  let size = fieldBytes(bytesPerDot * set.version.size);
  for (let i = 0; i < set.siblings.length; i += 1) {
    const inner = siblingBytes(set.siblings[i] as Sibling);
    size += 1 + varintBytes(inner) + inner;
  }
  for (let i = 0; i < set.recent.length; i += 1) {
    const inner = supersededBytes(set.recent[i] as Superseded);
    size += 1 + varintBytes(inner) + inner;
  }
  return size;
}

/** Writes the body from `start` on; returns its end. `out` has room for `recordBodyBytes` more. */
export function writeRecordBody(set: SiblingSet, out: Uint8Array, start: number): number {
  const { words } = set.version;
  let at = start;
  if (words.length > 0) at = writeHead(out, at, 0x0a, 4 * words.length);
  for (let i = 0; i < words.length; i += 1) at = writeWord(out, at, words[i] as number);
  for (let i = 0; i < set.siblings.length; i += 1) at = writeSibling(out, at, set.siblings[i] as Sibling);
  for (let i = 0; i < set.recent.length; i += 1) at = writeSuperseded(out, at, set.recent[i] as Superseded);
  return at;
}

function siblingBytes(sibling: Sibling): number {
  return (
    fieldBytes(bytesPerDot * sibling.dots.length) +
    fieldBytes(sibling.requestId.length) +
    fieldBytes(sibling.value.length) +
    (sibling.tombstone ? 2 : 0) +
    (sibling.second === 0 ? 0 : 5) +
    (sibling.stamp === 0 ? 0 : stampBytes)
  );
}

function writeSibling(out: Uint8Array, start: number, sibling: Sibling): number {
  let at = writeHead(out, start, 0x12, siblingBytes(sibling));
  at = writeDots(out, at, 0x0a, sibling.dots);
  at = writeBytes(out, at, 0x12, sibling.requestId);
  at = writeBytes(out, at, 0x1a, sibling.value);
  if (sibling.tombstone) {
    out[at] = 0x20;
    out[at + 1] = 1;
    at += 2;
  }
  return writeStamp(out, writeSecond(out, at, 0x2d, sibling.second), sibling.stamp);
}

function supersededBytes(entry: Superseded): number {
  return (
    fieldBytes(entry.requestId.length) + fieldBytes(bytesPerDot * entry.dots.length) + (entry.second === 0 ? 0 : 5)
  );
}

function writeSuperseded(out: Uint8Array, start: number, entry: Superseded): number {
  let at = writeHead(out, start, 0x1a, supersededBytes(entry));
  at = writeBytes(out, at, 0x0a, entry.requestId);
  at = writeDots(out, at, 0x12, entry.dots);
  return writeSecond(out, at, 0x1d, entry.second);
}

/** What a length-delimited field of `length` bytes takes; nothing if it is empty. */
function fieldBytes(length: number): number {
  return length === 0 ? 0 : 1 + varintBytes(length) + length;
}

function varintBytes(value: number): number {
  if (value < 0x80) return 1;
  if (value < 0x4000) return 2;
  if (value < 0x20_0000) return 3;
  return value < 0x1000_0000 ? 4 : 5;
}

function writeHead(out: Uint8Array, at: number, tag: number, length: number): number {
  assert(length > 0, "an empty field is left out");
  out[at] = tag;
  let next = at + 1;
  let rest = length;
  while (rest >= 0x80) {
    out[next] = (rest & 0x7f) | 0x80;
    next += 1;
    rest >>>= 7;
  }
  out[next] = rest;
  return next + 1;
}

function writeDots(out: Uint8Array, start: number, tag: number, dots: readonly Dot[]): number {
  let at = writeHead(out, start, tag, bytesPerDot * dots.length);
  for (let i = 0; i < dots.length; i += 1) at = writeDot(out, at, dots[i] as Dot);
  return at;
}

function writeBytes(out: Uint8Array, at: number, tag: number, bytes: Uint8Array): number {
  if (bytes.length === 0) return at;
  const next = writeHead(out, at, tag, bytes.length);
  out.set(bytes, next);
  return next + bytes.length;
}

function writeSecond(out: Uint8Array, at: number, tag: number, second: number): number {
  if (second === 0) return at;
  out[at] = tag;
  return writeWord(out, at + 1, second);
}

function writeStamp(out: Uint8Array, at: number, stamp: number): number {
  if (stamp === 0) return at;
  const high = Math.floor(stamp / 0x1_0000_0000);
  return writeWord(out, writeWord(out, writeHead(out, at, 0x3a, 8), stamp >>> 0), high);
}
