/** The budget of hints: exact, refusing past its bytes, and loud before; what a receiver grants; what a rate becomes. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { statusOk, wireOf } from "../../../src/base/errors.ts";
import { type Instant, instant } from "../../../src/base/time.ts";
import { HintCredits } from "../../../src/handoff/hint-credits.ts";
import { concernsOneHint, decideRate } from "../../../src/handoff/hint-lane.ts";
import {
  decideLevel,
  HintBudget,
  type HintLevel,
  type HintProgress,
  hintBytesMaxDefault,
} from "../../../src/handoff/hints.ts";
import { HintTable } from "../../../src/storage/hint-table.ts";
import { type HintCounts, StoreWrite } from "../../../src/storage/store.ts";
import type { FakeStore } from "../../support/fake-store.ts";
import { expectGolden } from "../../support/golden.ts";
import { ReplicaStory, recordNamed } from "../../support/replica-story.ts";

/** What a fake store keeps, counted anew at every question. */
function liveCounts(store: FakeStore): HintCounts {
  return {
    get total() {
      return store.hintCounts.total;
    },
    get bytes() {
      return store.hintCounts.bytes;
    },
    countOf: (target) => store.hintCounts.countOf(target),
    bytesOf: (target) => store.hintCounts.bytesOf(target),
    oldestOf: (target) => store.hintCounts.oldestOf(target),
    targets: () => store.hintCounts.targets(),
  };
}

const silent = { levelChanged: (): void => {} };
const idle: HintProgress = { waitingOf: () => "unreachable", failureOf: () => 6, rateOf: () => 1024 };

describe("hint budget", () => {
  it("is 4 GiB per target unless configured", () => {
    const budget = new HintBudget({ counts: new HintTable(), effects: silent });
    expect(budget.bytesMax).toBe(4 * 2 ** 30);
    expect([budget.fits(2, hintBytesMaxDefault), budget.fits(2, hintBytesMaxDefault + 1)]).toEqual([true, false]);
  });

  it("story: reached", () => {
    const levels: string[] = [];
    const names = ["fine", "half full", "high", "full"];
    const effects = {
      levelChanged: (_now: Instant, target: number, level: HintLevel, bytes: number): void => {
        levels.push(`      the hints for node ${target} are ${names[level]}: ${bytes} bytes`);
      },
    };
    const room = { fits: (target: number, growth: number): boolean => budget.fits(target, growth) };
    const story = new ReplicaStory({ hintRoom: room });
    const size = recordNamed("B1").length + 3;
    const budget = new HintBudget({ counts: liveCounts(story.store), effects, bytesMax: 5 * size });
    const step = (): void => {
      while (story.store.owed.length > 0) story.answer();
      budget.check(story.now);
      for (const line of levels.splice(0)) story.say(line);
    };
    for (const name of ["a", "b", "c", "d", "e"]) {
      story.keep(name, 2, recordNamed("B1"));
      step();
    }
    story.say("    past the budget the coordinator is sent on, to another fallback");
    expect(story.keep("f", 2, recordNamed("B1")).status).toBe(0);
    step();
    expect(story.last.status).toBe(wireOf("OVERLOADED"));
    story.say("    another target has a budget of its own");
    story.keep("f", 3, recordNamed("B1"));
    step();
    expect(story.last.status).toBe(statusOk);
    story.say("    deliveries make room");
    for (const name of ["a", "b", "c", "d"]) {
      story.drop(name, 2, recordNamed("B1"));
      step();
    }
    story.keep("f", 2, recordNamed("B1"));
    step();
    const waits = { level: 0, oldest: 100, waiting: "unreachable", failure: 6, bytesPerSecond: 1024 };
    expect(budget.report(idle)).toEqual([
      { target: 2, count: 2, bytes: 2 * size, bytesMax: 5 * size, ...waits },
      { target: 3, count: 1, bytes: size, bytesMax: 5 * size, ...waits },
    ]);
    expectGolden(
      "hint-budget",
      story.text("The budget for a node is reached: alarms before, a refusal then, room after deliveries."),
    );
  });

  it("has levels that rise with the bytes and do not flutter", () => {
    const level = fc.constantFrom<HintLevel>(0, 1, 2, 3);
    fc.assert(
      fc.property(level, fc.nat(1100), fc.nat(1100), (before, a, b) => {
        const [few, many] = [Math.min(a, b), Math.max(a, b)];
        expect(decideLevel(before, few, 1000)).toBeLessThanOrEqual(decideLevel(before, many, 1000));
        const now = decideLevel(before, many, 1000);
        expect(decideLevel(now, many, 1000)).toBe(now);
      }),
    );
    expect([499, 500, 799, 800, 989, 990].map((bytes) => decideLevel(0, bytes, 1000))).toEqual([0, 1, 1, 2, 2, 3]);
    expect([890, 889, 700, 699, 400, 399].map((bytes) => decideLevel(3, bytes, 1000))).toEqual([3, 2, 2, 1, 1, 0]);
  });
});

describe("hint table", () => {
  it("agrees with a plain list, whatever is written and deleted", () => {
    const change = fc.record({
      key: fc.nat(4),
      target: fc.integer({ min: 1, max: 3 }),
      bytes: fc.nat(20),
      second: fc.integer({ min: 1, max: 5 }),
    });
    fc.assert(
      fc.property(fc.array(change, { maxLength: 60 }), (changes) => {
        const table = new HintTable();
        const plain = new Map<string, { target: number; bytes: number; second: number }>();
        for (const { key, target, bytes, second } of changes) {
          const name = `${key}/${target}`;
          const before = plain.get(name);
          if (bytes === 0 && before === undefined) continue;
          const write = new StoreWrite();
          write.fullKey = new Uint8Array(key);
          write.sealed = new Uint8Array(bytes);
          write.hint = { target, second, secondBefore: before?.second ?? 0, bytesBefore: before?.bytes ?? -1 };
          table.begin(write, write.hint);
          table.end(write, write.hint);
          if (bytes === 0) plain.delete(name);
          else plain.set(name, { target, bytes, second });
        }
        for (const target of [1, 2, 3]) {
          const own = [...plain].filter(([, hint]) => hint.target === target);
          const bytes = own.reduce((sum, [name, hint]) => sum + hint.bytes + Number(name[0]), 0);
          const oldest = own.length === 0 ? 0 : Math.min(...own.map(([, hint]) => hint.second));
          expect([table.countOf(target), table.bytesOf(target), table.oldestOf(target)]).toEqual([
            own.length,
            bytes,
            oldest,
          ]);
        }
        expect([table.total, table.targets().length]).toEqual([
          plain.size,
          new Set([...plain.values()].map(({ target }) => target)).size,
        ]);
      }),
    );
  });

  it("counts a hint until its deletion is written, so that none is none", () => {
    const table = new HintTable();
    const kept = new StoreWrite();
    kept.sealed = new Uint8Array(8);
    kept.hint = { target: 2, second: 1, secondBefore: 0, bytesBefore: -1 };
    table.begin(kept, kept.hint);
    expect(table.total).toBe(1);
    table.end(kept, kept.hint);
    const gone = new StoreWrite();
    gone.hint = { target: 2, second: 1, secondBefore: 1, bytesBefore: 8 };
    table.begin(gone, gone.hint);
    expect(table.total).toBe(1);
    table.end(gone, gone.hint);
    expect([table.total, table.bytes, table.targets()]).toEqual([0, 0, []]);
  });
});

describe("hint credits", () => {
  const calm = { foregroundUs: 100, limitUs: 3_000, behind: false };

  it("are shared among those who deliver, and given anew when one falls silent", () => {
    const credits = new HintCredits(1_200_000, 5_000_000);
    expect(credits.grant(instant(0), 1, calm)).toBe(1_200_000);
    expect(credits.grant(instant(1), 2, calm)).toBe(600_000);
    expect(credits.grant(instant(2), 3, calm)).toBe(400_000);
    expect(credits.grant(instant(5_000_001), 3, calm)).toBe(1_200_000);
    expect(credits.senders).toBe(1);
  });

  it("shrink when clients suffer, and end when the store is behind", () => {
    const credits = new HintCredits(1_200_000, 5_000_000);
    expect(credits.grant(instant(0), 1, { ...calm, foregroundUs: 3_001 })).toBe(300_000);
    expect(credits.grant(instant(0), 1, { ...calm, foregroundUs: 3_001, limitUs: 0 })).toBe(1_200_000);
    expect(credits.grant(instant(0), 1, { ...calm, behind: true })).toBe(0);
    expect(new HintCredits(1000).grant(instant(0), 1, calm)).toBe(16 * 1024);
  });
});

describe("small decisions", () => {
  it("halve the rate on trouble, add a step otherwise, within bounds", () => {
    fc.assert(
      fc.property(fc.integer({ min: 64, max: 4096 }), fc.boolean(), (rate, slow) => {
        const next = decideRate(rate, slow, 64, 4096, 100);
        expect(next).toBeGreaterThanOrEqual(64);
        expect(next).toBeLessThanOrEqual(4096);
        expect(next).toBe(slow ? Math.max(64, (rate - (rate % 2)) / 2) : Math.min(4096, rate + 100));
      }),
    );
  });

  it("tell an error of one hint from one of the target", () => {
    for (const code of ["WRONG_OWNER", "STORAGE_FAILED", "INVALID_ARGUMENT"] as const) {
      expect(concernsOneHint(wireOf(code))).toBe(true);
    }
    for (const code of ["OVERLOADED", "DEADLINE_EXCEEDED", "CONNECTION_LOST", "NODE_STOPPING"] as const) {
      expect(concernsOneHint(wireOf(code))).toBe(false);
    }
  });
});
