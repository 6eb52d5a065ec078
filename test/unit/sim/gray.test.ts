/**
 * A node that is there but slow, in the simulator, under the SDK: found by its peers within two seconds and routed around;
 * and nobody is held for slow when all are. `npm run gray -- --simulated` runs all causes at length.
 */
import { expect, it } from "vitest";
import { type GrayResult, runGray } from "../../../src/sim/gray.ts";

const second = 1_000_000;

function expectRoutedAround(result: GrayResult): void {
  expect(result.foundAfterUs).toBeGreaterThan(0);
  expect(result.foundAfterUs).toBeLessThan(2 * second);
  expect(result.wronged).toEqual([]);
  expect(result.before.failed + result.finding.failed + result.after.failed).toBe(0);
  // Few operations: one in a hundred is what they can tell.
  expect(result.after.p99Us).toBeLessThan(1.1 * result.before.p99Us);
  expect(result.hedges).toBeLessThanOrEqual(8 + result.gets / 20);
}

it("a process that stands still in bursts", () => {
  expectRoutedAround(runGray(1, "bursts", 3 * second));
}, 120_000);

it("a slow disk", () => {
  expectRoutedAround(runGray(2, "slow-disk", 3 * second));
}, 120_000);

it("all are slow: nobody is held for slow, and next to nothing is asked twice", () => {
  const result = runGray(3, "all-slow", second);
  expect([result.foundAfterUs, result.wronged]).toEqual([-1, []]);
  expect(result.after.p50Us).toBeGreaterThan(10 * result.before.p50Us);
  expect(result.hedges).toBeLessThanOrEqual(8 + result.gets / 20);
}, 120_000);
