/** Random worlds of transfers, and the proof that their checks find what is planted. */
import { describe, expect, it } from "vitest";
import type { Planted } from "../../support/transfer-world.ts";
import { live, liveCancelled } from "./transfer-live.ts";

describe("random worlds", () => {
  const seedsPerTest = 2;
  for (let first = 0; first < 6; first += seedsPerTest) {
    const last = first + seedsPerTest - 1;
    it(`keep every acknowledged write readable and every partition owned (seeds ${first} to ${last})`, () => {
      let acked = 0;
      for (let seed = first; seed <= last; seed += 1) {
        try {
          acked += live(seed).acked.length;
        } catch (error) {
          throw new Error(`seed ${seed}: ${error instanceof Error ? error.message : "?"}`, { cause: error });
        }
      }
      expect(acked).toBeGreaterThan(200);
    });
  }
});

it("a transfer that is cancelled after its confirmation hides no acknowledged write from readers with the ring before", () => {
  let acked = 0;
  for (let seed = 2; seed < 4; seed += 1) acked += liveCancelled(seed).acked.length;
  expect(acked).toBeGreaterThan(200);
});

describe("the checks find", () => {
  const plants: readonly [Planted, string][] = [
    ["blind-comparison", "a catch-up that compares nothing"],
    ["forgets", "a state file that is not written"],
    ["single-writes", "writes that go to the old owners only"],
    ["hasty-flip", "a flip before the confirmation"],
  ];
  function finds(run: (seed: number) => unknown, complaint: RegExp): boolean {
    for (let seed = 0; seed < 40; seed += 1) {
      try {
        run(seed);
      } catch (error) {
        if (complaint.test(String(error))) return true;
      }
    }
    return false;
  }

  for (const [planted, what] of plants) {
    it(what, () => expect(finds((seed) => live(seed, planted), /./)).toBe(true));
  }

  it("a member that takes writes again while the other end still answers in its place", () => {
    expect(finds((seed) => liveCancelled(seed, "reopens-at-once"), /miss write/)).toBe(true);
  });
});
