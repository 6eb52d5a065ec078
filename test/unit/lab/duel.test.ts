/** Two sides held against each other: equal ones show no difference, unequal ones do, and a slow minute hits both. */
import { describe, expect, it } from "vitest";
import { Rng } from "../../../src/base/rng.ts";
import { type DuelBlock, duelOf, duelOrder, sayRow } from "../../../src/lab/duel.ts";
import { fraction } from "../../../src/lab/key-choice.ts";
import { latencyHistogram } from "../../../src/metrics/metrics.ts";

/** A block of four seconds; `minute` is how slow the machine is just then. */
function block(rng: Rng, meanUs: number, minute: number): DuelBlock {
  const slices = Array.from({ length: 4 }, () => {
    const histogram = latencyHistogram();
    for (let i = 0; i < 1000; i += 1)
      histogram.recordValue(Math.ceil(meanUs * minute * -Math.log(1 - fraction(rng))) + 1);
    return histogram;
  });
  return { slices, throughput: 1000 / minute };
}

function sides(factor: number, pairs: number): { a: DuelBlock[]; b: DuelBlock[] } {
  const rng = new Rng(11);
  const minutes = Array.from({ length: pairs }, () => 1 + 2 * fraction(rng));
  return {
    a: minutes.map((minute) => block(rng, 1000, minute)),
    b: minutes.map((minute) => block(rng, 1000 * factor, minute)),
  };
}

describe("interleaved blocks", () => {
  it("of equals show no difference, although the machine's speed varies threefold", () => {
    const { a, b } = sides(1, 10);
    const duel = duelOf(a, b);
    const said = new Set(duel.rows.filter(({ enough }) => enough).map(sayRow));
    expect([...said]).toEqual(["no difference shown"]);
    expect(duel.throughput.ratio.value).toBe(1);
  });

  it("of a fifth slower show it, and how much", () => {
    const { a, b } = sides(1.2, 10);
    const { rows, pairRatios } = duelOf(a, b);
    const p50 = rows.find(({ percentile }) => percentile === 50);
    expect(p50?.ratio.value).toBeGreaterThan(1.15);
    expect(p50?.ratio.value).toBeLessThan(1.25);
    expect(p50?.p).toBeLessThan(0.01);
    expect(p50 === undefined ? "" : sayRow(p50)).toMatch(/^B is \d+\.\d % slower$/);
    expect(pairRatios).toHaveLength(10);
  });

  it("a percentile with too few samples beyond it is not judged", () => {
    const { a, b } = sides(3, 2);
    const row = duelOf(a, b).rows.find(({ percentile }) => percentile === 99.99);
    expect(row?.enough).toBe(false);
    expect(row === undefined ? "" : sayRow(row)).toBe("too few samples");
  });

  it("run A B, B A, A B: neither is always first", () => {
    expect(duelOrder(3)).toEqual(["a", "b", "b", "a", "a", "b"]);
  });
});

it("one pair: the interval comes from the seconds, and there is no test", () => {
  const { a, b } = sides(2, 1);
  const [p50] = duelOf(a, b).rows;
  expect(p50?.p).toBeNull();
  expect(p50?.ratio.low).toBeGreaterThan(1.7);
  expect(p50?.ratio.high).toBeLessThan(2.3);
});
