/** Which replicas are complete: against a plain set, and over what is saved. */
import fc from "fast-check";
import { expect, it } from "vitest";
import { Synced } from "../../../src/handoff/synced.ts";

const partitions = 64;
const step = fc.tuple(
  fc.constantFrom("set", "clear", "reload", "clearAll"),
  fc.nat(partitions - 1),
  fc.constantFrom(2, 3, 7),
);

it("is a set of (partition, n) that survives being saved", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      let synced = new Synced(partitions, []);
      const naive = new Set<string>();
      for (const [what, p, n] of steps) {
        if (what === "set") {
          synced.set(p, n);
          naive.add(`${p} ${n}`);
        } else if (what === "clear") {
          expect(synced.clear(p, n)).toBe(naive.delete(`${p} ${n}`));
        } else if (what === "clearAll") {
          synced.clearAll();
          naive.clear();
        } else {
          synced = new Synced(partitions, synced.saved());
        }
        expect(synced.size).toBe(naive.size);
        expect(synced.has(p, n)).toBe(naive.has(`${p} ${n}`));
      }
    }),
  );
});

it("knows an n from when it was taken up, complete or not", () => {
  const synced = new Synced(partitions, []);
  expect(synced.knows(3)).toBe(false);
  synced.open(3);
  expect(synced.knows(3)).toBe(true);
  expect(new Synced(partitions, synced.saved()).knows(3)).toBe(true);
  expect(new Synced(partitions, synced.saved()).has(1, 3)).toBe(false);
});

it("trusts no bits that are not for this number of partitions, and no n out of range", () => {
  const wide = new Uint8Array(16).fill(255);
  expect(new Synced(partitions, [{ n: 3, partitions: wide }]).knows(3)).toBe(false);
  expect(new Synced(partitions, [{ n: 9, partitions: wide.subarray(8) }]).size).toBe(0);
});
