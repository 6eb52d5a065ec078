/** Merkle leaves on disk: the batches' log and the leaves' own keys give the same trees again, at any moment. */
import { describe, expect, it } from "vitest";
import { Rng } from "../../../src/base/rng.ts";
import type { EngineBatch } from "../../../src/storage/engine.ts";
import { batchSlots, KeyKind, leafOfKey, u64High, u64Low } from "../../../src/storage/keys.ts";
import { Leaves } from "../../../src/storage/leaves.ts";

const partitions = 8;

/** A disk that applies batches at once; the log by number, leaves by their key. */
class Disk implements EngineBatch {
  readonly log = new Map<number, { number: number; value: Uint8Array }>();
  readonly own = new Map<string, Uint8Array>();
  readonly bytes = 0;
  saves = 0;

  put(key: Uint8Array, value: Uint8Array): void {
    if (key[0] === KeyKind.batchNumber) {
      const number = u64High(value) * 0x1_0000_0000 + u64Low(value);
      this.log.set(number % batchSlots, { number, value: value.slice() });
    } else {
      this.saves += 1;
      this.own.set([...key].join(), value.slice());
    }
  }

  del(key: Uint8Array): void {
    this.saves += 1;
    this.own.delete([...key].join());
  }

  reload(): Leaves {
    const leaves = new Leaves(partitions);
    for (const [key, value] of this.own) {
      const { n, partition, leaf } = leafOfKey(Uint8Array.from(key.split(","), Number));
      leaves.load(n, partition, leaf, u64High(value), u64Low(value));
    }
    for (const { number, value } of [...this.log.values()].sort((a, b) => a.number - b.number)) {
      leaves.loadLog(number, value);
    }
    return leaves;
  }
}

function contents(leaves: Leaves): string[] {
  const found: string[] = [];
  leaves.forEach((n, partition, words) => {
    for (let at = 0; at < words.length; at += 2) {
      if (words[at] !== 0 || words[at + 1] !== 0)
        found.push(`${n}/${partition}/${at / 2}=${words[at]}.${words[at + 1]}`);
    }
  });
  return found.sort();
}

describe("leaves", () => {
  it("come back as they were after any batch, also when the log has gone round", () => {
    const rng = new Rng(7);
    const disk = new Disk();
    let leaves = new Leaves(partitions);
    let checks = 0;
    for (let number = 1; number <= 2.5 * batchSlots; number += 1) {
      // Some leaves change always, some once, some become zero again.
      const delta = rng.u32();
      leaves.apply(3, 1, rng.below(4) * 0x0010_0000, delta, 1);
      if (rng.chance(3)) leaves.apply(3, 2, rng.u32(), rng.u32(), rng.u32());
      if (number % 20_000 === 5) leaves.apply(2, 0, 0x0100_0000, 99, 99);
      leaves.log(disk, number);
      if (number % 9_973 !== 0 && !(number > batchSlots - 3 && number < batchSlots + 3)) continue;
      checks += 1;
      const again = disk.reload();
      expect(contents(again)).toEqual(contents(leaves));
      if (rng.chance(500)) leaves = again;
    }
    expect(checks).toBeGreaterThan(15);
  });

  it("a leaf that changes in every batch is hardly ever saved under its own key", () => {
    const disk = new Disk();
    const leaves = new Leaves(partitions);
    for (let number = 1; number <= 2 * batchSlots; number += 1) {
      leaves.apply(3, 1, 0, number, number);
      leaves.log(disk, number);
    }
    expect(disk.saves).toBeLessThanOrEqual(3);
  });

  it("no more leaves than allowed are in the log only", () => {
    const rng = new Rng(3);
    const disk = new Disk();
    const leaves = new Leaves(1024);
    for (let number = 1; number <= 400; number += 1) {
      for (let i = 0; i < 1_000; i += 1) leaves.apply(3, rng.below(1024), rng.u32(), rng.u32(), 1);
      leaves.log(disk, number);
    }
    expect(disk.saves).toBeGreaterThan(100_000);
  });
});

it("a leaf is bare until something is counted there under any n, and again when that has gone", () => {
  const leaves = new Leaves(partitions);
  const hash = 0x2abc_0000;
  expect(leaves.isBare(1, hash)).toBe(true);
  leaves.apply(7, 1, hash, 0, 5);
  expect(leaves.isBare(1, hash)).toBe(false);
  expect(leaves.isBare(2, hash)).toBe(true);
  expect(leaves.isBare(1, hash + 0x0010_0000)).toBe(true);
  leaves.apply(2, 1, hash, 3, 0);
  leaves.apply(7, 1, hash, 0, 5);
  expect(leaves.isBare(1, hash)).toBe(false);
  leaves.apply(2, 1, hash, 3, 0);
  expect(leaves.isBare(1, hash)).toBe(true);
});
