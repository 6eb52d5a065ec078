/** The rate, against a second form that drips byte by byte; and the waits after failures. */
import fc from "fast-check";
import { expect, it } from "vitest";
import { Rng } from "../../../src/base/rng.ts";
import { type Instant, instant, never } from "../../../src/base/time.ts";
import { Pace, retryDelay } from "../../../src/handoff/pace.ts";

const step = fc.record({
  passes: fc.nat(3_000_000),
  take: fc.option(fc.nat(5000), { nil: undefined }),
  give: fc.option(fc.nat(3000), { nil: undefined }),
  rate: fc.option(fc.constantFrom(0, 1, 7, 1000, 1_000_000), { nil: undefined }),
});

it("lets a debt of bytes wear off at the rate, whatever it was before", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
      const pace = new Pace(1000);
      let rate = 1000n;
      let debt = 0n;
      let now = 0;
      for (const { passes, take, give, rate: newRate } of steps) {
        now += passes;
        const worn = BigInt(passes) * rate;
        debt = debt > worn ? debt - worn : 0n;
        if (take !== undefined) {
          pace.take(instant(now), take);
          debt += BigInt(take) * 1_000_000n;
        }
        if (give !== undefined) {
          pace.giveBack(instant(now), give);
          const back = BigInt(give) * 1_000_000n;
          debt = debt > back ? debt - back : 0n;
        }
        if (newRate !== undefined) {
          pace.setRate(instant(now), newRate);
          rate = BigInt(newRate);
        }
        expect(pace.paused).toBe(rate === 0n);
        if (rate === 0n) expect(pace.readyAt).toBe(never);
        else expect(Math.max(now, pace.readyAt)).toBe(now + Number((debt + rate - 1n) / rate));
      }
    }),
  );
});

it("waits longer after each failure, by chance between half and the whole", () => {
  const rng = new Rng(1);
  for (let attempt = 1; attempt <= 40; attempt += 1) {
    const whole = Math.min(5_000_000, 50_000 * 2 ** (attempt - 1));
    const delay: number = retryDelay(attempt, 50_000, 5_000_000, rng);
    expect(delay).toBeGreaterThanOrEqual(whole / 2);
    expect(delay).toBeLessThanOrEqual(whole);
  }
});

it("is ready at once when nothing was sent", () => {
  const ready: Instant = new Pace(1).readyAt;
  expect(ready).toBe(0);
});

it("tells how long bytes take", () => {
  const pace = new Pace(1000);
  expect(pace.timeOf(3000)).toBe(3_000_000);
  pace.setRate(instant(0), 0);
  expect(pace.timeOf(1)).toBe(never);
});
