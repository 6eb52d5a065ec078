/** Hedging: the delay, the budget, when nothing is hedged, the estimate of a percentile, and the score of a replica. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { enableCanaries } from "../../../src/base/canary.ts";
import { Rng } from "../../../src/base/rng.ts";
import { HedgeBudget, haveTime, hedgeDelayUs, P95, replicaScore } from "../../../src/metrics/hedge.ts";

const peersOf = (...list: readonly number[]): { p95Us: number }[] => list.map((p95Us) => ({ p95Us }));

describe("the delay", () => {
  test("is the 95th percentile of the two fastest, whatever the others take", () => {
    expect(hedgeDelayUs(peersOf(90_000, 2_000, 0, 3_000), 30_000)).toBe(3_000);
    expect(hedgeDelayUs(peersOf(3_000, 2_000, 2_000), 30_000)).toBe(2_000);
  });

  test("is 1 ms at least and a third of the target at the most", () => {
    expect(hedgeDelayUs(peersOf(200, 300), 30_000)).toBe(1_000);
    expect(hedgeDelayUs(peersOf(200, 50_000), 30_000)).toBe(10_000);
  });

  test("there is none where even the fastest is slow, with one peer, or without a target", () => {
    expect(hedgeDelayUs(peersOf(10_001, 10_002, 10_003), 30_000)).toBe(0);
    expect(hedgeDelayUs(peersOf(200, 0), 30_000)).toBe(0);
    expect(hedgeDelayUs(peersOf(200, 300), 0)).toBe(0);
  });

  test("agrees with sorting", () => {
    fc.assert(
      fc.property(fc.array(fc.nat({ max: 20_000 }), { maxLength: 6 }), fc.nat({ max: 60_000 }), (list, target) => {
        const [fastest = 0, second = 0] = list.filter((us) => us > 0).sort((a, b) => a - b);
        const most = Math.floor(target / 3);
        const expected = second === 0 || fastest > most ? 0 : Math.max(1_000, Math.min(second, most));
        expect(hedgeDelayUs(peersOf(...list), target)).toBe(expected);
      }),
    );
  });
});

describe("the budget", () => {
  function hedgesOf(requests: number): number {
    const budget = new HedgeBudget();
    let hedges = 0;
    for (let i = 0; i < requests; i += 1) {
      budget.earn();
      while (budget.take()) hedges += 1;
    }
    return hedges;
  }

  test("is one in twenty", () => {
    expect(new HedgeBudget().take()).toBe(false);
    expect(hedgesOf(19)).toBe(0);
    expect(hedgesOf(10_000)).toBe(500);
  });

  test("saves for eight at once and no more", () => {
    const budget = new HedgeBudget();
    for (let i = 0; i < 10_000; i += 1) budget.earn();
    let hedges = 0;
    while (budget.take()) hedges += 1;
    expect(hedges).toBe(8);
  });

  test("the planted bug is found: hedges without end", () => {
    enableCanaries(["hedge-without-budget"]);
    try {
      expect(new HedgeBudget().take()).toBe(true);
    } finally {
      enableCanaries([]);
    }
  });
});

test("nothing is hedged above 70 % of all nodes' time", () => {
  const nodes = (...list: readonly number[]): { busy: number }[] => list.map((busy) => ({ busy }));
  expect(haveTime(nodes(70, 70, 70))).toBe(true);
  expect(haveTime(nodes(100, 100, 11))).toBe(false);
  expect(haveTime(nodes(100, 100, 10))).toBe(true);
});

describe("the estimate of the 95th percentile", () => {
  test("says nothing of a few samples", () => {
    const p95 = new P95();
    for (let i = 0; i < 15; i += 1) p95.add(100);
    expect(p95.us).toBe(0);
    p95.add(300);
    expect(p95.us).toBe(300);
    p95.forget();
    expect(p95.us).toBe(0);
  });

  test("stays near it, for narrow and wide distributions", () => {
    const rng = new Rng(7);
    for (const draw of [() => rng.between(900, 1_100), () => rng.between(1, 10_000), () => 50 * 2 ** rng.below(8)]) {
      const p95 = new P95();
      const seen: number[] = [];
      let sum = 0;
      for (let i = 0; i < 20_000; i += 1) {
        const us = draw();
        seen.push(us);
        p95.add(us);
        if (i >= 10_000) sum += p95.us;
      }
      seen.sort((a, b) => a - b);
      const exact = seen[Math.floor(seen.length * 0.95)] as number;
      expect(sum / 10_000).toBeGreaterThan(exact * 0.8);
      expect(sum / 10_000).toBeLessThan(exact * 1.25);
    }
  });

  test("follows a change within some hundred samples", () => {
    const p95 = new P95();
    for (let i = 0; i < 1_000; i += 1) p95.add(500);
    for (let i = 0; i < 60; i += 1) p95.add(10_000);
    expect(p95.us).toBe(10_000);
    for (let i = 0; i < 1_000; i += 1) p95.add(500);
    expect(p95.us).toBe(500);
  });
});

test("the score: latency times the third power of the queue, exact, and 0 for who is not known", () => {
  expect(replicaScore(500, 0, 0)).toBe(500);
  expect(replicaScore(500, 1, 2)).toBe(500 * 64);
  expect(replicaScore(0, 9, 9)).toBe(0);
  expect(Number.isSafeInteger(replicaScore(60_000_000, 65_536, 1_000_000))).toBe(true);
  // A queue twice as long is worth no latency below an eighth.
  expect(replicaScore(700, 9, 0)).toBeGreaterThan(replicaScore(5_000, 4, 0));
  expect(replicaScore(600, 9, 0)).toBeLessThan(replicaScore(5_000, 4, 0));
});
