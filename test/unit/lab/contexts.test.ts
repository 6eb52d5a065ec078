/** Contexts: a bounded table that gives back the newest context of a key, and never one of another key. */
import fc from "fast-check";
import { expect, it } from "vitest";
import { Contexts } from "../../../src/lab/contexts.ts";

const change = fc.tuple(fc.nat(19), fc.uint8Array({ maxLength: 300 }));

it("with a place for each key it is a map", () => {
  fc.assert(
    fc.property(fc.array(change, { maxLength: 60 }), (changes) => {
      const contexts = new Contexts(20);
      const naive = new Map<number, Uint8Array>();
      for (const [key, context] of changes) {
        contexts.set(key, context);
        naive.set(key, context);
        for (let k = 0; k < 20; k += 1) expect([...contexts.get(k)]).toEqual([...(naive.get(k) ?? [])]);
      }
    }),
    { numRuns: 60 },
  );
});

it("with fewer places it forgets, but never mixes up", () => {
  fc.assert(
    fc.property(fc.array(change, { maxLength: 60 }), (changes) => {
      const contexts = new Contexts(20, 1024);
      const naive = new Map<number, Uint8Array>();
      for (const [key, context] of changes) {
        contexts.set(key, context);
        naive.set(key, context);
        expect([...contexts.get(key)]).toEqual([...context]);
        for (let k = 0; k < 20; k += 1) {
          const known = contexts.get(k);
          if (known.length > 0) expect([...known]).toEqual([...(naive.get(k) ?? [])]);
        }
      }
    }),
    { numRuns: 60 },
  );
});

it("gives copies", () => {
  const contexts = new Contexts(2);
  contexts.set(1, new Uint8Array([1, 2, 3]));
  const mine = contexts.get(1);
  contexts.set(1, new Uint8Array([9, 9, 9]));
  expect([...mine]).toEqual([1, 2, 3]);
});
