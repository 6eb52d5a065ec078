/** The object buffer against a plain map, and what it promises about memory and dirty entries. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { equalBytes, hexOf } from "../../../src/base/bytes.ts";
import { Hash64, hashKey } from "../../../src/base/hash.ts";
import { Rng } from "../../../src/base/rng.ts";
import { ObjectBuffer } from "../../../src/storage/object-buffer.ts";
import { fullKeyFor } from "../../support/store-rig.ts";

class Keyed {
  readonly fullKey: Uint8Array;
  readonly high: number;
  readonly low: number;

  /** `hashes`: how many different hashes the keys share; 0: their own. */
  constructor(name: string, hashes: number) {
    this.fullKey = fullKeyFor(name);
    const hash = new Hash64();
    hashKey(this.fullKey, hash);
    this.high = hashes === 0 ? hash.high : hash.high % hashes;
    this.low = hashes === 0 ? hash.low : hash.low % hashes;
  }
}

function bytesOf(length: number, fill: number): Uint8Array {
  return new Uint8Array(length).fill(fill);
}

describe("object buffer", () => {
  test("never holds anything but the newest record of a key, whatever the history and however hashes collide", () => {
    const step = fc.record({
      key: fc.nat(40),
      what: fc.constantFrom("put", "put", "put", "get", "evict", "dirty", "clean"),
      length: fc.integer({ min: 0, max: 900 }),
      fill: fc.nat(255),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 300 }), fc.constantFrom(0, 1, 3), (steps, hashes) => {
        const buffer = new ObjectBuffer(8192);
        const newest = new Map<number, string>();
        const dirty = new Map<number, number>();
        const keys = Array.from({ length: 41 }, (_, i) => new Keyed(`key${i}`, hashes));
        steps.forEach(({ key, what, length, fill }, i) => {
          const { fullKey, high, low } = keys[key] as Keyed;
          const token = 0x8000_0000 + i;
          if (what === "put" || what === "dirty") {
            const sealed = bytesOf(length, fill);
            const mark = what === "dirty" && buffer.dirtyBytes < 3000 ? token : 0;
            if (mark === 0 && dirty.has(key)) return;
            if (buffer.put(fullKey, high, low, sealed, mark)) {
              newest.set(key, hexOf(sealed));
              if (mark !== 0) dirty.set(key, mark);
            } else if (!dirty.has(key)) {
              buffer.evict(fullKey, high, low);
              newest.delete(key);
            }
          } else if (what === "evict" && !dirty.has(key)) {
            buffer.evict(fullKey, high, low);
            newest.delete(key);
          } else if (what === "clean") {
            buffer.clean(low, token);
            expect(buffer.dirtyToken(fullKey, high, low)).toBe(dirty.get(key) ?? 0);
            buffer.clean(low, dirty.get(key) ?? 0);
            dirty.delete(key);
          }
          for (const [number, at] of keys.entries()) {
            const held = number === key || dirty.has(number) ? buffer.get(at.fullKey, at.high, at.low) : undefined;
            if (held !== undefined) expect(hexOf(held)).toBe(newest.get(number));
            else expect(dirty.has(number), "a dirty entry is gone").toBe(false);
          }
          expect(buffer.dirtyBytes === 0).toBe(dirty.size === 0);
        });
      }),
      { numRuns: 150 },
    );
  });

  test("takes memory as it fills, and never more than its budget", () => {
    const buffer = new ObjectBuffer(1024 * 1024);
    expect(buffer.touchedBytes).toBe(0);
    for (let i = 0; i < 5000; i += 1) {
      const { fullKey, high, low } = new Keyed(`key${i}`, 0);
      expect(buffer.put(fullKey, high, low, bytesOf(1000, i & 0xff), 0)).toBe(true);
      if (i === 10) expect(buffer.touchedBytes).toBe(256 * 1024);
    }
    expect(buffer.touchedBytes).toBe(1024 * 1024);
    expect(buffer.size).toBeGreaterThan(900);
    expect(buffer.size).toBeLessThanOrEqual(1024);
  });

  test("a record that grows and shrinks a little stays where it is, one that shrinks a lot gives its room back", () => {
    const buffer = new ObjectBuffer(1024 * 1024);
    const { fullKey, high, low } = new Keyed("key", 0);
    const put = (length: number): void => {
      const record = bytesOf(length, length & 0xff);
      expect(buffer.put(fullKey, high, low, record, 0)).toBe(true);
      expect(equalBytes(buffer.get(fullKey, high, low) as Uint8Array, record)).toBe(true);
    };
    for (let i = 0; i < 2000; i += 1) put(1000 + ((i * 37) % 160));
    expect(buffer.touchedBytes).toBe(256 * 1024);
    for (let i = 0; i < 2000; i += 1) put(i % 2 === 0 ? 1000 : 100);
    expect(buffer.touchedBytes).toBe(1024 * 1024);
  });

  test("keeps what is used and drops what is not", () => {
    const buffer = new ObjectBuffer(256 * 1024);
    const hot = Array.from({ length: 20 }, (_, i) => new Keyed(`hot${i}`, 0));
    for (const { fullKey, high, low } of hot) buffer.put(fullKey, high, low, bytesOf(500, 1), 0);
    for (let i = 0; i < 3000; i += 1) {
      const cold = new Keyed(`cold${i}`, 0);
      buffer.put(cold.fullKey, cold.high, cold.low, bytesOf(500, 2), 0);
      const { fullKey, high, low } = hot[i % hot.length] as Keyed;
      expect(buffer.get(fullKey, high, low), `hot key after ${i}`).toBeDefined();
    }
    const first = new Keyed("cold0", 0);
    expect(buffer.has(first.fullKey, first.high, first.low)).toBe(false);
  });

  test("many small entries are bounded by number, not only by bytes", () => {
    const buffer = new ObjectBuffer(64 * 1024);
    for (let i = 0; i < 5000; i += 1) {
      const { fullKey, high, low } = new Keyed(`k${i}`, 0);
      expect(buffer.put(fullKey, high, low, bytesOf(1, 1), 0)).toBe(true);
      expect(buffer.size).toBeLessThanOrEqual(256);
    }
  });

  test("refuses what can never fit, and what would displace dirty entries", () => {
    const buffer = new ObjectBuffer(16 * 1024);
    const large = new Keyed("large", 0);
    expect(buffer.put(large.fullKey, large.high, large.low, bytesOf(20_000, 1), 0)).toBe(false);
    let held = 0;
    for (let i = 0; i < 100; i += 1) {
      const { fullKey, high, low } = new Keyed(`k${i}`, 0);
      if (buffer.put(fullKey, high, low, bytesOf(500, i), 1 + i)) held += 1;
    }
    expect(held).toBeGreaterThan(20);
    expect(buffer.size).toBe(held);
    const late = new Keyed("late", 0);
    expect(buffer.put(late.fullKey, late.high, late.low, bytesOf(500, 1), 0)).toBe(false);
    for (let i = 0; i < 100; i += 1) {
      const { low } = new Keyed(`k${i}`, 0);
      buffer.clean(low, 1 + i);
    }
    expect(buffer.dirtyBytes).toBe(0);
    expect(buffer.put(late.fullKey, late.high, late.low, bytesOf(500, 1), 0)).toBe(true);
  });

  test("forgets one partition and nothing else", () => {
    const buffer = new ObjectBuffer(64 * 1024);
    const rng = new Rng(3);
    const keys = Array.from({ length: 60 }, (_, i) => new Keyed(`k${i}`, 0));
    for (const { fullKey, high, low } of keys) {
      buffer.put(fullKey, high, low, bytesOf(rng.between(1, 300), 1), 0);
    }
    buffer.evictPartition(2, 2);
    const kept = keys.filter(({ fullKey, high, low }) => buffer.has(fullKey, high, low));
    expect(kept).toEqual(keys.filter(({ high }) => high >>> 30 !== 2));
    expect(kept.length).toBeLessThan(60);
  });
});
