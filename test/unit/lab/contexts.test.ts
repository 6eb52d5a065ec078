/** Contexts: a bounded table that gives back the newest context of a key, and never one of another key. */
import fc from "fast-check";
import { expect, it } from "vitest";
import { fullKeyOf } from "../../../src/base/full-key.ts";
import { Contexts, seenByRingtail } from "../../../src/lab/contexts.ts";
import { ContextKey, sealContext } from "../../../src/version/context.ts";
import { VersionVector } from "../../../src/version/version-vector.ts";

const contextKey = new ContextKey(1, new Uint8Array(16).fill(7));
const keys = 20;

/** A real context of that key, of which each actor has written so many times. */
function contextOf(key: number, counters: readonly number[]): Uint8Array {
  let version = VersionVector.empty;
  for (const [i, counter] of counters.entries()) {
    if (counter > 0) version = version.with({ actorHigh: (i + 1) << 16, actorLow: 0xffff_ffff, counter });
  }
  return sealContext(contextKey, fullKeyOf(new Uint8Array([98]), new Uint8Array([key])), version, 1, 1).slice();
}

const change = fc.tuple(fc.nat(keys - 1), fc.array(fc.nat(0xffff_ffff), { minLength: 1, maxLength: 24 }));

/** Applies the changes, and calls `check` after each with a map that keeps the context with the largest sum. */
function replay(
  contexts: Contexts,
  changes: readonly (readonly [key: number, counters: readonly number[]])[],
  check: (naive: ReadonlyMap<number, Uint8Array>, changed: number) => void,
): void {
  const naive = new Map<number, Uint8Array>();
  const sums = new Map<number, number>();
  for (const [key, counters] of changes) {
    const context = contextOf(key, counters);
    contexts.learn(key, context);
    const sum = counters.reduce((total, counter) => total + counter, 0);
    if (sum >= (sums.get(key) ?? 0)) {
      sums.set(key, sum);
      naive.set(key, context);
    }
    check(naive, key);
  }
}

it("with a place for each key it is a map", () => {
  fc.assert(
    fc.property(fc.array(change, { maxLength: 40 }), (changes) => {
      const contexts = new Contexts(keys);
      replay(contexts, changes, (naive) => {
        for (let key = 0; key < keys; key += 1) expect([...contexts.get(key)]).toEqual([...(naive.get(key) ?? [])]);
      });
    }),
    { numRuns: 50 },
  );
});

it("with fewer places it forgets, but never mixes up", () => {
  fc.assert(
    fc.property(fc.array(change, { maxLength: 40 }), (changes) => {
      const contexts = new Contexts(keys, seenByRingtail, 1024);
      replay(contexts, changes, (_naive, changed) => {
        expect(contexts.get(changed).length).toBeGreaterThan(0);
        for (let key = 0; key < keys; key += 1) {
          const known = [...contexts.get(key)];
          const possible = changes.filter(([k]) => k === key).map(([k, counters]) => [...contextOf(k, counters)]);
          if (known.length > 0) expect(possible).toContainEqual(known);
        }
      });
    }),
    { numRuns: 50 },
  );
});

it("keeps the one that has seen more, whichever came last", () => {
  const contexts = new Contexts(keys);
  contexts.learn(3, contextOf(3, [5, 9]));
  contexts.learn(3, contextOf(3, [6, 2]));
  expect([...contexts.get(3)]).toEqual([...contextOf(3, [5, 9])]);
  contexts.learn(3, contextOf(3, [6, 9]));
  expect([...contexts.get(3)]).toEqual([...contextOf(3, [6, 9])]);
  contexts.learn(3, new Uint8Array(0));
  expect(contexts.get(3).length).toBeGreaterThan(0);
});

it("gives copies", () => {
  const contexts = new Contexts(keys);
  contexts.learn(1, contextOf(1, [1]));
  const mine = contexts.get(1);
  contexts.learn(1, contextOf(1, [2]));
  expect([...mine]).toEqual([...contextOf(1, [1])]);
});
