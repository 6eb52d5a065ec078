/**
 * How many partitions each host and node gets: proportional to weight, rounded by largest remainder, within one of the
 * exact share at every level (zone, host, node) at once. Rounding is the one freedom there is, and it goes first to
 * whoever can hold one more partition without breaking the spacing of the layout (claim-layout.ts).
 */
import { assert } from "../base/assert.ts";
import type { Rng } from "../base/rng.ts";

/** Someone who gets a share: a zone, a host or a node. */
export interface Claimant {
  readonly weight: number;
  /** The most partitions the layout can space; more are given only if there is no other way. */
  readonly cap: number;
}

/** The largest whole number of times `b` goes into `a`; both whole, `b` positive. */
export function wholeQuotient(a: number, b: number): number {
  return (a - (a % b)) / b;
}

/**
 * Splits `total` over the claimants so that each gets its exact share (`partitions` x weight / `weightSum`) rounded down
 * or up. `total` may differ from the sum of shares by their rounding; if it differs by more (after `seatAll`), the
 * difference is dealt out in turn.
 */
export function apportion(
  total: number,
  claimants: readonly Claimant[],
  partitions: number,
  weightSum: number,
  rng: Rng,
): Int32Array {
  const quota = new Int32Array(claimants.length);
  const remainder = new Float64Array(claimants.length);
  let left = total;
  for (const [i, claimant] of claimants.entries()) {
    const exact = partitions * claimant.weight;
    quota[i] = wholeQuotient(exact, weightSum);
    remainder[i] = exact % weightSum;
    left -= quota[i] as number;
  }
  const order = rng.shuffle([...claimants.keys()]);
  order.sort((a, b) => rank(b) - rank(a) || (remainder[b] as number) - (remainder[a] as number));
  for (let turn = 0; left > 0; turn += 1) {
    const i = order[turn % order.length] as number;
    quota[i] = (quota[i] as number) + 1;
    left -= 1;
  }
  for (let turn = order.length - 1; left < 0; turn = turn === 0 ? order.length - 1 : turn - 1) {
    const i = order[turn] as number;
    if (quota[i] === 0) continue;
    quota[i] = (quota[i] as number) - 1;
    left += 1;
  }
  return quota;

  /** Who is rounded up first: those who would have nothing, then those with room, then the rest with a remainder. */
  function rank(i: number): number {
    if (remainder[i] === 0) return 0;
    if (quota[i] === 0) return 3;
    return (quota[i] as number) < (claimants[i] as Claimant).cap ? 2 : 1;
  }
}

/**
 * Gives at least one partition to every host if there are enough, taking from the largest: a host that owns nothing is
 * met by no walk, and copies need distinct hosts. Only extreme weights need it, and only then is a quota off by more
 * than one.
 */
export function seatAll(quota: Int32Array, partitions: number): void {
  if (quota.length > partitions) return;
  for (let i = 0; i < quota.length; i += 1) {
    if (quota[i] !== 0) continue;
    let largest = 0;
    for (let j = 1; j < quota.length; j += 1) if ((quota[j] as number) > (quota[largest] as number)) largest = j;
    assert((quota[largest] as number) > 1, "no host has a partition to give");
    quota[largest] = (quota[largest] as number) - 1;
    quota[i] = 1;
  }
}
