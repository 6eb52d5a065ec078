/**
 * The small model: every state of a record, its hints and its tombstone, so many steps deep, holds the laws; and each bug
 * planted in the code that it drives is found, with a story. `npm run model` goes deeper.
 */
import { afterEach, describe, expect, it } from "vitest";
import { enableCanaries } from "../src/base/canary.ts";
import { explore } from "../src/sim/model/explore.ts";
import { type Budget, defaultBudget } from "../src/sim/model/state.ts";

const none: Budget = { puts: 0, deletes: 0, reads: 0, crashes: 0, cuts: 0, reaps: 0 };
const writes: Budget = { ...none, puts: 3, deletes: 1 };
const reaping: Budget = { ...none, puts: 1, deletes: 1, reaps: 1 };

afterEach(() => enableCanaries([]));

describe("the small model", () => {
  for (const { what, depth, budget, least } of [
    { what: "all that can happen", depth: 4, budget: defaultBudget, least: 3_000 },
    { what: "a delete and its reaping", depth: 9, budget: reaping, least: 2_000 },
    { what: "two reapings with a power cut", depth: 6, budget: { ...reaping, cuts: 1, reaps: 2 }, least: 500 },
  ]) {
    it(`${what}, ${depth} steps deep, holds every law`, () => {
      const result = explore({ depth, budget });
      expect(result.story).toEqual([]);
      expect(result.whole).toBe(true);
      expect(result.states).toBeGreaterThan(least);
      expect(result.rests).toBeGreaterThan(least / 20);
    }, 60_000);
  }

  it("says when it has not seen all", () => {
    expect(explore({ depth: 4, statesMax: 100 })).toMatchObject({ whole: false, states: 100, story: [] });
  });
});

describe("planted bugs have a story", () => {
  for (const [name, law, depth, budget] of [
    ["ack-hint-unkept", "quorum honoured", 2, writes],
    ["context-covers-unseen", "hints come home", 5, writes],
    ["delete-covers-all", "hints come home", 5, writes],
    ["drop-changed-hint", "hints come home", 7, { ...none, puts: 2 }],
    ["drop-hint-before-ack", "hints come home", 3, writes],
    ["drop-sibling", "hints come home", 3, writes],
    ["merge-drops-sibling", "hints come home", 3, writes],
    ["merge-forgets-version", "no assertion fails", 2, writes],
    ["mint-without-hints", "hints come home", 3, writes],
    ["overwrite-hint", "hints come home", 4, writes],
    ["reap-asks-owners-only", "deleted stays deleted", 7, reaping],
    ["reap-at-once", "deleted stays deleted", 5, reaping],
    ["reap-ignores-hints", "deleted stays deleted", 8, reaping],
    ["reuse-counter", "no assertion fails", 2, writes],
    ["revive-superseded", "superseded sibling", 4, writes],
  ] as const) {
    it(`${name}: ${law}`, () => {
      enableCanaries([name]);
      const { story, depth: found } = explore({ depth, budget });
      expect(story.at(-1)).toContain(`BROKEN ${law}`);
      expect(found).toBeLessThanOrEqual(depth);
      expect(story.length).toBeGreaterThan(2);
    }, 60_000);
  }
});
