/**
 * Disk keys: what lies where in the engine's one ordered keyspace. The first byte is the kind; integers are big-endian,
 * so that byte order is numeric order.
 *
 *   format stamp   01                                          what wrote this store
 *   sync marker    02                                          written with each sync: u64, the oldest segment of the write-ahead log that is needed; all before it is here
 *   batch number   03 | u16 slot                               of the number, which shows a hole in the log: u64 number, then the leaves that the batch touched
 *   leaf           04 | u8 n | u16 partition | u16 leaf        a Merkle leaf that the batches' slots no longer tell: u64
 *   hint           05 | u64 key hash | full key | u16 target   all hints of one key lie together: u32 second, sealed record
 *   hint list      06 | u16 target | u64 key hash | full key   the same hints by target, without their records: u32 second, u32 bytes
 *   record         10 | u64 key hash | full key
 *
 * Records lie in hash order: whatever Q is, a partition is one contiguous range, and the records of a Merkle leaf (the
 * 12 hash bits after the partition's) are a contiguous part of it. A hint has two keys, written and deleted together: a
 * put must see all hints of its key in one short scan, and delivery all hints of its target.
 */
import { assert } from "../base/assert.ts";
import { takeBytes } from "../base/pool.ts";

/** The first byte of a disk key. */
export const KeyKind: Readonly<{
  format: 1;
  syncMarker: 2;
  batchNumber: 3;
  leaf: 4;
  hint: 5;
  hintList: 6;
  record: 0x10;
}> = {
  format: 1,
  syncMarker: 2,
  batchNumber: 3,
  leaf: 4,
  hint: 5,
  hintList: 6,
  record: 0x10,
};

/** Leaves of one Merkle tree: 2^12. */
export const leavesPerTree = 4096;
/** Batch numbers are kept modulo this. */
export const batchSlots = 65_536;

const hashOffset = 1;
const fullKeyOffset = 9;
const targetBytes = 2;
const secondBytes = 4;
/** In a key of the hint list: after the kind and the target. */
const listedHashOffset = 1 + targetBytes;
const listedFullKeyOffset = listedHashOffset + 8;

function putU32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
}

function getU32(bytes: Uint8Array, at: number): number {
  const high = ((bytes[at] as number) << 24) | ((bytes[at + 1] as number) << 16);
  return (high | ((bytes[at + 2] as number) << 8) | (bytes[at + 3] as number)) >>> 0;
}

function getU16(bytes: Uint8Array, at: number): number {
  return ((bytes[at] as number) << 8) | (bytes[at + 1] as number);
}

/** How many hash bits name the partition: log2 of Q. Q is a power of two, at most 16,384. */
export function partitionBitsOf(partitions: number): number {
  const bits = 31 - Math.clz32(partitions);
  assert(partitions === 1 << bits && bits <= 14, "Q must be a power of two up to 16,384");
  return bits;
}

/** The partition of a key hash. */
export function partitionOfHash(hashHigh: number, partitionBits: number): number {
  return partitionBits === 0 ? 0 : hashHigh >>> (32 - partitionBits);
}

/** The Merkle leaf of a key hash: the 12 bits after the partition's. */
export function leafOfHash(hashHigh: number, partitionBits: number): number {
  return (hashHigh << partitionBits) >>> 20;
}

function keyWithHash(kind: number, hashHigh: number, hashLow: number, fullKey: Uint8Array, extra: number): Uint8Array {
  const key = takeBytes(fullKeyOffset + fullKey.length + extra);
  key[0] = kind;
  putU32(key, hashOffset, hashHigh);
  putU32(key, hashOffset + 4, hashLow);
  key.set(fullKey, fullKeyOffset);
  return key;
}

/** The disk key of a record, in pooled memory. */
export function recordKey(fullKey: Uint8Array, hashHigh: number, hashLow: number): Uint8Array {
  return keyWithHash(KeyKind.record, hashHigh, hashLow, fullKey, 0);
}

/** The full key inside a record's disk key: a view. */
export function fullKeyOfRecord(key: Uint8Array): Uint8Array {
  return key.subarray(fullKeyOffset);
}

/** The full key inside a hint's disk key: a view. */
export function fullKeyOfHint(key: Uint8Array): Uint8Array {
  return key.subarray(fullKeyOffset, key.length - targetBytes);
}

/** The high half of the key hash inside a record's or hint's disk key. */
export function hashHighOf(key: Uint8Array): number {
  return getU32(key, hashOffset);
}

/** The low half of the key hash inside a record's or hint's disk key. */
export function hashLowOf(key: Uint8Array): number {
  return getU32(key, hashOffset + 4);
}

/** The disk key of the hint that `target` is owed under a key. */
export function hintKey(fullKey: Uint8Array, hashHigh: number, hashLow: number, target: number): Uint8Array {
  const key = keyWithHash(KeyKind.hint, hashHigh, hashLow, fullKey, targetBytes);
  key[key.length - 2] = target >>> 8;
  key[key.length - 1] = target;
  return key;
}

/** The node number that a hint's disk key ends with. */
export function targetOfHint(key: Uint8Array): number {
  return getU16(key, key.length - targetBytes);
}

/** What a hint's disk key holds: when it was first kept, and the sealed record; in pooled memory. */
export function hintValue(second: number, sealed: Uint8Array): Uint8Array {
  const value = takeBytes(secondBytes + sealed.length);
  putU32(value, 0, second);
  value.set(sealed, secondBytes);
  return value;
}

/** When a hint was first kept, from its value. */
export function secondOfHint(value: Uint8Array): number {
  return value.length < secondBytes ? 0 : getU32(value, 0);
}

/** The sealed record in a hint's value: a view. */
export function sealedOfHint(value: Uint8Array): Uint8Array {
  return value.subarray(secondBytes);
}

/** The disk key under which the list of a target's hints names a key, in pooled memory. */
export function hintListKey(fullKey: Uint8Array, hashHigh: number, hashLow: number, target: number): Uint8Array {
  const key = takeBytes(listedFullKeyOffset + fullKey.length);
  key[0] = KeyKind.hintList;
  key[1] = target >>> 8;
  key[2] = target;
  putU32(key, listedHashOffset, hashHigh);
  putU32(key, listedHashOffset + 4, hashLow);
  key.set(fullKey, listedFullKeyOffset);
  return key;
}

/** A hint, without its record. */
export interface HintEntry {
  readonly target: number;
  readonly fullKey: Uint8Array;
  readonly hashHigh: number;
  readonly hashLow: number;
  /** When it was first kept: seconds since 1970. */
  readonly second: number;
  /** Of its sealed record. */
  readonly bytes: number;
}

/** No record is longer. No checksum covers the list: a flipped bit must not make a hint too large to be sent. */
const listedBytesMax = 4 * 1024 * 1024;

/** What an entry of the hint list says; the full key is a view of `key`. */
export function hintEntryOf(key: Uint8Array, value: Uint8Array): HintEntry {
  return {
    target: getU16(key, 1),
    fullKey: key.subarray(listedFullKeyOffset),
    hashHigh: getU32(key, listedHashOffset),
    hashLow: getU32(key, listedHashOffset + 4),
    second: u64High(value),
    bytes: Math.min(u64Low(value), listedBytesMax),
  };
}

/** The hints of one target, or of all (0), in the hint list. */
export function hintListRange(target: number): KeyRange {
  if (target === 0) return kindRange(KeyKind.hintList);
  const bound = (at: number): Uint8Array => new Uint8Array([KeyKind.hintList, at >>> 8, at & 0xff]);
  return { from: bound(target), to: target === 0xffff ? kindRange(KeyKind.hintList).to : bound(target + 1) };
}

/** The disk key of one Merkle leaf, in pooled memory. */
export function leafKey(n: number, partition: number, leaf: number): Uint8Array {
  const key = takeBytes(6);
  key[0] = KeyKind.leaf;
  key[1] = n;
  key[2] = partition >>> 8;
  key[3] = partition;
  key[4] = leaf >>> 8;
  key[5] = leaf;
  return key;
}

/** What a leaf's disk key names. */
export function leafOfKey(key: Uint8Array): { n: number; partition: number; leaf: number } {
  return { n: key[1] as number, partition: getU16(key, 2), leaf: getU16(key, 4) };
}

/** The disk key under which batch `number` leaves its number. */
export function batchNumberKey(number: number): Uint8Array {
  const slot = number % batchSlots;
  const key = takeBytes(3);
  key[0] = KeyKind.batchNumber;
  key[1] = slot >>> 8;
  key[2] = slot;
  return key;
}

/** The slot a batch number's disk key names. */
export function slotOfKey(key: Uint8Array): number {
  return getU16(key, 1);
}

/** The disk key of the format stamp. */
export function formatKey(): Uint8Array {
  return new Uint8Array([KeyKind.format]);
}

/** The disk key that an engine writes with each sync. */
export function syncMarkerKey(): Uint8Array {
  return new Uint8Array([KeyKind.syncMarker]);
}

/** What lies under it. */
export function syncMarkerValue(oldestSegment: number): Uint8Array {
  return u64Bytes(Math.floor(oldestSegment / 0x1_0000_0000), oldestSegment);
}

/** The oldest segment that a sync marker says is needed; 0: it says nothing, being of an earlier version. */
export function oldestSegmentOf(value: Uint8Array): number {
  return value.length === 8 ? u64High(value) * 0x1_0000_0000 + u64Low(value) : 0;
}

/** Eight bytes of two unsigned halves, in pooled memory: what a leaf, a batch number and an entry of the hint list hold. */
export function u64Bytes(high: number, low: number): Uint8Array {
  const bytes = takeBytes(8);
  putU32(bytes, 0, high);
  putU32(bytes, 4, low);
  return bytes;
}

/** The high half of eight bytes. */
export function u64High(bytes: Uint8Array): number {
  return getU32(bytes, 0);
}

/** The low half of eight bytes. */
export function u64Low(bytes: Uint8Array): number {
  return getU32(bytes, 4);
}

/** Keys `from` <= key < `to`. */
export interface KeyRange {
  readonly from: Uint8Array;
  readonly to: Uint8Array;
}

/** All keys of one kind. */
export function kindRange(kind: number): KeyRange {
  return { from: new Uint8Array([kind]), to: new Uint8Array([kind + 1]) };
}

function hashBound(hashHigh: number): Uint8Array {
  const key = new Uint8Array(5);
  if (hashHigh > 0xffff_ffff) return new Uint8Array([KeyKind.record + 1]);
  key[0] = KeyKind.record;
  putU32(key, hashOffset, hashHigh);
  return key;
}

/** The records of one partition. */
export function partitionRange(partition: number, partitions: number): KeyRange {
  const width = 0x1_0000_0000 / partitions;
  return { from: hashBound(partition * width), to: hashBound((partition + 1) * width) };
}

/** The records under one Merkle leaf of a partition. */
export function leafRange(partition: number, leaf: number, partitions: number): KeyRange {
  const width = 0x1_0000_0000 / partitions;
  const step = width / leavesPerTree;
  const from = partition * width + leaf * step;
  return { from: hashBound(from), to: hashBound(from + step) };
}

/** The hints of one key, and those of any longer key that begins with it under the same hash: compare lengths. */
export function hintRange(fullKey: Uint8Array, hashHigh: number, hashLow: number): KeyRange {
  const from = hintKey(fullKey, hashHigh, hashLow, 0);
  const to = new Uint8Array(from.length + 1);
  to.set(from);
  to.fill(0xff, from.length - targetBytes);
  return { from, to };
}

/** The smallest key after `key`: where a paged scan goes on. */
export function keyAfter(key: Uint8Array): Uint8Array {
  const next = new Uint8Array(key.length + 1);
  next.set(key);
  return next;
}
