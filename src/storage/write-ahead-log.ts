/**
 * WriteAheadLog: the node's own log of records, written before they are acknowledged and kept until the engine holds
 * them. It lies beside the engine because an engine write is a trip to another thread and may wait for a flush or a
 * compaction; an append is one system call of a few microseconds, and a write that is in the log can go to the engine
 * later, in a large batch, and once for many changes of its key (Dynamo 6.1).
 *
 * A segment is a run of entries. Integers are little-endian:
 *
 *   u32 bytes after the first 8 | u32 CRC-32C of the fields up to the record
 *   u8 kind | u8 n | u16 partition | u16 key length | u16 zero | u32 hash high | u32 hash low | full key | sealed record
 *
 * Kind 1: the record as it is after a change. Kind 2: the record that was forgotten, and is there no more.
 * Kind 3, alone and with nothing else in its fields: the segment has ended, and another one follows.
 *
 * The record has a checksum of its own in its seal. Only the newest segment can end torn. Suite: test/conformance/write-ahead-log.ts.
 */
import { equalBytes } from "../base/bytes.ts";
import { crc32c } from "../base/crc32c.ts";
import type { Instant } from "../base/time.ts";
import { readWord, writeWord } from "../base/words.ts";

/** Told when a sync is done. */
export interface WriteAheadLogEvents {
  /** Everything appended before that `sync` is on stable storage, or the sync failed (fatal to the node). */
  onLogSynced(now: Instant, token: number, error: string | null): void;
}

/** The host's side: one per node. Segments are numbered from 1, in the order of time. */
export interface WriteAheadLog {
  attach(events: WriteAheadLogEvents): void;
  /** The segments there are, oldest first. */
  segments(): readonly number[];
  /** A segment's bytes, or why they cannot be read. Used before the first `begin` only. */
  read(segment: number): Uint8Array | string;
  /** Begins a segment: later appends go there. Null, or what went wrong (fatal). */
  begin(segment: number): string | null;
  /** Hands `bytes[0..length)` to the operating system before it returns: they survive kill -9, not a power cut. Null, or what went wrong (fatal). */
  append(bytes: Uint8Array, length: number): string | null;
  /** Makes what was appended durable, in whatever segment it is, and what was removed stay away. One at a time. */
  sync(token: number): void;
  /** Removes a segment; until a later sync a power cut may bring it back. Null, or what went wrong (fatal). */
  remove(segment: number): string | null;
  /** Ends it; nothing is asked of it afterwards. */
  close(): void;
}

/** The kinds of entries. */
const recordKind = 1;
const forgottenKind = 2;
const endKind = 3;
const headBytes = 8;
const fieldBytes = 16;

/** What is logged of a write. */
export interface LogEntry {
  readonly n: number;
  readonly partition: number;
  readonly hashHigh: number;
  readonly hashLow: number;
  readonly fullKey: Uint8Array;
  readonly sealed: Uint8Array;
  /** The key has no record any more; `sealed` is the one that went. */
  readonly forgotten: boolean;
}

/** The bytes that an entry takes. */
export function logEntryBytes(fullKey: Uint8Array, sealed: Uint8Array): number {
  return headBytes + fieldBytes + fullKey.length + sealed.length;
}

/** Writes an entry at `at`, where there is room for it; returns where it ends. */
export function putLogEntry(out: Uint8Array, at: number, entry: LogEntry): number {
  const { fullKey, sealed } = entry;
  const fields = at + headBytes;
  out[fields] = entry.forgotten ? forgottenKind : recordKind;
  out[fields + 1] = entry.n;
  putU16(out, fields + 2, entry.partition);
  putU16(out, fields + 4, fullKey.length);
  putU16(out, fields + 6, 0);
  writeWord(out, fields + 8, entry.hashHigh);
  writeWord(out, fields + 12, entry.hashLow);
  out.set(fullKey, fields + fieldBytes);
  const record = fields + fieldBytes + fullKey.length;
  out.set(sealed, record);
  writeWord(out, at, record + sealed.length - fields);
  writeWord(out, at + 4, crc32c(out, fields, record));
  return record + sealed.length;
}

/** The last entry of a segment that another one follows. */
export function logEnd(): Uint8Array {
  const end = new Uint8Array(headBytes + fieldBytes);
  end[headBytes] = endKind;
  writeWord(end, 0, fieldBytes);
  writeWord(end, 4, crc32c(end, headBytes, end.length));
  return end;
}

/** Whether the segment ends as one does that another one follows: a shorter one has lost its end. */
export function hasLogEnd(segment: Uint8Array): boolean {
  const end = logEnd();
  return segment.length >= end.length && equalBytes(segment.subarray(segment.length - end.length), end);
}

/**
 * Reads a segment: `visit` is given each entry but its end, whose bytes are views. Returns where the good entries stop; less
 * than the segment's length means that what follows is torn or damaged. The records' own checksums are the caller's to verify.
 */
export function readLogEntries(segment: Uint8Array, visit: (entry: LogEntry) => void): number {
  let at = 0;
  while (segment.length - at >= headBytes + fieldBytes) {
    const fields = at + headBytes;
    const end = fields + (readWord(segment, at) >>> 0);
    const keyEnd = fields + fieldBytes + getU16(segment, fields + 4);
    const kind = segment[fields] as number;
    if (end > segment.length || keyEnd > end || kind < recordKind || kind > endKind) return at;
    if (crc32c(segment, fields, keyEnd) !== readWord(segment, at + 4) >>> 0) return at;
    if (kind === endKind) return end;
    visit({
      n: segment[fields + 1] as number,
      partition: getU16(segment, fields + 2),
      hashHigh: readWord(segment, fields + 8) >>> 0,
      hashLow: readWord(segment, fields + 12) >>> 0,
      fullKey: segment.subarray(fields + fieldBytes, keyEnd),
      sealed: segment.subarray(keyEnd, end),
      forgotten: kind === forgottenKind,
    });
    at = end;
  }
  return at;
}

function putU16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value & 0xff;
  bytes[at + 1] = value >>> 8;
}

function getU16(bytes: Uint8Array, at: number): number {
  return (bytes[at] as number) | ((bytes[at + 1] as number) << 8);
}
