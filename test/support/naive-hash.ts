/**
 * The hashes a second time, as their papers write them: 64-bit words as BigInt, all 128 bits of MurmurHash3, a CRC bit
 * by bit. Slow and plain, so that a reader can hold them against the reference; the fast ones are held against these.
 */

const mask32 = 0xffff_ffffn;
const mask64 = 0xffff_ffff_ffff_ffffn;

function rotl32(x: bigint, r: bigint): bigint {
  return ((x << r) | (x >> (32n - r))) & mask32;
}

function fmix32(x: bigint): bigint {
  let h = x;
  h ^= h >> 16n;
  h = (h * 0x85ebca6bn) & mask32;
  h ^= h >> 13n;
  h = (h * 0xc2b2ae35n) & mask32;
  return h ^ (h >> 16n);
}

function littleEndian(bytes: Uint8Array): bigint {
  let value = 0n;
  for (let i = bytes.length - 1; i >= 0; i -= 1) value = (value << 8n) | BigInt(bytes[i] as number);
  return value;
}

const c = [0x239b961bn, 0xab0e9789n, 0x38b34ae5n, 0xa1e38b93n] as const;
const scrambleBy = [15n, 16n, 17n, 18n] as const;
const mixBy = [19n, 17n, 15n, 13n] as const;
const mixAdd = [0x561ccd1bn, 0x0bcaa747n, 0x96cd1c35n, 0x32ac3b17n] as const;

/** MurmurHash3 x86_128: its four words h1..h4. */
export function naiveMurmur128(bytes: Uint8Array, seed: number): [bigint, bigint, bigint, bigint] {
  const h = [0, 0, 0, 0].map(() => BigInt(seed >>> 0));
  const scrambled = (k: bigint, lane: number): bigint =>
    (rotl32((k * (c[lane] as bigint)) & mask32, scrambleBy[lane] as bigint) * (c[(lane + 1) % 4] as bigint)) & mask32;
  const whole = bytes.length - (bytes.length % 16);
  for (let at = 0; at < whole; at += 16) {
    for (let lane = 0; lane < 4; lane += 1) {
      const k = littleEndian(bytes.subarray(at + 4 * lane, at + 4 * lane + 4));
      h[lane] = (h[lane] as bigint) ^ scrambled(k, lane);
      const turned = rotl32(h[lane] as bigint, mixBy[lane] as bigint) + (h[(lane + 1) % 4] as bigint);
      h[lane] = (turned * 5n + (mixAdd[lane] as bigint)) & mask32;
    }
  }
  for (let lane = 0; lane < 4; lane += 1) {
    const k = littleEndian(bytes.subarray(whole + 4 * lane, Math.min(whole + 4 * lane + 4, bytes.length)));
    h[lane] = (h[lane] as bigint) ^ scrambled(k, lane) ^ BigInt(bytes.length);
  }
  const spread = (): void => {
    h[0] = h.reduce((sum, word) => (sum + word) & mask32, 0n);
    for (let lane = 1; lane < 4; lane += 1) h[lane] = ((h[lane] as bigint) + (h[0] as bigint)) & mask32;
  };
  spread();
  for (let lane = 0; lane < 4; lane += 1) h[lane] = fmix32(h[lane] as bigint);
  spread();
  return h as [bigint, bigint, bigint, bigint];
}

function rotl64(x: bigint, r: bigint): bigint {
  return ((x << r) | (x >> (64n - r))) & mask64;
}

/** SipHash-2-4, section 2.1 of the paper. */
export function naiveSipHash(key16: Uint8Array, bytes: Uint8Array): bigint {
  const k0 = littleEndian(key16.subarray(0, 8));
  const k1 = littleEndian(key16.subarray(8, 16));
  let v0 = k0 ^ 0x736f6d6570736575n;
  let v1 = k1 ^ 0x646f72616e646f6dn;
  let v2 = k0 ^ 0x6c7967656e657261n;
  let v3 = k1 ^ 0x7465646279746573n;
  const round = (): void => {
    v0 = (v0 + v1) & mask64;
    v1 = rotl64(v1, 13n) ^ v0;
    v0 = rotl64(v0, 32n);
    v2 = (v2 + v3) & mask64;
    v3 = rotl64(v3, 16n) ^ v2;
    v0 = (v0 + v3) & mask64;
    v3 = rotl64(v3, 21n) ^ v0;
    v2 = (v2 + v1) & mask64;
    v1 = rotl64(v1, 17n) ^ v2;
    v2 = rotl64(v2, 32n);
  };
  const padded = new Uint8Array(bytes.length + 8 - (bytes.length % 8));
  padded.set(bytes);
  padded[padded.length - 1] = bytes.length & 0xff;
  for (let at = 0; at < padded.length; at += 8) {
    const m = littleEndian(padded.subarray(at, at + 8));
    v3 ^= m;
    round();
    round();
    v0 ^= m;
  }
  v2 ^= 0xffn;
  for (let i = 0; i < 4; i += 1) round();
  return v0 ^ v1 ^ v2 ^ v3;
}

/** CRC-32C, one bit at a time. */
export function naiveCrc32c(bytes: Uint8Array): number {
  let crc = 0xffff_ffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit += 1) crc = (crc >>> 1) ^ (crc & 1 ? 0x82f63b78 : 0);
  }
  return ~crc >>> 0;
}
