/** Whether a turn was spent on one key: by votes, against counting. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { TurnKeys } from "../../../src/metrics/turn-keys.ts";

function turnOf(keys: readonly number[], turn: TurnKeys = new TurnKeys()): boolean {
  for (const key of keys) turn.begun(key >>> 1, key);
  return turn.end();
}

test("a turn that was spent on one key is known, and the next one begins anew", () => {
  const turn = new TurnKeys();
  expect(turnOf(new Array<number>(60).fill(7), turn)).toBe(true);
  expect(turnOf([], turn)).toBe(false);
  expect(turnOf([7, 7, 7], turn)).toBe(false);
});

test("some work among much of others is no reason", () => {
  expect(turnOf([...new Array<number>(20).fill(7), ...Array.from({ length: 60 }, (_, i) => 100 + i)])).toBe(false);
});

test("whatever is found has more than half of the work, and whatever has three quarters of much is found", () => {
  const keys = fc.array(fc.oneof({ weight: 3, arbitrary: fc.constant(1) }, fc.nat(4)), { maxLength: 100 });
  fc.assert(
    fc.property(keys, (all) => {
      const most = Math.max(0, ...[0, 1, 2, 3, 4].map((key) => all.filter((one) => one === key).length));
      const found = turnOf(all);
      if (found) expect(2 * most).toBeGreaterThan(all.length);
      if (4 * most > 3 * all.length && most >= 16) expect(found).toBe(true);
    }),
  );
});
