/** Plans and fault schedules: within their ranges, and never more than the atlas allows. */
import { describe, expect, it } from "vitest";
import { Durability } from "../../../src/base/durability.ts";
import { Rng } from "../../../src/base/rng.ts";
import { drawFaults } from "../../../src/sim/draw-faults.ts";
import { losesCopies } from "../../../src/sim/fault.ts";
import { drawPlan, faultClasses } from "../../../src/sim/plan.ts";

const plans = Array.from({ length: 400 }, (_, seed) => drawPlan(seed, new Rng(seed).fork("plan")));

describe("drawPlan", () => {
  it("draws quorums that a cluster can meet", () => {
    for (const plan of plans) {
      expect(plan.n).toBeLessThanOrEqual(plan.nodes);
      for (const quorum of [plan.r, plan.w]) {
        expect(quorum).toBeGreaterThanOrEqual(1);
        expect(quorum).toBeLessThanOrEqual(plan.n);
      }
    }
  });

  it("draws every mode, quorums with and without overlap, and each fault class in about half of the seeds", () => {
    expect(new Set(plans.map((plan) => plan.durability)).size).toBe(4);
    expect(plans.some((plan) => plan.r + plan.w > plan.n)).toBe(true);
    expect(plans.some((plan) => plan.r + plan.w <= plan.n)).toBe(true);
    for (const kind of faultClasses) {
      const share = plans.filter((plan) => plan.faults.includes(kind)).length / plans.length;
      expect(share).toBeGreaterThan(0.35);
      expect(share).toBeLessThan(0.65);
    }
  });

  it("takes the number of nodes from outside without shifting the seed's other streams", () => {
    const drawn = drawPlan(7, new Rng(7).fork("plan"), 3);
    expect(drawn.nodes).toBe(3);
    expect(drawn.n).toBeLessThanOrEqual(3);
  });
});

describe("drawFaults", () => {
  it("lets at most W-1 nodes lose what the mode does not promise to keep", () => {
    for (const plan of plans) {
      const all = { ...plan, faults: faultClasses, faultsPerKiloSecond: 10_000 };
      const losers = new Set<number>();
      for (const fault of drawFaults(all, new Rng(plan.seed).fork("faults"))) {
        if (losesCopies(fault.kind, plan.durability)) losers.add(fault.node);
      }
      expect(losers.size).toBeLessThanOrEqual(plan.w - 1);
    }
  });

  it("knows which faults cost copies in which mode", () => {
    expect(losesCopies("crash", Durability.memory)).toBe(true);
    expect(losesCopies("crash", Durability.buffered)).toBe(false);
    expect(losesCopies("power", Durability.oneDurable)).toBe(true);
    expect(losesCopies("power", Durability.durable)).toBe(false);
    expect(losesCopies("split", Durability.memory)).toBe(false);
  });

  it("is the same for the same seed, and splits are directed pairs of different places", () => {
    const plan = { ...(plans[3] as (typeof plans)[number]), faults: faultClasses, ringActs: [] };
    const draw = (): unknown => drawFaults(plan, new Rng(9).fork("faults"));
    expect(draw()).toEqual(draw());
    for (const fault of drawFaults(plan, new Rng(9).fork("faults"))) {
      for (const [from, to] of fault.pairs) expect(from).not.toBe(to);
    }
  });
});
