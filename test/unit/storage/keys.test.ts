/** Disk keys: byte order is the order of what they name, and every range holds just what it should. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { compareBytes, hexOf, utf8 } from "../../../src/base/bytes.ts";
import {
  batchNumberKey,
  fullKeyOfRecord,
  hashHighOf,
  hashLowOf,
  hintEntryOf,
  hintKey,
  hintListKey,
  hintListRange,
  hintRange,
  hintValue,
  type KeyRange,
  keyAfter,
  leafKey,
  leafOfHash,
  leafOfKey,
  leafRange,
  partitionBitsOf,
  partitionOfHash,
  partitionRange,
  recordKey,
  sealedOfHint,
  secondOfHint,
  slotOfKey,
  targetOfHint,
  u64Bytes,
} from "../../../src/storage/keys.ts";

const word = fc.integer({ min: 0, max: 0xffff_ffff });
const fullKey = fc.uint8Array({ minLength: 3, maxLength: 12 });
const bits = fc.integer({ min: 0, max: 14 });

function holds(range: KeyRange, key: Uint8Array): boolean {
  return compareBytes(range.from, key) <= 0 && compareBytes(key, range.to) < 0;
}

describe("disk keys", () => {
  test("are these bytes", () => {
    expect(hexOf(recordKey(utf8("k"), 0x01020304, 0xf5060708))).toBe("1001020304f50607086b");
    expect(hexOf(hintKey(utf8("k"), 1, 2, 0x0304))).toBe("0500000001000000026b0304");
    expect(hexOf(hintListKey(utf8("k"), 1, 2, 0x0304))).toBe("06030400000001000000026b");
    expect(hexOf(hintValue(0x01020304, utf8("v")))).toBe("0102030476");
    expect(hexOf(leafKey(3, 0x0102, 0x0f04))).toBe("040301020f04");
    expect(hexOf(batchNumberKey(65_536 + 0x0102))).toBe("030102");
  });

  test("give back what they were made of", () => {
    fc.assert(
      fc.property(word, word, fullKey, fc.integer({ min: 0, max: 0xffff }), (high, low, key, target) => {
        const record = recordKey(key, high, low);
        expect([hashHighOf(record), hashLowOf(record), hexOf(fullKeyOfRecord(record))]).toEqual([
          high,
          low,
          hexOf(key),
        ]);
        expect(targetOfHint(hintKey(key, high, low, target))).toBe(target);
        const entry = hintEntryOf(hintListKey(key, high, low, target), u64Bytes(low, high));
        const bytes = Math.min(high, 4 * 1024 * 1024);
        expect(entry).toEqual({ target, fullKey: key, hashHigh: high, hashLow: low, second: low, bytes });
        expect([secondOfHint(hintValue(high, key)), sealedOfHint(hintValue(high, key))]).toEqual([high, key]);
      }),
    );
    expect(leafOfKey(leafKey(3, 1023, 4095))).toEqual({ n: 3, partition: 1023, leaf: 4095 });
    expect(slotOfKey(batchNumberKey(70_000))).toBe(70_000 - 65_536);
  });

  test("a record lies in the range of its partition and of its leaf, and in no other", () => {
    fc.assert(
      fc.property(word, word, fullKey, bits, (high, low, key, partitionBits) => {
        const partitions = 1 << partitionBits;
        const partition = partitionOfHash(high, partitionBits);
        const leaf = leafOfHash(high, partitionBits);
        const record = recordKey(key, high, low);
        expect(holds(partitionRange(partition, partitions), record)).toBe(true);
        expect(holds(leafRange(partition, leaf, partitions), record)).toBe(true);
        expect(holds(leafRange(partition, (leaf + 1) % 4096, partitions), record)).toBe(false);
        if (partitions > 1) {
          expect(holds(partitionRange((partition + 1) % partitions, partitions), record)).toBe(false);
        }
      }),
    );
  });

  test("partition ranges meet without a gap, and end with the last record", () => {
    for (const partitions of [1, 2, 1024, 16_384]) {
      for (const partition of [0, 1, partitions - 2].filter((at) => at >= 0 && at + 1 < partitions)) {
        const range = partitionRange(partition, partitions);
        expect(hexOf(range.to)).toBe(hexOf(partitionRange(partition + 1, partitions).from));
      }
      expect(hexOf(partitionRange(partitions - 1, partitions).to)).toBe("11");
    }
  });

  test("the range of a key's hints holds all of its targets", () => {
    fc.assert(
      fc.property(word, word, fullKey, fc.integer({ min: 0, max: 0xffff }), (high, low, key, target) => {
        expect(holds(hintRange(key, high, low), hintKey(key, high, low, target))).toBe(true);
        expect(holds(hintRange(key, high, low), hintKey(key, high, low ^ 1, target))).toBe(false);
      }),
    );
  });

  test("a target's list holds its own hints and nobody else's; that of target 0 holds all", () => {
    const number = fc.integer({ min: 1, max: 0xffff });
    fc.assert(
      fc.property(word, word, fullKey, number, number, (high, low, key, target, other) => {
        const listed = hintListKey(key, high, low, target);
        expect(holds(hintListRange(other), listed)).toBe(target === other);
        expect([holds(hintListRange(target), listed), holds(hintListRange(0), listed)]).toEqual([true, true]);
      }),
    );
    expect(hexOf(hintListRange(0xffff).to)).toBe("07");
  });

  test("nothing lies between a key and the one after it", () => {
    expect(compareBytes(utf8("k"), keyAfter(utf8("k")))).toBeLessThan(0);
    expect(hexOf(keyAfter(utf8("k")))).toBe("6b00");
  });

  test("Q is a power of two", () => {
    expect([1, 64, 16_384].map(partitionBitsOf)).toEqual([0, 6, 14]);
    for (const wrong of [0, 3, 1000, 32_768]) expect(() => partitionBitsOf(wrong)).toThrow("power of two");
  });
});
