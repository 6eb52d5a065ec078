/**
 * Mends a plan that had to break a constraint: tries to exchange takers among the positions that move anyway, and to take
 * other positions instead, and keeps what makes copies more even or fewer of them move. It never moves more than the plan
 * did, and does nothing at all if nothing is wrong. Its work is bounded.
 */
import type { NodeNumber } from "../base/ids.ts";
import { Rng } from "../base/rng.ts";
import type { Copies } from "./plan-copies.ts";
import { faultsAt } from "./plan-faults.ts";
import type { Placing } from "./plan-place.ts";
import { highOf, lowOf } from "./plan-shares.ts";

/** Weights of what is wrong: owning more or less than the share, a list short of a zone, a copy moved in vain. */
const shareCost = 4096;
const zoneCost = 512;
const moveCost = 64;
const trialsMax = 6_000;

/** Changes `copies` (the placed table) in place; `start` are the owners before the plan, `fewest` the copies that must move. */
export function mendPlan(placing: Placing, copies: Copies, start: Uint16Array, fewest: number): void {
  // Either nothing can be chosen, since every list has all nodes, or every entry is in all lists: too much work.
  if (copies.table.uniform(placing.rules.copies) || placing.rules.hosts < placing.rules.copies) return;
  new Mender(placing, copies, start, fewest).run();
}

class Mender {
  readonly #placing: Placing;
  readonly #copies: Copies;
  readonly #start: Uint16Array;
  readonly #fewest: number;
  readonly #rng: Rng;

  constructor(placing: Placing, copies: Copies, start: Uint16Array, fewest: number) {
    this.#placing = placing;
    this.#copies = copies;
    this.#start = start;
    this.#fewest = fewest;
    this.#rng = new Rng(placing.planSeed).fork("mend");
  }

  run(): void {
    const moved: number[] = [];
    for (const [position, owner] of this.#copies.table.owners.entries()) {
      if (owner !== this.#start[position]) moved.push(position);
    }
    let cost = this.#cost();
    const trials = Math.min(trialsMax, 24 * moved.length);
    for (let trial = 0; trial < trials && cost > 0; trial += 1) {
      const i = this.#rng.below(moved.length);
      cost = this.#rng.below(2) === 0 ? this.#exchange(moved, i, cost) : this.#shift(moved, i, cost);
    }
  }

  /** Two positions that move exchange their takers. */
  #exchange(moved: readonly number[], i: number, cost: number): number {
    const one = moved[i] as number;
    const other = moved[this.#rng.below(moved.length)] as number;
    const { owners } = this.#copies.table;
    const first = owners[one] as number;
    const second = owners[other] as number;
    if (first === second || !this.#mayMove(one, second) || !this.#mayMove(other, first)) return cost;
    return this.#try(one, second, other, first, cost);
  }

  /** Another position moves instead of this one; if its owner leaves, it goes to another taker instead. */
  #shift(moved: number[], i: number, cost: number): number {
    const { leavers, shares } = this.#placing;
    const { owners } = this.#copies.table;
    const one = moved[i] as number;
    const taker = owners[one] as number;
    const giver = this.#start[one] as number;
    if (leavers.has(giver)) return this.#try(one, this.#rng.pick([...shares.keys()]), one, taker, cost);
    const other = this.#rng.below(owners.length);
    const spared = owners[other] as number;
    if (spared !== this.#start[other] || spared === taker || leavers.has(spared)) return cost;
    const after = this.#try(one, giver, other, taker, cost);
    if (owners[one] === giver) moved[i] = other;
    return after;
  }

  /** Whether that is a move that the change of membership asks for. */
  #mayMove(position: number, taker: number): boolean {
    const giver = this.#start[position] as number;
    const { leavers, newcomers } = this.#placing;
    return giver !== taker && (leavers.has(giver) || newcomers.includes(taker as NodeNumber));
  }

  /** Gives both positions (or one, named twice) away, and takes that back if it made things worse. */
  #try(one: number, first: number, other: number, second: number, cost: number): number {
    const { owners } = this.#copies.table;
    const firstBefore = owners[one] as number;
    const secondBefore = owners[other] as number;
    const before = cost + this.#faults(one, other);
    this.#copies.set(one, first);
    if (other !== one) this.#copies.set(other, second);
    const after = this.#cost();
    if (after + this.#faults(one, other) <= before) return after;
    if (other !== one) this.#copies.set(other, secondBefore);
    this.#copies.set(one, firstBefore);
    return cost;
  }

  #faults(one: number, other: number): number {
    const { table } = this.#copies;
    const { rules } = this.#placing;
    return faultsAt(table, rules, one, table.ownerAt(one)) + faultsAt(table, rules, other, table.ownerAt(other));
  }

  #cost(): number {
    const { shares, rules } = this.#placing;
    const { held, moved, short, table } = this.#copies;
    let cost = zoneCost * short + moveCost * Math.max(0, moved - this.#fewest);
    for (const [node, share] of shares) {
      const owned = table.owned[node] as number;
      const low = lowOf(share);
      const high = highOf(share);
      cost += shareCost * (Math.max(0, owned - high) + Math.max(0, low - owned));
      const copies = held[node] as number;
      const uneven = Math.max(0, copies - rules.copies * high, rules.copies * low - copies);
      cost += uneven * uneven;
    }
    return cost;
  }
}
