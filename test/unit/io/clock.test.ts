/** The clock of a process. */
import { expect, it } from "vitest";
import { systemClock } from "../../../src/io/clock.ts";

it("instants are whole, never go back, and are beyond 32 bits from the start", () => {
  let before = systemClock.now();
  expect(before).toBeGreaterThan(2 ** 32);
  for (let i = 0; i < 1_000; i += 1) {
    const now = systemClock.now();
    expect(Number.isSafeInteger(now)).toBe(true);
    expect(now).toBeGreaterThanOrEqual(before);
    before = now;
  }
});
