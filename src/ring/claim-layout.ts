/**
 * The order of hosts around the ring, given how many partitions each gets. Wanted, in this order:
 *
 *   1. spacing: a host never twice within N+1 consecutive positions, so no preference list skips, replica load equals
 *      owned load, and the first fallback is on a host of its own;
 *   2. zones: any N consecutive positions use min(N, Z) zones;
 *   3. spread: when a host fails, what it held falls on all others alike, not on the few that happen to follow it.
 *
 * Three ways to lay it out, all random within their rules. `layGreedily` chooses position by position the host that best
 * evens out who follows whom; it is the one for spread, but may run into a corner where the ends of the ring meet.
 * Given a pattern of zones, it follows that. `layInColumns` is regular, and keeps the spacing whenever any layout can.
 * claim-search.ts picks among them and mends what is left. Positions wrap everywhere.
 */
import { assert } from "../base/assert.ts";
import type { Rng } from "../base/rng.ts";
import { wholeQuotient } from "./claim-quota.ts";

/** What the rule for zones amounts to: with at least N zones they must lie apart, with fewer none may be long absent. */
export type ZoneRule = "none" | "apart" | "cover";

/** Hosts and zones by index. A layout is a host index per position. */
export interface LayoutProblem {
  readonly partitions: number;
  /** N: the largest n of any bucket. */
  readonly copies: number;
  readonly quota: Int32Array;
  readonly weight: Int32Array;
  readonly zoneOf: Int32Array;
  readonly zones: number;
  readonly zoneQuota: Int32Array;
  readonly zoneRule: ZoneRule;
  /** How far apart any host should be: N+1, or the number of hosts if that is less. */
  readonly spacing: number;
  /** Per host what is asked of the search: `spacing`, or less for one with too large a quota. */
  readonly hostSpacing: Int32Array;
  /** Per zone, for the rule `apart`: as `hostSpacing`, from N. */
  readonly zoneSpacing: Int32Array;
  /** Per zone, for the rule `cover`: the longest way from one position to the next; N, or more for a small zone. */
  readonly zoneReach: Int32Array;
}

/** Works out the spacings; every host has a quota of at least 1 unless there are more hosts than partitions. */
export function layoutProblem(
  quota: Int32Array,
  weight: Int32Array,
  zoneOf: Int32Array,
  partitions: number,
  copies: number,
): LayoutProblem {
  const hosts = quota.length;
  const spacing = Math.min(copies + 1, hosts);
  const zones = zoneOf.reduce((most, zone) => Math.max(most, zone + 1), 0);
  const zoneQuota = new Int32Array(zones);
  for (let h = 0; h < hosts; h += 1) {
    const zone = zoneOf[h] as number;
    zoneQuota[zone] = (zoneQuota[zone] as number) + (quota[h] as number);
  }
  // One less than the quota: rounding up is no reason to give up the spacing of the whole ring.
  const share = (q: number, most: number): number => Math.min(most, wholeQuotient(partitions, Math.max(1, q - 1)));
  let zoneRule: ZoneRule = zones >= copies ? "apart" : "cover";
  if (zones === 1 || copies === 1 || hosts <= copies) zoneRule = "none";
  return {
    partitions,
    copies,
    quota,
    weight,
    zoneOf,
    zones,
    zoneQuota,
    zoneRule,
    spacing,
    hostSpacing: quota.map((q) => share(q, spacing)),
    zoneSpacing: zoneQuota.map((q) => share(q, copies)),
    zoneReach: zoneQuota.map((q) => Math.max(copies, wholeQuotient(partitions + q - 1, q || 1))),
  };
}

/** The items take turns; where the ring closes, one round is cut short to those with one turn more. */
function layInTurn(counts: Int32Array, order: readonly number[], total: number): Uint16Array {
  const rounds = wholeQuotient(total, order.length);
  const layout = new Uint16Array(total);
  let at = 0;
  for (let round = 0; round <= rounds; round += 1) {
    for (const item of order) {
      if (round === (counts[item] as number)) continue;
      layout[at] = item;
      at += 1;
    }
  }
  assert(at === total, "the counts are not even");
  return layout;
}

/**
 * Fills columns: the ring is cut into rounds of at least `spacing` positions, and the items, in the given order, take
 * the first position of every round, then the second of every round, and so on. An item that fills no more than one
 * place per round is so at least `spacing` apart, also where it goes on in the next column, if the largest come first.
 * That is possible exactly if no count exceeds the number of rounds; if one does, only its surplus is too close. Items no
 * more than `spacing`, with equal counts, leave no choice but to take turns, and one bad place where the ring closes.
 */
export function layInColumns(counts: Int32Array, order: readonly number[], spacing: number): Uint16Array {
  const total = counts.reduce((sum, count) => sum + count, 0);
  const largest = counts.reduce((most, count) => Math.max(most, count), 0);
  const smallest = counts.reduce((least, count) => Math.min(least, count), largest);
  if (order.length <= spacing && largest - smallest <= 1) return layInTurn(counts, order, total);
  const rounds = Math.max(1, Math.min(largest, wholeQuotient(total, spacing)));
  const columns = wholeQuotient(total, rounds);
  const longRounds = total % rounds;
  const layout = new Uint16Array(total);
  let column = 0;
  let round = 0;
  for (const item of order) {
    for (let i = 0; i < (counts[item] as number); i += 1) {
      layout[round * columns + Math.min(round, longRounds) + column] = item;
      round += 1;
      if (round === (column < columns ? rounds : longRounds)) {
        round = 0;
        column += 1;
      }
    }
  }
  return layout;
}

/** An order of hosts for `layInColumns`: random, large quotas first, zones as far apart as they can be. */
export function columnOrder(problem: LayoutProblem, rng: Rng): number[] {
  const { quota, zoneOf, zones, copies } = problem;
  const hosts = rng.shuffle([...quota.keys()]).sort((a, b) => (quota[b] as number) - (quota[a] as number));
  if (problem.zoneRule === "none") return hosts;
  const hostsOfZone: number[][] = Array.from({ length: zones }, () => []);
  for (const host of hosts) hostsOfZone[zoneOf[host] as number]?.push(host);
  const counts = Int32Array.from(hostsOfZone, (list) => list.length);
  const next = new Int32Array(zones);
  const order: number[] = [];
  for (const zone of layInColumns(counts, zonesBySize(counts, rng), Math.min(copies, zones))) {
    const at = next[zone] as number;
    next[zone] = at + 1;
    order.push((hostsOfZone[zone] as number[])[at] as number);
  }
  assert(order.length === quota.length, "a host is missing from the order");
  return order;
}

/** A regular pattern of zones, for a layout whose zones leave no choice. */
export function zonePattern(problem: LayoutProblem, rng: Rng): Uint16Array {
  const { zoneQuota, zones, copies } = problem;
  return layInColumns(zoneQuota, zonesBySize(zoneQuota, rng), Math.min(copies, zones));
}

function zonesBySize(counts: Int32Array, rng: Rng): number[] {
  return rng.shuffle([...counts.keys()]).sort((a, b) => (counts[b] as number) - (counts[a] as number));
}

/** One breach of the spacing weighs more than any lag, so lag decides only between equals. */
const breach = 1 << 20;
const farAway = 1 << 20;

/** The state of one greedy layout in the making. */
class GreedyLayout {
  readonly layout: Uint16Array;
  readonly #problem: LayoutProblem;
  readonly #rng: Rng;
  readonly #pattern: Uint16Array | undefined;
  readonly #placed: Int32Array;
  readonly #lastOfHost: Int32Array;
  readonly #lastOfZone: Int32Array;
  /** How often host g comes within N positions after host f, at f * hosts + g. */
  readonly #follows: Int32Array;
  /** Makes counts of hosts of unlike weight comparable: proportional to 1 / weight. */
  readonly #scale: Int32Array;

  constructor(problem: LayoutProblem, rng: Rng, pattern: Uint16Array | undefined) {
    const hosts = problem.quota.length;
    this.layout = new Uint16Array(problem.partitions);
    this.#problem = problem;
    this.#rng = rng;
    this.#pattern = pattern;
    this.#placed = new Int32Array(hosts);
    this.#lastOfHost = new Int32Array(hosts).fill(-farAway);
    this.#lastOfZone = new Int32Array(problem.zones).fill(-1);
    this.#follows = new Int32Array(hosts * hosts);
    const heaviest = problem.weight.reduce((most, weight) => Math.max(most, weight), 1);
    this.#scale = problem.weight.map((weight) => wholeQuotient(8 * heaviest, weight));
  }

  run(): void {
    for (let i = 0; i < this.#problem.partitions; i += 1) this.#place(i, this.#choose(i));
  }

  #choose(i: number): number {
    const { quota, zoneOf } = this.#problem;
    const zoneDeadline = this.#problem.zoneRule === "cover" ? this.#tightDeadline(i) : farAway;
    let best = -1;
    let bestFault = 0;
    let bestCost = 0;
    let ties = 1;
    for (let h = 0; h < quota.length; h += 1) {
      if (this.#placed[h] === quota[h]) continue;
      if (this.#pattern !== undefined && this.#pattern[i] !== zoneOf[h]) continue;
      const fault = this.#fault(i, h, zoneDeadline);
      if (best >= 0 && fault > bestFault) continue;
      const cost = this.#cost(i, h);
      if (best >= 0 && fault === bestFault) {
        if (cost > bestCost) continue;
        if (cost === bestCost) {
          ties += 1;
          if (this.#rng.below(ties) !== 0) continue;
        }
      }
      if (best < 0 || fault !== bestFault || cost !== bestCost) ties = 1;
      best = h;
      bestFault = fault;
      bestCost = cost;
    }
    assert(best >= 0, "the quotas do not add up to the partitions");
    return best;
  }

  /** Breaches of spacing and zones, then how far the host is ahead of its quota (or, negative, behind). */
  #fault(i: number, host: number, zoneDeadline: number): number {
    const { partitions, quota, zoneOf, zoneRule, copies } = this.#problem;
    const zone = zoneOf[host] as number;
    const hostSpacing = this.#problem.hostSpacing[host] as number;
    const zoneSpacing = zoneRule === "apart" ? (this.#problem.zoneSpacing[zone] as number) : 0;
    const lastOfZone = this.#lastOfZone[zone] as number;
    let fault = 0;
    const gap = i - (this.#lastOfHost[host] as number);
    if (gap < hostSpacing) fault += 4 * breach * (hostSpacing - gap);
    if (lastOfZone >= 0 && i - lastOfZone < zoneSpacing) fault += breach;
    if (zoneRule === "cover" && this.#deadline(zone) > zoneDeadline) fault += breach;
    for (let k = Math.max(1, partitions - i); k <= copies; k += 1) {
      const head = this.layout[i + k - partitions] as number;
      if (head === host && k < hostSpacing) fault += 4 * breach * (hostSpacing - k);
      if (zoneOf[head] === zone && k < zoneSpacing) fault += breach;
    }
    const lead = (this.#placed[host] as number) * partitions - i * (quota[host] as number);
    const halves = wholeQuotient(2 * lead, partitions);
    return halves >= 3 || halves <= -3 ? fault + halves : fault;
  }

  /** How much more uneven the host here would make who follows whom: the increase of a sum of squares. */
  #cost(i: number, host: number): number {
    const { partitions, quota, copies } = this.#problem;
    const hosts = quota.length;
    const scale = this.#scale[host] as number;
    let cost = 0;
    for (let k = 1; k <= copies && k <= i; k += 1) {
      const before = this.layout[i - k] as number;
      cost += (2 * (this.#follows[before * hosts + host] as number) + 1) * (this.#scale[before] as number) * scale;
    }
    for (let k = Math.max(1, partitions - i); k <= copies; k += 1) {
      const head = this.layout[i + k - partitions] as number;
      cost += (2 * (this.#follows[host * hosts + head] as number) + 1) * (this.#scale[head] as number) * scale;
    }
    return cost;
  }

  #place(i: number, host: number): void {
    const { partitions, quota, zoneOf, copies } = this.#problem;
    const hosts = quota.length;
    const follows = this.#follows;
    this.layout[i] = host;
    this.#placed[host] = (this.#placed[host] as number) + 1;
    this.#lastOfHost[host] = i;
    this.#lastOfZone[zoneOf[host] as number] = i;
    for (let k = 1; k <= copies && k <= i; k += 1) {
      const at = (this.layout[i - k] as number) * hosts + host;
      follows[at] = (follows[at] as number) + 1;
    }
    for (let k = Math.max(1, partitions - i); k <= copies; k += 1) {
      const at = host * hosts + (this.layout[i + k - partitions] as number);
      follows[at] = (follows[at] as number) + 1;
    }
  }

  /** The last position at which the zone must come again. */
  #deadline(zone: number): number {
    return (this.#lastOfZone[zone] as number) + (this.#problem.zoneReach[zone] as number);
  }

  /** The earliest deadline up to which every position is taken by a zone that has to come by then. */
  #tightDeadline(i: number): number {
    let tight = farAway;
    for (let z = 0; z < this.#problem.zones; z += 1) {
      const deadline = this.#deadline(z);
      let due = 0;
      for (let other = 0; other < this.#problem.zones; other += 1) if (this.#deadline(other) <= deadline) due += 1;
      if (deadline - i < due && deadline < tight) tight = deadline;
    }
    return tight;
  }
}

/** A random layout with an even spread; `pattern`, if given, prescribes the zone of every position. */
export function layGreedily(problem: LayoutProblem, rng: Rng, pattern?: Uint16Array): Uint16Array {
  const greedy = new GreedyLayout(problem, rng, pattern);
  greedy.run();
  return greedy.layout;
}
