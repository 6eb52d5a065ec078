/**
 * Three replicas of one key under random puts, merges, hints, retries and power cuts, against a history of plain sets: no
 * dot names two writes, no version claims what its record does not reflect, no acknowledged write is lost. The checks are
 * worth something only if they find planted bugs, so that is tested too.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Planted, runReplicaWorld, type Step } from "../../support/replica-world.ts";

function stepsOf(kinds: readonly Step["kind"][]): fc.Arbitrary<Step[]> {
  const step = fc.record({
    kind: fc.constantFrom(...kinds),
    node: fc.nat(2),
    pick: fc.nat(50),
    durable: fc.boolean(),
  });
  return fc.array(step, { minLength: 1, maxLength: 60, size: "max" });
}

const usual: readonly Step["kind"][] = [
  "put",
  "put",
  "deliver",
  "deliver",
  "stash",
  "put-away",
  "drop",
  "answer",
  "answer",
  "answer",
  "cut",
];

function finds(planted: Planted, kinds: readonly Step["kind"][] = usual): boolean {
  const property = fc.property(stepsOf(kinds), (steps) => runReplicaWorld(steps, planted));
  return fc.check(property, { numRuns: 300, seed: 1, endOnFailure: true }).failed;
}

describe("continuity", () => {
  it("keeps every record true to its history", () => {
    fc.assert(
      fc.property(stepsOf(usual), (steps) => runReplicaWorld(steps, "none")),
      { numRuns: 150 },
    );
  });

  it("makes no second write of a retry, and loses nothing by it", () => {
    fc.assert(
      fc.property(stepsOf([...usual, "retry"]), (steps) => runReplicaWorld(steps, "none")),
      { numRuns: 150 },
    );
  });

  it("would be found broken if an actor came back with its counters", () => {
    expect(finds("same-actor")).toBe(true);
  });

  it("would be found broken if an incarnation outlived a boot, even with fresh counters", () => {
    expect(finds("same-incarnation")).toBe(true);
  });

  it("would be found broken if puts did not look at the hints", () => {
    expect(finds("hints-ignored")).toBe(true);
  });

  it("would be found broken if an actor went on after hints with its dots had left", () => {
    expect(finds("actor-outlives-hints", ["put", "put-away", "drop", "answer", "answer", "answer"])).toBe(true);
  });

  it("would be found broken if two changes of a key could overlap", () => {
    expect(finds("no-lock")).toBe(true);
  });
});
