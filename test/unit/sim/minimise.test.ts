/** The minimiser on made-up runs: it keeps what the failure needs, drops the rest, and stays within its budget. */
import { describe, expect, it } from "vitest";
import { Rng } from "../../../src/base/rng.ts";
import { instant } from "../../../src/base/time.ts";
import type { Fault } from "../../../src/sim/fault.ts";
import { minimise, type Tape } from "../../../src/sim/minimise.ts";
import { drawPlan, type FaultClass } from "../../../src/sim/plan.ts";
import type { RunOptions } from "../../../src/sim/run.ts";
import type { Violation } from "../../../src/sim/violation.ts";

function fault(kind: FaultClass, at: number): Fault {
  return { at, kind, node: 0, lasts: 10, pairs: [], factor: 10 };
}

const plan = { ...drawPlan(1, new Rng(1)), keys: 8, loops: 2, chaosUs: 4_000_000 };
const faults = [
  ...Array.from({ length: 9 }, (_, index) => fault("pause", index)),
  fault("crash", 20),
  fault("split", 30),
  ...Array.from({ length: 9 }, (_, index) => fault("reset", 40 + index)),
];
const tape: Tape = { seed: 1, plan, faults };

/** Fails as "lost" when a crash and a later split are both there, and as "other" when only the crash is. */
function world(runs: { count: number }): (options: RunOptions) => { violations: Violation[] } {
  return (options) => {
    runs.count += 1;
    const kinds = (options.faults ?? []).map((one) => one.kind);
    const invariant = kinds.includes("crash") ? (kinds.includes("split") ? "lost" : "other") : undefined;
    return { violations: invariant === undefined ? [] : [{ at: instant(0), invariant, text: "" }] };
  };
}

describe("minimise", () => {
  it("keeps exactly the faults that the same failure needs, and the smallest plan", () => {
    const small = minimise(tape, 1_000, world({ count: 0 }));
    expect(small.faults.map((one) => one.kind)).toEqual(["crash", "split"]);
    expect(small.plan.keys).toBe(1);
    expect(small.plan.loops).toBe(1);
    expect(small.plan.chaosUs).toBeLessThanOrEqual(500_000);
  });

  it("stays within its budget, and returns something that still fails", () => {
    const runs = { count: 0 };
    const small = minimise(tape, 5, world(runs));
    expect(runs.count).toBeLessThanOrEqual(5);
    expect(world({ count: 0 })({ seed: 1, faults: small.faults }).violations[0]?.invariant).toBe("lost");
  });

  it("leaves a tape that does not fail as it is", () => {
    const passing = { ...tape, faults: [] };
    expect(minimise(passing, 100, world({ count: 0 }))).toBe(passing);
  });
});
