/**
 * Sweeps: every call of a disk fails once, and the process ends at each of them once, over a short scripted run with all
 * checkers. Here every so many-th call; `npm run sweep` sets the variable and takes every one.
 */
import { describe, expect, it } from "vitest";
import { mishaps, sweepOnce, sweepPlan } from "../src/sim/sweep.ts";

const stride = Number(process.env["RINGTAIL_SWEEP_STRIDE"] ?? 97);
const seed = Number(process.env["RINGTAIL_SWEEP_SEED"] ?? 1);

describe(`script ${seed}`, () => {
  const plan = sweepPlan(seed);

  for (const mishap of mishaps) {
    it(`${mishap}: after any call of the disk the promises hold`, () => {
      const whole = sweepOnce(plan, mishap, 0);
      expect(whole.violations).toEqual([]);
      expect(whole.calls).toBeGreaterThan(100);
      let hits = 0;
      for (let at = 1; at <= whole.calls; at += stride) {
        const { hit, violations } = sweepOnce(plan, mishap, at);
        expect(violations, `${mishap} at call ${at}`).toEqual([]);
        if (hit) hits += 1;
      }
      expect(hits).toBe(Math.ceil(whole.calls / stride));
      console.log(`${mishap}: ${hits} of ${whole.calls} calls`);
    }, 3_600_000);
  }
});
