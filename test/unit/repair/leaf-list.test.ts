/** The walk over two lists in pages: what it finds, against sets of names. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { noBytes } from "../../../src/base/bytes.ts";
import { compareEntries, type LeafEntry, LeafWalk, leafEntry } from "../../../src/repair/leaf-list.ts";
import { keyNamed, nameOf } from "../../support/repair-world.ts";

type Held = ReadonlyMap<string, number>;

function listOf(held: Held): LeafEntry[] {
  return [...held].map(([name, hash]) => leafEntry(keyNamed(name), hash, hash, 10 + hash)).sort(compareEntries);
}

function walkOver(here: LeafEntry[], there: LeafEntry[], pageHere: number, pageThere: number): LeafWalk {
  const walk = new LeafWalk();
  while (!walk.done) {
    if (walk.needsHere) {
      const page = here.splice(0, pageHere);
      walk.addHere(page, here.length === 0 ? null : Uint8Array.of(1));
    }
    if (walk.needsThere) {
      const page = there.splice(0, pageThere);
      expect(walk.addThere(page, there.length === 0 ? noBytes : Uint8Array.of(1))).toBe(true);
    }
  }
  return walk;
}

const held = fc
  .array(
    fc.tuple(
      fc.nat(15).map((i) => `k${i}`),
      fc.nat(3),
    ),
    { maxLength: 16 },
  )
  .map((entries) => new Map(entries));

describe("leaf walk", () => {
  it("finds the names whose hashes differ, whatever the pages, and their XOR", () => {
    fc.assert(
      fc.property(held, held, fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 5 }), (here, there, p, q) => {
        const walk = walkOver(listOf(here), listOf(there), p, q);
        const names = new Set([...here.keys(), ...there.keys()]);
        const differing = [...names].filter((name) => (here.get(name) ?? 0) !== (there.get(name) ?? 0));
        expect(walk.differences.map(({ fullKey }) => nameOf(fullKey)).sort()).toEqual(differing.sort());
        let xor = 0;
        for (const hash of [...here.values(), ...there.values()]) xor ^= hash;
        expect([walk.xorHigh, walk.xorLow]).toEqual([xor, xor]);
        expect(walk.keys).toBe(names.size);
        for (const { fullKey, bytesHere } of walk.differences) {
          const hash = here.get(nameOf(fullKey));
          expect(bytesHere).toBe(hash === undefined ? 0 : 10 + hash);
        }
      }),
      { numRuns: 300 },
    );
  });

  it("refuses a list that is not sorted", () => {
    const walk = new LeafWalk();
    const list = listOf(
      new Map([
        ["a", 1],
        ["b", 1],
        ["c", 1],
      ]),
    ).reverse();
    expect(walk.addThere(list, noBytes)).toBe(false);
  });

  it("ends when both lists are empty", () => {
    const walk = walkOver([], [], 1, 1);
    expect(walk.differences).toEqual([]);
  });
});
