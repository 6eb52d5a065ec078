/**
 * Records: sibling sets as bytes, the same on the wire and on disk. A sealed record is an 8-byte header and a protobuf
 * body: u8 format, 3 bytes of zero, u32 little-endian CRC-32C of the body. Records stay bytes wherever they are kept
 * (objects per key are what made the tail); they are opened per request and never modified.
 */
import { assert } from "../base/assert.ts";
import { canary } from "../base/canary.ts";
import { crc32c } from "../base/crc32c.ts";
import { takeBytes } from "../base/pool.ts";
import { readWord, writeWord } from "../base/words.ts";
import { recentEntriesMax } from "./recent.ts";
import { countSiblings, decodeRecord, decodeVersion, RecordError, siblingsMax } from "./record-decoder.ts";
import { recordBodyBytes, writeRecordBody } from "./record-encoder.ts";
import { isRecordFormat, recordFormat, recordHeaderBytes, stampedFormat } from "./record-layout.ts";
import { newerRecord } from "./sealed-merge.ts";
import type { SiblingSet } from "./sibling-set.ts";
import { compareVersions, type VersionVector } from "./version-vector.ts";

export { RecordError } from "./record-decoder.ts";
export { recordHeaderBytes } from "./record-layout.ts";

/** How long the set is as a sealed record. */
export function sealedBytes(set: SiblingSet): number {
  return recordHeaderBytes + recordBodyBytes(set);
}

/** The set as a sealed record in pooled memory (base/pool.ts): copy what is kept for long. */
export function sealRecord(set: SiblingSet): Uint8Array {
  const { siblings, recent } = set;
  assert(siblings.length <= siblingsMax && recent.length <= recentEntriesMax, "a record that is sealed can be opened");
  const sealed = takeBytes(sealedBytes(set));
  const end = writeRecordBody(set, sealed, recordHeaderBytes);
  assert(end === sealed.length, "a record is as long as measured");
  writeWord(sealed, 0, set.stamp > 0 ? stampedFormat : recordFormat);
  writeWord(sealed, 4, crc32c(sealed, recordHeaderBytes, end));
  return sealed;
}

/** Null if header and checksum are good, else what is wrong, for a log or an error message. */
export function checkRecord(sealed: Uint8Array): string | null {
  const wrong = checkHeader(sealed);
  if (wrong !== null) return wrong;
  const sum = crc32c(sealed, recordHeaderBytes, sealed.length);
  return sum === readWord(sealed, 4) >>> 0 ? null : "the record's checksum does not match its bytes";
}

function checkHeader(sealed: Uint8Array): string | null {
  if (sealed.length < recordHeaderBytes) return `a record of ${sealed.length} bytes is shorter than its header`;
  const format = sealed[0] as number;
  if (!isRecordFormat(format))
    return `record format ${format} is unknown here (known: ${recordFormat}, ${stampedFormat})`;
  return isRecordFormat(readWord(sealed, 0)) ? null : "the record's header is damaged";
}

/**
 * The set in a sealed record, whose checksum has been verified before (`checkRecord`) and is not looked at here. Values
 * and ids are views of `sealed`. Throws `RecordError` if the bytes are no record.
 */
export function openRecord(sealed: Uint8Array): SiblingSet {
  requireHeader(sealed);
  return decodeRecord(sealed, recordHeaderBytes);
}

function requireHeader(sealed: Uint8Array): void {
  const wrong = checkHeader(sealed);
  if (wrong !== null) throw new RecordError(wrong);
}

/** The protobuf body in a sealed record: a view. */
export function recordBody(sealed: Uint8Array): Uint8Array {
  return sealed.subarray(recordHeaderBytes);
}

/** The set in a body without its header, as replies carry it. Values and ids are views; throws `RecordError`. */
export function decodeRecordBody(body: Uint8Array): SiblingSet {
  return decodeRecord(body, 0);
}

/** The version of a sealed record, without decoding siblings; throws `RecordError`. */
export function versionOfSealed(sealed: Uint8Array): VersionVector {
  requireHeader(sealed);
  return decodeVersion(sealed, recordHeaderBytes);
}

/** How many siblings a sealed record holds, without decoding them; throws `RecordError`. */
export function siblingCount(sealed: Uint8Array): number {
  requireHeader(sealed);
  return countSiblings(sealed, recordHeaderBytes);
}

/**
 * Whether two sealed records are the same, by length, checksum and version: records of one version that differ at all
 * have different checksums but for one case in 2^32.
 */
export function equalSealed(a: Uint8Array, b: Uint8Array): boolean {
  return a === b || (a.length === b.length && startsWith(b, a, versionEnd(a)));
}

function startsWith(bytes: Uint8Array, start: Uint8Array, end: number): boolean {
  for (let i = 0; i < end; i += 1) if (bytes[i] !== start[i]) return false;
  return true;
}

/**
 * The head of a sealed record of more than `bytesMax` bytes, a view: header and version, all that comparing it with
 * another takes (`equalSealed`). It stands for a record that the reader probably has: `compareHead` tells. A smaller
 * record is answered itself, and so is one that does not begin with its version.
 */
export function headIfLarger(sealed: Uint8Array, bytesMax: number): Uint8Array {
  if (sealed.length <= bytesMax) return sealed;
  const end = versionEnd(sealed);
  return end > recordHeaderBytes ? sealed.subarray(0, end) : sealed;
}

/** Whether this is the head of that very record, and there is no more to it. */
export function isHeadOf(sealed: Uint8Array, head: Uint8Array, recordBytes: number): boolean {
  return sealed.length === recordBytes && head.length === versionEnd(sealed) && startsWith(sealed, head, head.length);
}

/**
 * What the head of a record of `recordBytes` bytes says next to a record: it is the `same`; an `older` one, whose merge
 * would change nothing; or `news`: newer, concurrent, or another record of the same version, and only the whole of it
 * tells. Throws `RecordError` if it is no head.
 */
export function compareHead(sealed: Uint8Array, head: Uint8Array, recordBytes: number): "same" | "older" | "news" {
  if (head.length <= recordHeaderBytes) throw new RecordError("the head of a record holds its version");
  if (isHeadOf(sealed, head, recordBytes)) return "same";
  const order = compareVersions(versionOfSealed(head), versionOfSealed(sealed));
  if (order === "equal" && canary("digest-without-siblings")) return "same";
  return order === "before" ? "older" : "news";
}

/** Where the version ends, which a canonical body starts with; the end of the header if there is none. */
function versionEnd(sealed: Uint8Array): number {
  let at = recordHeaderBytes;
  if (sealed.length < at + 2 || sealed[at] !== 0x0a) return Math.min(at, sealed.length);
  let length = 0;
  for (let shift = 0; shift < 21; shift += 7) {
    at += 1;
    const byte = sealed[at] ?? 0;
    length |= (byte & 0x7f) << shift;
    if (byte < 0x80) break;
  }
  return Math.min(at + 1 + length, sealed.length);
}

/**
 * The merge of two sealed records. Returns `stored` or `incoming` itself where that is the merge, which spares encoding
 * and checksum: copies of one write, and a write on top of what is stored, are nearly all that a replica sees, and are
 * recognised on the bytes. Else new pooled bytes. Throws `RecordError` if either is no record.
 */
export function mergeSealed(stored: Uint8Array, incoming: Uint8Array): Uint8Array {
  if (equalSealed(stored, incoming)) return stored;
  const newer = newerRecord(stored, incoming);
  if (newer !== null) return newer;
  const mine = openRecord(stored);
  const theirs = openRecord(incoming);
  const merged = mine.merge(theirs);
  if (merged === mine) return stored;
  if (merged === theirs) return incoming;
  return sealRecord(merged);
}
