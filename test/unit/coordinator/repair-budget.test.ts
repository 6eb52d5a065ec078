/** How often one key is repaired. */
import { expect, test } from "vitest";
import { type Instant, instant } from "../../../src/base/time.ts";
import { GetCoordinator } from "../../../src/coordinator/get.ts";
import { RepairBudget, repairEveryUs } from "../../../src/coordinator/repair-budget.ts";
import { recordNamed } from "../../support/replica-story.ts";
import { GetRecorder, newGet, policyOf } from "./stories.ts";

function at(us: number): Instant {
  return instant(2 ** 33 + us);
}

test("a key is repaired once in a while, and others meanwhile", () => {
  const budget = new RepairBudget(8);
  expect([
    budget.takeKey(at(0), 1, 7),
    budget.takeKey(at(1), 1, 7),
    budget.takeKey(at(1), 1, 8),
    budget.takeKey(at(1), 2, 9),
  ]).toEqual([...[true, false, true, true]]);
  expect([budget.takeKey(at(repairEveryUs - 1), 1, 7), budget.takeKey(at(repairEveryUs), 1, 7)]).toEqual([false, true]);
});

test("keys are told apart by their whole hash, and one that shares a place with another is not held up by it", () => {
  const budget = new RepairBudget(8);
  const [high, low] = [0xffff_ffff, 0xffff_ff07];
  expect([budget.takeKey(at(0), high, low), budget.takeKey(at(1), high, low)]).toEqual([true, false]);
  expect([budget.takeKey(at(2), 1, low), budget.takeKey(at(3), high, 7)]).toEqual([true, true]);
  expect(budget.takeKey(at(4), high, low), "its place was taken").toBe(true);
});

test("a key that nobody has repaired is not held up by the hash of zeros", () => {
  expect(new RepairBudget(8).takeKey(at(0), 0, 0)).toBe(true);
});

test("a get that finds an owner behind right after another did leaves it, and answers all the same", () => {
  const recorder = new GetRecorder();
  const options = { opsMax: 8, replicaMarginUs: 0, silenceUs: 200_000, repairsMax: 8 };
  const core = new GetCoordinator<string>(recorder, options);
  const stale = (now: Instant): void => {
    const op = newGet(policyOf(3, 2, 2));
    core.begin(now, op);
    for (const [slot, sealed] of [recordNamed("A1"), null, null].entries()) core.onRecord(now, op.id, slot, sealed);
    expect([op.replied, op.status]).toEqual([true, 0]);
  };
  stale(at(0));
  stale(at(repairEveryUs - 1));
  expect(recorder.repaired).toEqual([1, 2]);
  stale(at(repairEveryUs));
  expect(recorder.repaired).toEqual([1, 2, 1, 2]);
});
