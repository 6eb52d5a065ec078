/** Hashes against official vectors, against the plain second implementation, and pinned key hashes. */
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { utf8 } from "../../../src/base/bytes.ts";
import { fullKeyOf } from "../../../src/base/full-key.ts";
import { Hash64, hashBytes, hashKey, SipKey, sipHash } from "../../../src/base/hash.ts";
import { naiveMurmur128, naiveSipHash } from "../../support/naive-hash.ts";
import { fromHex, hash64Hex, readVectors } from "../../support/vectors.ts";

const out = new Hash64();

function hex32(word: bigint): string {
  return word.toString(16).padStart(8, "0");
}

describe("MurmurHash3 x86_128, first 64 bits", () => {
  it("the naive twin passes SMHasher's verification, so that it may judge", () => {
    // As SMHasher does: hash the keys {}, {0}, {0,1}, ... with seeds 256 - i, then hash the 256 results.
    const results = new Uint8Array(256 * 16);
    const put = (at: number, words: readonly bigint[]): void => {
      words.forEach((word, lane) => {
        for (let i = 0; i < 4; i += 1) results[at + 4 * lane + i] = Number((word >> BigInt(8 * i)) & 0xffn);
      });
    };
    for (let i = 0; i < 256; i += 1) {
      put(
        16 * i,
        naiveMurmur128(
          Uint8Array.from({ length: i }, (_, j) => j),
          256 - i,
        ),
      );
    }
    expect(naiveMurmur128(results, 0)[0]).toBe(0xb3ece62an);
  });

  it("agrees with the naive twin on any range and seed", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(20), fc.nat(20), fc.integer(), (bytes, a, b, seed) => {
        const start = Math.min(a, bytes.length);
        const end = Math.max(start, bytes.length - b);
        hashBytes(bytes, start, end, seed, out);
        const [h1, h2] = naiveMurmur128(bytes.subarray(start, end), seed);
        expect(hash64Hex(out)).toBe(hex32(h1) + hex32(h2));
      }),
      { numRuns: 300 },
    );
  });

  it("gives the fixed vectors", () => {
    const vectors = readVectors<{ text: string; seed: number; hash: string }[]>("murmur3-x86-128");
    expect(vectors.length).toBeGreaterThan(20);
    for (const { text, seed, hash } of vectors) {
      const bytes = utf8(text);
      hashBytes(bytes, 0, bytes.length, seed, out);
      expect(hash64Hex(out), text).toBe(hash);
    }
  });

  it("places keys where they have always been", () => {
    const vectors = readVectors<{ bucket: string; key: string; fullKey: string; hash: string }[]>("key-hashes");
    expect(vectors.length).toBeGreaterThan(10);
    for (const { bucket, key, fullKey, hash } of vectors) {
      const full = fullKeyOf(utf8(bucket), utf8(key));
      expect(full).toEqual(fromHex(fullKey));
      hashKey(full, out);
      expect(hash64Hex(out), `${bucket}/${key}`).toBe(hash);
    }
  });
});

describe("SipHash-2-4", () => {
  const key16 = Uint8Array.from({ length: 16 }, (_, i) => i);

  it("gives the 64 official vectors", () => {
    const vectors = readVectors<string[]>("siphash-2-4");
    expect(vectors.length).toBe(64);
    const key = new SipKey(key16);
    vectors.forEach((hash, length) => {
      const bytes = Uint8Array.from({ length }, (_, i) => i);
      sipHash(key, bytes, 0, length, out);
      const digest = new Uint8Array(8);
      new DataView(digest.buffer).setUint32(0, out.low, true);
      new DataView(digest.buffer).setUint32(4, out.high, true);
      expect(digest, `length ${length}`).toEqual(fromHex(hash));
    });
  });

  it("agrees with the naive twin under any key, on any range", () => {
    const key = fc.uint8Array({ minLength: 16, maxLength: 16 });
    fc.assert(
      fc.property(key, fc.uint8Array({ maxLength: 100 }), fc.nat(10), (key16, bytes, from) => {
        const start = Math.min(from, bytes.length);
        sipHash(new SipKey(key16), bytes, start, bytes.length, out);
        expect(hash64Hex(out)).toBe(naiveSipHash(key16, bytes.subarray(start)).toString(16).padStart(16, "0"));
      }),
      { numRuns: 300 },
    );
  });

  it("takes a key of 16 bytes only, and ranges within the bytes only", () => {
    expect(() => new SipKey(new Uint8Array(15))).toThrow("16 bytes");
    expect(() => sipHash(new SipKey(key16), new Uint8Array(3), 0, 4, out)).toThrow("within");
    expect(() => hashBytes(new Uint8Array(3), 2, 1, 0, out)).toThrow("within");
  });
});
