/**
 * Deciding on the bytes that the merge of two sealed records is one of them: the newer one, whose writer had read the
 * older. All of SiblingSet.merge's rules are here as conditions under which they change nothing; where one is not met
 * the answer is "not known", never a guess. The tests hold every yes against the real merge.
 */

import { readWord } from "../base/words.ts";
import { recentMax } from "./recent.ts";
import type { WriteSpan } from "./record-layout.ts";
import { bytesPerDot, compareActorsAt, compareDotsAt, RecordLayout } from "./record-layout.ts";

const requestIdBytes = 16;

const layoutA = new RecordLayout();
const layoutB = new RecordLayout();

/** Which of two sealed records is the merge of both: `a`, `b`, or null if that takes a merge to find out. */
export function newerRecord(a: Uint8Array, b: Uint8Array): Uint8Array | null {
  const newer = layoutA.read(a) && layoutB.read(b) ? newerLayout(layoutA, layoutB) : null;
  const bytes = newer === null ? null : newer.bytes;
  layoutA.clear();
  layoutB.clear();
  return bytes;
}

/** The same of two records that have been looked at. */
export function newerLayout(a: RecordLayout, b: RecordLayout): RecordLayout | null {
  if (contains(a, b)) return a;
  return contains(b, a) ? b : null;
}

/** Whether merging `older` into `newer` certainly changes nothing. */
function contains(newer: RecordLayout, older: RecordLayout): boolean {
  return (
    coversVersion(newer, older) &&
    newSiblingsStay(newer, older) &&
    oldSiblingsGo(newer, older) &&
    recentIsKnown(newer, older)
  );
}

function coversVersion(newer: RecordLayout, older: RecordLayout): boolean {
  if (newer.versionEnd - newer.version < older.versionEnd - older.version) return false;
  let at = newer.version;
  for (let entry = older.version; entry < older.versionEnd; entry += bytesPerDot) {
    while (at < newer.versionEnd && compareActorsAt(newer.bytes, at, older.bytes, entry) < 0) at += bytesPerDot;
    if (at >= newer.versionEnd || compareActorsAt(newer.bytes, at, older.bytes, entry) !== 0) return false;
    if (readWord(newer.bytes, at) >>> 0 < readWord(older.bytes, entry) >>> 0) return false;
  }
  return true;
}

/** Each sibling of the newer record is in the older too, unchanged, or the older has heard nothing of it. */
function newSiblingsStay(newer: RecordLayout, older: RecordLayout): boolean {
  for (let i = 0; i < newer.siblingCount; i += 1) {
    const sibling = newer.siblings[i] as WriteSpan;
    if (sameSibling(newer, sibling, older)) continue;
    for (let at = sibling.dots; at < sibling.dotsEnd; at += bytesPerDot) {
      if (older.covers(newer.bytes, at)) return false;
    }
    if (findId(older.siblings, older.siblingCount, older.bytes, newer.bytes, sibling.id) !== null) return false;
    if (findId(older.recent, older.recentCount, older.bytes, newer.bytes, sibling.id) !== null) return false;
  }
  return true;
}

/**
 * Each sibling of the older record is in the newer too, unchanged, or superseded there: its dots are covered (all of the
 * older record's are) and not held, and `recent`, if it names the write, knows all about it.
 */
function oldSiblingsGo(newer: RecordLayout, older: RecordLayout): boolean {
  for (let i = 0; i < older.siblingCount; i += 1) {
    const sibling = older.siblings[i] as WriteSpan;
    if (sameSibling(older, sibling, newer)) continue;
    for (let at = sibling.dots; at < sibling.dotsEnd; at += bytesPerDot) {
      if (holdsDot(newer, older.bytes, at)) return false;
    }
    const entry = findId(newer.recent, newer.recentCount, newer.bytes, older.bytes, sibling.id);
    if (entry !== null && !sameDotsAndSecond(newer.bytes, entry, older.bytes, sibling)) return false;
  }
  return true;
}

/** Each recent write of the older record is one of the newer's, unchanged, or covered and older than the newer's four. */
function recentIsKnown(newer: RecordLayout, older: RecordLayout): boolean {
  for (let i = 0; i < older.recentCount; i += 1) {
    const entry = older.recent[i] as WriteSpan;
    const known = findId(newer.recent, newer.recentCount, newer.bytes, older.bytes, entry.id);
    if (known !== null) {
      if (!sameDotsAndSecond(newer.bytes, known, older.bytes, entry)) return false;
    } else if (newer.recentCount < recentMax || !isOlder(older, entry, newer, newer.recent[0] as WriteSpan)) {
      return false;
    } else if (!coversDots(newer, older.bytes, entry)) return false;
  }
  return true;
}

/** Whether a recent write comes before another in the order in which they are forgotten (recent.ts). */
function isOlder(record: RecordLayout, entry: WriteSpan, other: RecordLayout, oldest: WriteSpan): boolean {
  if (entry.second !== oldest.second) return entry.second < oldest.second;
  return compareDotsAt(record.bytes, entry.dots, other.bytes, oldest.dots) < 0;
}

/**
 * Whether `other` holds this very sibling: all but the value byte for byte. A dot names one write and its id says so once
 * more, so that values of one length under both are one value; comparing them was a tenth of a replica's work.
 */
function sameSibling(record: RecordLayout, sibling: WriteSpan, other: RecordLayout): boolean {
  for (let i = 0; i < other.siblingCount; i += 1) {
    const candidate = other.siblings[i] as WriteSpan;
    if (compareDotsAt(record.bytes, sibling.dots, other.bytes, candidate.dots) !== 0) continue;
    if (candidate.end - candidate.start !== sibling.end - sibling.start) return false;
    return (
      candidate.tombstone === sibling.tombstone &&
      candidate.stamp === sibling.stamp &&
      sameDotsAndSecond(record.bytes, sibling, other.bytes, candidate) &&
      sameBytes(record.bytes, sibling.id, other.bytes, candidate.id, requestIdBytes)
    );
  }
  return false;
}

function coversDots(record: RecordLayout, bytes: Uint8Array, { dots, dotsEnd }: WriteSpan): boolean {
  for (let at = dots; at < dotsEnd; at += bytesPerDot) if (!record.covers(bytes, at)) return false;
  return true;
}

function holdsDot(record: RecordLayout, bytes: Uint8Array, dot: number): boolean {
  for (let i = 0; i < record.siblingCount; i += 1) {
    const sibling = record.siblings[i] as WriteSpan;
    for (let at = sibling.dots; at < sibling.dotsEnd; at += bytesPerDot) {
      if (compareDotsAt(record.bytes, at, bytes, dot) === 0) return true;
    }
  }
  return false;
}

function findId(
  spans: readonly WriteSpan[],
  count: number,
  bytes: Uint8Array,
  idBytes: Uint8Array,
  id: number,
): WriteSpan | null {
  for (let i = 0; i < count; i += 1) {
    const span = spans[i] as WriteSpan;
    if (sameBytes(bytes, span.id, idBytes, id, requestIdBytes)) return span;
  }
  return null;
}

function sameDotsAndSecond(a: Uint8Array, spanA: WriteSpan, b: Uint8Array, spanB: WriteSpan): boolean {
  const length = spanA.dotsEnd - spanA.dots;
  if (spanA.second !== spanB.second || spanB.dotsEnd - spanB.dots !== length) return false;
  return sameBytes(a, spanA.dots, b, spanB.dots, length);
}

function sameBytes(a: Uint8Array, i: number, b: Uint8Array, j: number, length: number): boolean {
  for (let k = 0; k < length; k += 1) if (a[i + k] !== b[j + k]) return false;
  return true;
}
