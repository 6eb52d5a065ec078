/**
 * Two 64-bit hashes in 32-bit lanes, without an allocation: MurmurHash3 x86_128 cut to its first 64 bits, which places
 * keys on the ring and sums up Merkle leaves, and SipHash-2-4, the keyed tag of a context. A result is two u32 in an
 * object that the caller reuses, because a JavaScript number holds 53 bits and a BigInt is an allocation.
 *
 * Both are fixed for ever by test/vectors: the ring names the hash function, contexts and leaves depend on it.
 * Sources: MurmurHash3 by Austin Appleby; SipHash by Aumasson and Bernstein (INDOCRYPT 2012).
 */
import { assert } from "./assert.ts";
import { readWord } from "./words.ts";

/** 64 bits as two unsigned words: an out-parameter that its owner reuses. */
export class Hash64 {
  high = 0;
  low = 0;
}

const c1 = 0x239b961b;
const c2 = 0xab0e9789 | 0;
const c3 = 0x38b34ae5;
const c4 = 0xa1e38b93 | 0;

/** The ring's hash of a full key: `high` = h1 and `low` = h2 of MurmurHash3 x86_128 with seed 0. */
export function hashKey(fullKey: Uint8Array, out: Hash64): void {
  hashBytes(fullKey, 0, fullKey.length, 0, out);
}

/** The first 64 bits of MurmurHash3 x86_128 of bytes[start..end). Not for untrusted parties: collisions can be made. */
export function hashBytes(bytes: Uint8Array, start: number, end: number, seed: number, out: Hash64): void {
  assert(start >= 0 && start <= end && end <= bytes.length, "hashed range lies within the bytes");
  const blocksEnd = start + ((end - start) & ~15);
  let h1 = seed | 0;
  let h2 = h1;
  let h3 = h1;
  let h4 = h1;
  for (let at = start; at < blocksEnd; at += 16) {
    h1 ^= scramble(readWord(bytes, at), c1, 15, c2);
    h1 = (Math.imul((rotate(h1, 19) + h2) | 0, 5) + 0x561ccd1b) | 0;
    h2 ^= scramble(readWord(bytes, at + 4), c2, 16, c3);
    h2 = (Math.imul((rotate(h2, 17) + h3) | 0, 5) + 0x0bcaa747) | 0;
    h3 ^= scramble(readWord(bytes, at + 8), c3, 17, c4);
    h3 = (Math.imul((rotate(h3, 15) + h4) | 0, 5) + 0x96cd1c35) | 0;
    h4 ^= scramble(readWord(bytes, at + 12), c4, 18, c1);
    h4 = (Math.imul((rotate(h4, 13) + h1) | 0, 5) + 0x32ac3b17) | 0;
  }
  // The tail, as if padded with zeros: a word of zeros changes nothing.
  h1 ^= scramble(tailWordAt(bytes, blocksEnd, end), c1, 15, c2);
  h2 ^= scramble(tailWordAt(bytes, blocksEnd + 4, end), c2, 16, c3);
  h3 ^= scramble(tailWordAt(bytes, blocksEnd + 8, end), c3, 17, c4);
  h4 ^= scramble(tailWordAt(bytes, blocksEnd + 12, end), c4, 18, c1);

  const length = end - start;
  h1 ^= length;
  h2 ^= length;
  h3 ^= length;
  h4 ^= length;
  h1 = (h1 + h2 + h3 + h4) | 0;
  const f1 = avalanche(h1);
  const f2 = avalanche((h2 + h1) | 0);
  const f3 = avalanche((h3 + h1) | 0);
  const f4 = avalanche((h4 + h1) | 0);
  const high = (f1 + f2 + f3 + f4) | 0;
  out.high = high >>> 0;
  out.low = (f2 + high) >>> 0;
}

function rotate(word: number, by: number): number {
  return (word << by) | (word >>> (32 - by));
}

function scramble(word: number, first: number, by: number, second: number): number {
  return Math.imul(rotate(Math.imul(word, first), by), second);
}

function avalanche(word: number): number {
  let h = word;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}

/** The little-endian word at `at`, with zeros for what lies at or behind `end`. */
function tailWordAt(bytes: Uint8Array, at: number, end: number): number {
  if (at + 4 <= end) return readWord(bytes, at);
  let word = 0;
  for (let i = at; i < end; i += 1) word |= (bytes[i] as number) << (8 * (i - at));
  return word;
}

/** A SipHash key of 16 bytes, unpacked once. The bytes are not kept. */
export class SipKey {
  readonly low0: number;
  readonly high0: number;
  readonly low1: number;
  readonly high1: number;

  constructor(key16: Uint8Array) {
    assert(key16.length === 16, "a SipHash key has 16 bytes");
    this.low0 = readWord(key16, 0);
    this.high0 = readWord(key16, 4);
    this.low1 = readWord(key16, 8);
    this.high1 = readWord(key16, 12);
  }
}

// v0..v3 as low and high words. One state for all calls: nothing here is re-entered.
const state = new Int32Array(8);

/** SipHash-2-4 of bytes[start..end) under `key`, read as the little-endian 64-bit number of the official vectors. */
export function sipHash(key: SipKey, bytes: Uint8Array, start: number, end: number, out: Hash64): void {
  assert(start >= 0 && start <= end && end <= bytes.length, "hashed range lies within the bytes");
  state[0] = key.low0 ^ 0x70736575;
  state[1] = key.high0 ^ 0x736f6d65;
  state[2] = key.low1 ^ 0x6e646f6d;
  state[3] = key.high1 ^ 0x646f7261;
  state[4] = key.low0 ^ 0x6e657261;
  state[5] = key.high0 ^ 0x6c796765;
  state[6] = key.low1 ^ 0x79746573;
  state[7] = key.high1 ^ 0x74656462;
  const blocksEnd = start + ((end - start) & ~7);
  for (let at = start; at < blocksEnd; at += 8) absorb(readWord(bytes, at), readWord(bytes, at + 4));
  absorb(tailWordAt(bytes, blocksEnd, end), tailWordAt(bytes, blocksEnd + 4, end) | ((end - start) << 24));
  state[4] = (state[4] as number) ^ 0xff;
  rounds(4);
  out.low = ((state[0] as number) ^ (state[2] as number) ^ (state[4] as number) ^ (state[6] as number)) >>> 0;
  out.high = ((state[1] as number) ^ (state[3] as number) ^ (state[5] as number) ^ (state[7] as number)) >>> 0;
}

function absorb(low: number, high: number): void {
  state[6] = (state[6] as number) ^ low;
  state[7] = (state[7] as number) ^ high;
  rounds(2);
  state[0] = (state[0] as number) ^ low;
  state[1] = (state[1] as number) ^ high;
}

/** 1 if adding to `term` wrapped around to `sum`. */
function carry(sum: number, term: number): number {
  return sum >>> 0 < term >>> 0 ? 1 : 0;
}

/** `count` SipRounds; aN and bN are the low and high word of vN. */
function rounds(count: number): void {
  let a0 = state[0] as number;
  let b0 = state[1] as number;
  let a1 = state[2] as number;
  let b1 = state[3] as number;
  let a2 = state[4] as number;
  let b2 = state[5] as number;
  let a3 = state[6] as number;
  let b3 = state[7] as number;
  for (let i = 0; i < count; i += 1) {
    a0 = (a0 + a1) | 0; // v0 += v1; v1 = rotl(v1, 13) ^ v0; v0 = rotl(v0, 32), which swaps its words
    b0 = (b0 + b1 + carry(a0, a1)) | 0;
    let turned = ((a1 << 13) | (b1 >>> 19)) ^ a0;
    b1 = ((b1 << 13) | (a1 >>> 19)) ^ b0;
    a1 = turned;
    turned = a0;
    a0 = b0;
    b0 = turned;
    a2 = (a2 + a3) | 0; // v2 += v3; v3 = rotl(v3, 16) ^ v2
    b2 = (b2 + b3 + carry(a2, a3)) | 0;
    turned = ((a3 << 16) | (b3 >>> 16)) ^ a2;
    b3 = ((b3 << 16) | (a3 >>> 16)) ^ b2;
    a3 = turned;
    a0 = (a0 + a3) | 0; // v0 += v3; v3 = rotl(v3, 21) ^ v0
    b0 = (b0 + b3 + carry(a0, a3)) | 0;
    turned = ((a3 << 21) | (b3 >>> 11)) ^ a0;
    b3 = ((b3 << 21) | (a3 >>> 11)) ^ b0;
    a3 = turned;
    a2 = (a2 + a1) | 0; // v2 += v1; v1 = rotl(v1, 17) ^ v2; v2 = rotl(v2, 32)
    b2 = (b2 + b1 + carry(a2, a1)) | 0;
    turned = ((a1 << 17) | (b1 >>> 15)) ^ a2;
    b1 = ((b1 << 17) | (a1 >>> 15)) ^ b2;
    a1 = turned;
    turned = a2;
    a2 = b2;
    b2 = turned;
  }
  state[0] = a0;
  state[1] = b0;
  state[2] = a1;
  state[3] = b1;
  state[4] = a2;
  state[5] = b2;
  state[6] = a3;
  state[7] = b3;
}
