/** SlowOps against a naive twin: the slowest of each second, none else, and whole. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { utf8, utf8Text } from "../../../src/base/bytes.ts";
import { instant } from "../../../src/base/time.ts";
import { type SlowOpKept, SlowOps, slowOpsMax, slowPerSecond } from "../../../src/metrics/slow-ops.ts";

interface Op {
  readonly at: number;
  readonly us: number;
  readonly bucket: string;
}

function offer(slow: SlowOps, { at, us, bucket }: Op): void {
  if (!slow.wants(instant(at), us)) return;
  const place = { hashHigh: us, hashLow: at % 0xffff_ffff, type: 0x11, status: 5, decidedBy: 65_535 };
  slow.keep(us, { answeredAt: instant(at), elapsedUs: us, ...place }, utf8(bucket), [at % 1000, us]);
}

function kept(slow: SlowOps, from: number): SlowOpKept[] {
  const ops: SlowOpKept[] = [];
  slow.since(instant(from), (op) => ops.push(op));
  return ops;
}

describe("SlowOps", () => {
  it("keeps what a naive twin keeps", () => {
    const op = fc.record({
      at: fc.nat(5_000_000),
      us: fc.integer({ min: 1, max: 50 }),
      bucket: fc.constantFrom("a", "b", "c"),
    });
    fc.assert(
      fc.property(fc.array(op, { maxLength: 200 }), (drawn) => {
        const ops = drawn.toSorted((a, b) => a.at - b.at);
        const slow = new SlowOps(() => {});
        for (const one of ops) offer(slow, one);
        const expected = [5, 4, 3, 2, 1, 0].flatMap((second) => {
          const mine = ops.filter(({ at }) => Math.floor(at / 1_000_000) === second).map(({ us }) => us);
          return mine.sort((a, b) => b - a).slice(0, slowPerSecond);
        });
        expect(kept(slow, 0).map(({ elapsedUs }) => elapsedUs)).toEqual(expected);
        for (const one of kept(slow, 0)) {
          const source = ops.find(({ at, us }) => at === one.answeredAt && us === one.elapsedUs);
          expect(source?.bucket).toBe(utf8Text(one.bucket));
          expect([...one.phases]).toEqual([one.answeredAt % 1000, one.elapsedUs]);
          expect([one.type, one.status, one.decidedBy]).toEqual([0x11, 5, 65_535]);
        }
      }),
    );
  });

  it("tells of an operation once, when its second is over", () => {
    const told: number[] = [];
    const slow = new SlowOps(({ elapsedUs }) => told.push(elapsedUs));
    for (let us = 1; us <= 20; us += 1) offer(slow, { at: us, us, bucket: "a" });
    expect(told).toEqual([]);
    offer(slow, { at: 3_000_000, us: 7, bucket: "a" });
    expect(told).toEqual([20, 19, 18, 17, 16, 15, 14, 13]);
  });

  it("is bounded, and leaves out what is older than asked for", () => {
    const slow = new SlowOps(() => {});
    for (let second = 0; second < 700; second += 1) {
      for (let us = 1; us <= 9; us += 1) offer(slow, { at: second * 1_000_000 + us, us, bucket: `b${second}` });
    }
    expect(kept(slow, 0).length).toBe(slowOpsMax);
    expect(kept(slow, 699_000_000).length).toBe(slowPerSecond);
    // Names of more buckets than are remembered are not made up.
    expect(utf8Text(kept(slow, 699_000_000)[0]?.bucket ?? utf8("none"))).toBe("");
  });
});
