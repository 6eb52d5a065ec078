/** What may be tried again and how often: the decision over all errors, and the budget beside a naive second one. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type ErrorCode, errorTable } from "../../../src/base/errors.ts";
import { Rng } from "../../../src/base/rng.ts";
import { instant } from "../../../src/base/time.ts";
import { attemptsMax, RetryBudget, retryDelay } from "../../../src/client/retry.ts";

const codes = Object.keys(errorTable) as ErrorCode[];

describe("retryDelay", () => {
  it("never tries what cannot be cured, too often, or past the deadline", () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...codes),
        fc.integer({ min: 1, max: 8 }),
        fc.integer({ min: 0, max: 300_000 }),
        fc.integer({ min: 0, max: 2_000_000 }),
        fc.integer(),
        (code, attempts, retryAfterUs, remainingUs, seed) => {
          const delay = retryDelay({ code, attempts, retryAfterUs, remainingUs }, new Rng(seed));
          if (!errorTable[code].retryable || code === "DEADLINE_EXCEEDED" || attempts >= attemptsMax) {
            expect(delay).toBe(-1);
            return;
          }
          const isImmediate =
            attempts === 1 && ["CONNECTION_LOST", "NODE_STOPPING", "NOT_SYNCED", "WRONG_OWNER"].includes(code);
          if (isImmediate) expect(delay).toBe(remainingUs > 0 ? 0 : -1);
          else if (delay >= 0) {
            expect(delay).toBeGreaterThanOrEqual(retryAfterUs);
            expect(delay).toBeLessThanOrEqual(retryAfterUs + 10_000 * 2 ** (attempts - 1));
            expect(delay).toBeLessThan(remainingUs);
          } else expect(retryAfterUs + 10_000 * 2 ** (attempts - 1)).toBeGreaterThanOrEqual(remainingUs);
        },
      ),
    );
  });

  it("spreads those that failed together over the whole range", () => {
    const rng = new Rng(1);
    const failure = { code: "OVERLOADED", attempts: 3, retryAfterUs: 0, remainingUs: 1_000_000 } as const;
    const delays = Array.from({ length: 1000 }, () => retryDelay(failure, rng));
    expect(Math.min(...delays)).toBeLessThan(2_000);
    expect(Math.max(...delays)).toBeGreaterThan(38_000);
  });
});

describe("RetryBudget", () => {
  it("allows a tenth of the last ten seconds' requests and 32 more, as a naive count does", () => {
    const step = fc.record({
      seconds: fc.integer({ min: 0, max: 13 }),
      requests: fc.integer({ min: 0, max: 400 }),
      retries: fc.integer({ min: 0, max: 80 }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
        const budget = new RetryBudget();
        const requests: number[] = [];
        const retries: number[] = [];
        let second = 5;
        for (const { seconds, requests: asked, retries: wanted } of steps) {
          second += seconds;
          const now = instant(second * 1_000_000 + 17);
          for (let i = 0; i < asked; i += 1) {
            budget.count(now);
            requests.push(second);
          }
          for (let i = 0; i < wanted; i += 1) {
            const recent = requests.filter((at) => at > second - 10).length;
            const used = retries.filter((at) => at > second - 10).length;
            const allowed = used - 32 < recent / 10;
            expect(budget.take(now)).toBe(allowed);
            if (allowed) retries.push(second);
          }
        }
      }),
      { numRuns: 50 },
    );
  });
});
