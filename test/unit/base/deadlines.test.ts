/** DeadlineQueue against a plain list: nothing early, nothing later than one rounding step, nothing lost. */
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { DeadlineQueue } from "../../../src/base/deadlines.ts";
import { after, instant, never } from "../../../src/base/time.ts";

function drain(queue: DeadlineQueue, now: number): number[] {
  const ids: number[] = [];
  for (let id = queue.expired(instant(now)); id >= 0; id = queue.expired(instant(now))) ids.push(id);
  return ids;
}

describe("DeadlineQueue", () => {
  it("rounds timeouts up: to 1 ms, from 128 ms to 10 ms, from 2.5 s to 100 ms", () => {
    const queue = new DeadlineQueue();
    const cases: [number, number][] = [
      [1, 1_000],
      [1_000, 1_000],
      [1_001, 2_000],
      [127_001, 128_000],
      [128_000, 130_000],
      [2_491_000, 2_500_000],
      [2_500_000, 2_500_000],
      [2_500_001, 2_600_000],
    ];
    for (const [timeout, rounded] of cases) expect(queue.push(instant(7), 1, timeout)).toBe(7 + rounded);
  });

  it("agrees with a plain list", () => {
    const step = fc.tuple(fc.nat({ max: 4_000 }), fc.option(fc.integer({ min: 1, max: 12_000 })));
    fc.assert(
      fc.property(fc.array(step, { maxLength: 100 }), (steps) => {
        const queue = new DeadlineQueue();
        let waiting: { id: number; deadline: number }[] = [];
        let now = instant(0);
        steps.forEach(([pass, timeout], id) => {
          now = after(now, pass);
          if (timeout !== null) {
            const deadline = queue.push(now, id, timeout);
            expect(deadline - now).toBeGreaterThanOrEqual(timeout);
            expect(deadline - now).toBeLessThan(timeout + 1_000);
            waiting.push({ id, deadline });
          }
          const looks = waiting.map(({ deadline }) => Math.ceil(deadline / 1_000) * 1_000);
          expect(queue.next()).toBe(Math.min(never, ...looks));
          if (pass % 2 === 0) return;
          const due = waiting.filter(({ deadline }) => deadline <= now).map((entry) => entry.id);
          expect(drain(queue, now).sort((a, b) => a - b)).toEqual(due);
          waiting = waiting.filter(({ deadline }) => deadline > now);
        });
        expect(drain(queue, never).length).toBe(waiting.length);
        expect(queue.next()).toBe(never);
      }),
      { numRuns: 100 },
    );
  });

  it("asks to be looked at when a step of the timeout's ends, at or after the earliest deadline", () => {
    const cases: [number, number][] = [
      [1_000, 2_000],
      [128_000, 140_000],
      [2_500_000, 2_600_000],
    ];
    for (const [timeout, due] of cases) {
      const queue = new DeadlineQueue();
      queue.push(instant(7), 1, timeout);
      expect(queue.next()).toBe(due);
      expect(drain(queue, due)).toEqual([1]);
      expect(queue.next()).toBe(never);
    }
    const queue = new DeadlineQueue();
    queue.push(instant(7), 1, 2_500_000);
    queue.push(instant(7), 2, 128_000);
    expect(queue.next()).toBe(140_000);
    queue.push(instant(10), 3, 1_000);
    expect(queue.next()).toBe(2_000);
    expect(drain(queue, 140_000).sort()).toEqual([2, 3]);
    expect(queue.next()).toBe(2_600_000);
  });

  it("stays correct when a long lane is compacted", () => {
    const queue = new DeadlineQueue();
    for (let i = 0; i < 5_000; i += 1) {
      queue.push(instant(i), i, 1_000);
      if (i >= 1_000) expect(queue.expired(instant(i))).toBe(i - 1_000);
      expect(queue.expired(instant(i))).toBe(-1);
    }
    expect(drain(queue, 10_000).length).toBe(1_000);
  });

  it("takes no timeout of 0", () => {
    expect(() => new DeadlineQueue().push(instant(0), 1, 0)).toThrow("positive");
  });
});
