/**
 * Finds a layout with as few faults as can be: lays out (claim-layout.ts), mends by swaps what is too close, and keeps the
 * best. Work is bounded: a fixed number of layouts, each with swaps in proportion to the ring, whether or not quotas and
 * zones can be satisfied at all.
 */
import { assert } from "../base/assert.ts";
import type { Rng } from "../base/rng.ts";
import { columnOrder, type LayoutProblem, layGreedily, layInColumns, zonePattern } from "./claim-layout.ts";

/** What is wrong between the position and the N after it; 0: nothing. Hosts too close weigh more than zones. */
function faultAt(problem: LayoutProblem, layout: Uint16Array, position: number): number {
  const { copies, zoneOf, zoneRule, zones } = problem;
  const mask = layout.length - 1;
  const host = layout[position] as number;
  const zone = zoneOf[host] as number;
  const hostSpacing = problem.hostSpacing[host] as number;
  const zoneSpacing = zoneRule === "apart" ? (problem.zoneSpacing[zone] as number) : 0;
  let zonesSeen = 1 << zone;
  let fault = 0;
  for (let k = 1; k <= copies; k += 1) {
    const other = layout[(position + k) & mask] as number;
    const otherZone = zoneOf[other] as number;
    if (other === host && k < hostSpacing) fault += 4 * (hostSpacing - k);
    if (otherZone === zone && k < zoneSpacing) fault += 1;
    if (k < copies) zonesSeen |= 1 << otherZone;
  }
  if (zoneRule !== "cover") return fault;
  for (let z = 0; z < zones; z += 1) if ((zonesSeen & (1 << z)) === 0) fault += 1;
  return fault;
}

function faultOf(problem: LayoutProblem, layout: Uint16Array): number {
  let fault = 0;
  for (let p = 0; p < layout.length; p += 1) fault += faultAt(problem, layout, p);
  return fault;
}

/** Mends one layout in place by swaps that bring no new fault; within zones only, if their pattern is to be kept. */
class Mender {
  readonly #problem: LayoutProblem;
  readonly #layout: Uint16Array;
  readonly #keepZones: boolean;
  readonly #rng: Rng;
  readonly #mask: number;
  #fault = 0;

  constructor(problem: LayoutProblem, layout: Uint16Array, keepZones: boolean, rng: Rng) {
    this.#problem = problem;
    this.#layout = layout;
    this.#keepZones = keepZones;
    this.#rng = rng;
    this.#mask = layout.length - 1;
  }

  /** Stops when no more than `least` is wrong, at the latest after `swapsMax` trials or a few more. */
  run(least: number, swapsMax: number): void {
    const perScan = Math.max(32, this.#layout.length >>> 3);
    const faulty: number[] = [];
    for (let tried = 0; tried < swapsMax; tried += perScan) {
      faulty.length = 0;
      this.#fault = 0;
      for (let p = 0; p <= this.#mask; p += 1) {
        const fault = faultAt(this.#problem, this.#layout, p);
        if (fault > 0) faulty.push(p);
        this.#fault += fault;
      }
      for (let i = 0; i < perScan && this.#fault > least; i += 1) this.#trySwap(this.#rng.pick(faulty));
      if (this.#fault <= least) return;
    }
  }

  /** Swaps a position near the fault with one close by or anywhere; takes it back if that made things worse. */
  #trySwap(near: number): void {
    const copies = this.#problem.copies;
    const i = (near + this.#rng.below(2 * copies + 1) - copies) & this.#mask;
    const close = this.#rng.below(2) === 0;
    const j = close ? (i + 1 + this.#rng.below(copies + 1)) & this.#mask : this.#rng.below(this.#mask + 1);
    const one = this.#layout[i] as number;
    const other = this.#layout[j] as number;
    if (one === other || (this.#keepZones && this.#problem.zoneOf[one] !== this.#problem.zoneOf[other])) return;
    const before = this.#faultAround(i, j);
    this.#swap(i, j);
    const after = this.#faultAround(i, j);
    if (after > before) this.#swap(i, j);
    else this.#fault += after - before;
    assert(this.#fault >= 0, "more faults mended than there were");
  }

  #swap(i: number, j: number): void {
    const held = this.#layout[i] as number;
    this.#layout[i] = this.#layout[j] as number;
    this.#layout[j] = held;
  }

  /** The faults of all positions whose view ahead holds i or j, each counted once. */
  #faultAround(i: number, j: number): number {
    const reach = this.#problem.copies;
    let fault = 0;
    for (let k = 0; k <= reach; k += 1) fault += faultAt(this.#problem, this.#layout, (i - k) & this.#mask);
    for (let k = 0; k <= reach; k += 1) {
      const p = (j - k) & this.#mask;
      if (((i - p) & this.#mask) > reach) fault += faultAt(this.#problem, this.#layout, p);
    }
    return fault;
  }
}

/** Whether every quota, of hosts and of zones, leaves room for the wanted spacing; zones give or take the rounding. */
function satisfiable(problem: LayoutProblem): boolean {
  const { partitions, spacing, copies, quota, zoneQuota, zoneRule } = problem;
  for (const q of quota) if (q * spacing > partitions) return false;
  for (const q of zoneQuota) {
    if (zoneRule === "apart" && (q - 1) * copies >= partitions) return false;
    if (zoneRule === "cover" && (q + 1) * copies <= partitions) return false;
  }
  return true;
}

function isEven(quota: Int32Array): boolean {
  const largest = quota.reduce((most, q) => Math.max(most, q), 0);
  return quota.every((q) => q >= largest - 1);
}

/** A small ring is laid out again if its ends do not meet: cheaper than mending, and the spread stays what it was. */
const triesWhenSmall = 3;
const partitionsWhenSmall = 128;

/** The layouts tried so far: the best of them. */
class Search {
  best: Uint16Array = new Uint16Array(0);
  readonly #problem: LayoutProblem;
  readonly #rng: Rng;
  readonly #swapsMax: number;
  /** As good as it gets: with as many zones as copies, the last round of zones may be cut short. */
  readonly #least: number;
  #fewest: number = Number.MAX_SAFE_INTEGER;

  constructor(problem: LayoutProblem, rng: Rng) {
    const { partitions, copies, zones, zoneRule } = problem;
    this.#problem = problem;
    this.#rng = rng;
    this.#swapsMax = satisfiable(problem) ? 4 * partitions + 512 : partitions;
    this.#least = zoneRule === "apart" && zones === copies ? partitions % copies : 0;
  }

  /** Whether the search may end: the layout, or an earlier one, is good enough. */
  try(layout: Uint16Array): boolean {
    const fault = faultOf(this.#problem, layout);
    if (fault < this.#fewest) {
      this.best = layout;
      this.#fewest = fault;
    }
    return this.#fewest <= this.#least;
  }

  /** Tries the layout as it is, then mended. */
  tryMended(layout: Uint16Array, keepZones: boolean): boolean {
    if (this.try(layout)) return true;
    const mended = layout.slice();
    new Mender(this.#problem, mended, keepZones, this.#rng).run(this.#least, this.#swapsMax);
    return this.try(mended);
  }

  /** As `tryMended` for a layout that spreads load badly: it must be without fault, or save most of them. */
  tryReluctantly(layout: Uint16Array): void {
    const { best } = this;
    const fewest = this.#fewest;
    this.tryMended(layout, false);
    if (this.#fewest > this.#least && 2 * this.#fewest + this.#problem.copies >= fewest) this.best = best;
  }
}

/** The best of a bounded number of layouts, as a host index per position. Deterministic in the problem and `rng`. */
export function findLayout(problem: LayoutProblem, rng: Rng): Uint16Array {
  const { partitions, spacing, quota, zoneRule } = problem;
  const search = new Search(problem, rng);
  const columns = (): Uint16Array => layInColumns(quota, columnOrder(problem, rng), spacing);
  const pattern = (): Uint16Array => layGreedily(problem, rng, zonePattern(problem, rng));
  if (quota.length <= spacing && isEven(quota)) {
    // Hosts no more than the spacing can only take turns.
    if (search.try(columns()) || zoneRule === "none") return search.best;
  }
  // As many zones as copies can only take turns as well; hosts are free within each.
  const zonesInTurn = zoneRule === "apart" && problem.zones === problem.copies;
  if (zonesInTurn && search.tryMended(pattern(), true)) return search.best;
  const tries = partitions <= partitionsWhenSmall ? triesWhenSmall : 1;
  for (let i = 1; i < tries; i += 1) if (search.try(layGreedily(problem, rng))) return search.best;
  if (search.tryMended(layGreedily(problem, rng), false)) return search.best;
  if (zoneRule !== "none" && search.tryMended(pattern(), zonesInTurn)) return search.best;
  search.tryReluctantly(columns());
  return search.best;
}
