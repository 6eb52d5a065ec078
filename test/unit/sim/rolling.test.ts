/** Rolling restarts make versions grow, and certificates keep them short. `npm run rolling` does thirty rounds. */
import { expect, it } from "vitest";
import { rollingRestarts } from "../../../src/sim/rolling.ts";

const rounds = 3;

it("a version gets an entry at each restart while nothing is forgotten", () => {
  const entries = rollingRestarts({ seed: 1, rounds, reapAgeMs: 3_600_000 });
  expect(entries.map(({ most }) => most)).toEqual([3, 6, 9]);
  expect(entries.every(({ copies }) => copies === 48)).toBe(true);
}, 60_000);

it("and has no more of them than there are writers once certificates are had", () => {
  const entries = rollingRestarts({ seed: 1, rounds, reapAgeMs: 4_000 });
  expect(entries.map(({ most }) => most)).toEqual([3, 3, 3]);
  expect(entries.every(({ copies }) => copies === 48)).toBe(true);
}, 60_000);
