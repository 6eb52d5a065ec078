/** RecentLatency against a naive one: all samples kept, sorted, the rank taken. */
import * as fc from "fast-check";
import { expect, it } from "vitest";
import { instant } from "../../../src/base/time.ts";
import { RecentLatency } from "../../../src/metrics/recent-latency.ts";

const second = 1_000_000;

it("gives a bound that is at most an eighth above the true percentile", () => {
  const sample = fc.record({ at: fc.nat(20), us: fc.integer({ min: 8, max: 1 << 20 }) });
  fc.assert(
    fc.property(
      fc.array(sample, { minLength: 20, maxLength: 200 }),
      fc.constantFrom(500, 900, 999),
      (samples, perMille) => {
        const recent = new RecentLatency();
        const sorted = [...samples].sort((a, b) => a.at - b.at);
        for (const { at, us } of sorted) recent.record(instant(at * second), us);
        // Everything lies in the last minute, and is wanted.
        const found = recent.percentile(instant(20 * second), perMille, samples.length, 1);
        const values = samples.map(({ us }) => us).sort((a, b) => b - a);
        const exact = values[Math.floor((values.length * (1000 - perMille)) / 1000)] as number;
        expect(found).toBeGreaterThanOrEqual(exact);
        expect(found).toBeLessThanOrEqual(exact + Math.ceil(exact / 8) + 1);
      },
    ),
  );
});

it("forgets what is older than the window, unless too few would be left", () => {
  const recent = new RecentLatency();
  for (let i = 0; i < 100; i += 1) recent.record(instant(second), 500_000);
  for (let i = 0; i < 100; i += 1) recent.record(instant(30 * second), 1_000);
  expect(recent.percentile(instant(30 * second), 999, 100, 1)).toBeLessThan(1_200);
  expect(recent.percentile(instant(30 * second), 999, 200, 1)).toBeGreaterThan(400_000);
  expect(recent.percentile(instant(200 * second), 999, 100, 1)).toBe(0);
});
