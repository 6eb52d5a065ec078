/**
 * Sweeps: every call of a disk fails once in each way it can, and the process ends at each of them once, by a kill and by a
 * power cut, over a short scripted run with all checkers. Here every so many-th call; `npm run sweep` sets the variable and
 * takes every one.
 */
import { describe, expect, it } from "vitest";
import { type Mishap, mishaps, sitesOf, sweepOnce, sweepPlan } from "../src/sim/sweep.ts";

const stride = Number(process.env["RINGTAIL_SWEEP_STRIDE"] ?? 97);
const seed = Number(process.env["RINGTAIL_SWEEP_SEED"] ?? 1);

describe(`script ${seed}`, () => {
  const plan = sweepPlan(seed);

  const whole = sweepOnce(plan, mishaps[0] as Mishap, 0);

  it("holds when nothing goes wrong, and makes every kind of call", () => {
    expect(whole.violations).toEqual([]);
    expect(new Set(whole.calls)).toEqual(new Set(["read", "write", "append", "sync", "file"]));
    expect(whole.calls.length).toBeGreaterThan(100);
  });

  for (const mishap of mishaps) {
    it(`${mishap.name}: at any call of the disk, and the promises hold`, () => {
      const sites = sitesOf(whole, mishap);
      const swept = sites.filter((_, index) => index % stride === 0);
      const broken: object[] = [];
      let hits = 0;
      for (const at of swept) {
        const { hit, violations } = sweepOnce(plan, mishap, at);
        if (violations.length > 0) broken.push({ at, violations });
        if (hit) hits += 1;
      }
      expect(broken).toEqual([]);
      expect(hits).toBe(swept.length);
      console.log(`${mishap.name}: ${hits} of ${sites.length} calls`);
    }, 3_600_000);
  }
});
