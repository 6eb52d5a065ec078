/**
 * Finds a layout with as few skipping lists as can be: lays out (claim-layout.ts), mends by swaps what is too close, and
 * keeps the best. Work is bounded: a fixed number of layouts, each with swaps in proportion to the ring, whether or not
 * quotas and zones can be satisfied at all.
 */
import { assert } from "../base/assert.ts";
import type { Rng } from "../base/rng.ts";
import { columnOrder, type LayoutProblem, layGreedily, layInColumns, zonePattern } from "./claim-layout.ts";

/** Whether a list of the partition must skip a host among its first N+1 positions. */
export function skipsHost(hostAt: Uint16Array, partition: number, spacing: number): boolean {
  const mask = hostAt.length - 1;
  for (let i = 0; i < spacing; i += 1) {
    const host = hostAt[(partition + i) & mask];
    for (let j = i + 1; j < spacing; j += 1) if (hostAt[(partition + j) & mask] === host) return true;
  }
  return false;
}

/** How many zones the `copies` positions from the partition on use. */
export function zonesFrom(zoneAt: Uint16Array, partition: number, copies: number): number {
  const mask = zoneAt.length - 1;
  let zones = 0;
  for (let i = 0; i < copies; i += 1) {
    const zone = zoneAt[(partition + i) & mask];
    let earlier = false;
    for (let j = 0; j < i && !earlier; j += 1) earlier = zoneAt[(partition + j) & mask] === zone;
    if (!earlier) zones += 1;
  }
  return zones;
}

function skippingLists(problem: LayoutProblem, layout: Uint16Array): number {
  const { partitions, spacing, copies, zones, zoneOf, zoneRule } = problem;
  const zoneAt = layout.map((host) => zoneOf[host] as number);
  let lists = 0;
  for (let p = 0; p < partitions; p += 1) {
    if (skipsHost(layout, p, spacing)) lists += 1;
    if (zoneRule !== "none" && zonesFrom(zoneAt, p, copies) < Math.min(copies, zones)) lists += 1;
  }
  return lists;
}

/** Mends one layout in place by swaps that bring no new fault. */
class Mender {
  readonly #problem: LayoutProblem;
  readonly #layout: Uint16Array;
  readonly #rng: Rng;
  readonly #mask: number;
  #fault = 0;

  constructor(problem: LayoutProblem, layout: Uint16Array, rng: Rng) {
    this.#problem = problem;
    this.#layout = layout;
    this.#rng = rng;
    this.#mask = layout.length - 1;
  }

  /** Stops at the first layout without fault, at the latest after `swapsMax` trials. */
  run(swapsMax: number): void {
    const perScan = Math.max(32, this.#layout.length >>> 3);
    const faulty: number[] = [];
    for (let tried = 0; tried < swapsMax; tried += perScan) {
      faulty.length = 0;
      this.#fault = 0;
      for (let p = 0; p <= this.#mask; p += 1) {
        const fault = this.#faultAt(p);
        if (fault > 0) faulty.push(p);
        this.#fault += fault;
      }
      for (let i = 0; i < perScan && this.#fault > 0; i += 1) this.#trySwap(this.#rng.pick(faulty));
      if (this.#fault === 0) return;
    }
  }

  /** Swaps a position near the fault with one close by or anywhere; takes it back if that made things worse. */
  #trySwap(near: number): void {
    const copies = this.#problem.copies;
    const i = (near + this.#rng.below(2 * copies + 1) - copies) & this.#mask;
    const close = this.#rng.below(2) === 0;
    const j = close ? (i + 1 + this.#rng.below(copies + 1)) & this.#mask : this.#rng.below(this.#mask + 1);
    if (this.#layout[i] === this.#layout[j]) return;
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
    for (let k = 0; k <= reach; k += 1) fault += this.#faultAt((i - k) & this.#mask);
    for (let k = 0; k <= reach; k += 1) {
      const p = (j - k) & this.#mask;
      if (((i - p) & this.#mask) > reach) fault += this.#faultAt(p);
    }
    return fault;
  }

  /** What is wrong between this position and the N after it; 0: nothing. */
  #faultAt(position: number): number {
    const { copies, zoneOf, zoneRule, zones } = this.#problem;
    const host = this.#layout[position] as number;
    const zone = zoneOf[host] as number;
    const hostSpacing = this.#problem.hostSpacing[host] as number;
    const zoneSpacing = zoneRule === "apart" ? (this.#problem.zoneSpacing[zone] as number) : 0;
    let zonesSeen = 1 << zone;
    let fault = 0;
    for (let k = 1; k <= copies; k += 1) {
      const other = this.#layout[(position + k) & this.#mask] as number;
      const otherZone = zoneOf[other] as number;
      if (other === host && k < hostSpacing) fault += 4 * (hostSpacing - k);
      if (otherZone === zone && k < zoneSpacing) fault += 1;
      if (k < copies) zonesSeen |= 1 << otherZone;
    }
    if (zoneRule !== "cover") return fault;
    for (let z = 0; z < zones; z += 1) if ((zonesSeen & (1 << z)) === 0) fault += 1;
    return fault;
  }
}

/** Whether every quota, of hosts and of zones, is one that the wanted spacing allows, give or take the rounding. */
function satisfiable(problem: LayoutProblem): boolean {
  const { partitions, spacing, copies, quota, zoneQuota, zoneRule } = problem;
  for (const q of quota) if (q * spacing > partitions) return false;
  for (const q of zoneQuota) {
    if (zoneRule === "apart" && (q - 1) * copies >= partitions) return false;
    if (zoneRule === "cover" && (q + 1) * copies <= partitions) return false;
  }
  return true;
}

/** A small ring is laid out again if its ends do not meet: cheaper than mending, and the spread stays what it was. */
const triesWhenSmall = 3;
const partitionsWhenSmall = 128;

/** The best of a bounded number of layouts, as a host index per position. Deterministic in the problem and `rng`. */
export function findLayout(problem: LayoutProblem, rng: Rng): Uint16Array {
  const { partitions, spacing, quota, zoneRule } = problem;
  const swapsMax = satisfiable(problem) ? 4 * partitions + 512 : 0;
  const pattern = (): Uint16Array => layGreedily(problem, rng, zonePattern(problem, rng));
  const columns = (): Uint16Array => layInColumns(quota, columnOrder(problem, rng), spacing);
  let best: Uint16Array = new Uint16Array(0);
  let fewest = Number.MAX_SAFE_INTEGER;
  const consider = (layout: Uint16Array, margin: number): boolean => {
    const skipping = skippingLists(problem, layout);
    if (skipping === 0 || skipping * (1 + margin) + problem.copies * margin < fewest) {
      best = layout;
      fewest = skipping;
    }
    return fewest === 0;
  };
  const considerMended = (layout: Uint16Array, margin: number): boolean => {
    if (consider(layout, margin)) return true;
    if (swapsMax === 0) return false;
    const mended = layout.slice();
    new Mender(problem, mended, rng).run(swapsMax);
    return consider(mended, margin);
  };
  // With no more hosts than the spacing asks for, they can only take turns.
  if (quota.length <= spacing && isEven(quota)) {
    if (considerMended(columns(), 0) || zoneRule === "none") return best;
  }
  const tries = partitions <= partitionsWhenSmall ? triesWhenSmall : 1;
  for (let i = 1; i < tries; i += 1) if (consider(layGreedily(problem, rng), 0)) return best;
  if (zoneRule === "apart" && problem.zones === problem.copies && considerMended(pattern(), 0)) return best;
  if (considerMended(layGreedily(problem, rng), 0)) return best;
  if (zoneRule !== "none" && considerMended(pattern(), 0)) return best;
  // Columns spread a failed host's load badly: they must save a good part of the skipping lists.
  considerMended(columns(), 1);
  return best;
}

function isEven(quota: Int32Array): boolean {
  const largest = quota.reduce((most, q) => Math.max(most, q), 0);
  return quota.every((q) => q >= largest - 1);
}
