/**
 * Which positions change hands in a plan. Nobody gives or takes more than the change of membership asks for: what
 * leavers own goes to whoever lacks most, then newcomers take from whoever has most, in turn, until they have their
 * share rounded down. A taker is kept apart from its own host and zone. Of the positions that do equally well the one
 * with the lowest hash of (planSeed, position) is taken, so that load spreads as by chance.
 *
 * In a small cluster a newcomer needs so many positions that random ones would soon leave no room between them; then
 * they are laid out along the ring (`#march`). What is still wrong afterwards is for plan-mend.ts.
 */
import { assert } from "../base/assert.ts";
import { type NodeNumber, noNode } from "../base/ids.ts";
import { wholeQuotient } from "./claim-quota.ts";
import { faultsAt, type SpacingRules } from "./plan-faults.ts";
import { highOf, lackOf, lowOf, type Share } from "./plan-shares.ts";
import type { PlanTable } from "./plan-table.ts";

/** What is to be placed. */
export interface Placing {
  /** As it is before the change; changed in place. */
  readonly table: PlanTable;
  readonly rules: SpacingRules;
  /** Of everybody who may own, in ascending order of node number. */
  readonly shares: ReadonlyMap<number, Share>;
  readonly newcomers: readonly NodeNumber[];
  /** Each with the newcomer that takes its place, or `noNode`. */
  readonly leavers: ReadonlyMap<number, NodeNumber>;
  /** u32. */
  readonly planSeed: number;
}

/** 32 bits that look random, of a seed and a position. */
export function rankOf(planSeed: number, position: number): number {
  let h = Math.imul(planSeed ^ Math.imul(position + 1, 0x9e3779b1), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  h = Math.imul(h ^ (h >>> 16), 0x27d4eb2f);
  return (h ^ (h >>> 15)) >>> 0;
}

/** Places everything. */
export function placeAll(placing: Placing): void {
  new Placer(placing).run();
}

class Placer {
  readonly #placing: Placing;
  readonly #table: PlanTable;
  /** All positions, by rank. */
  readonly #ranked: readonly number[];

  constructor(placing: Placing) {
    const ranks = Array.from(placing.table.owners, (_, position) => rankOf(placing.planSeed, position));
    this.#placing = placing;
    this.#table = placing.table;
    this.#ranked = [...ranks.keys()].sort((a, b) => (ranks[a] as number) - (ranks[b] as number) || a - b);
  }

  run(): void {
    this.#succeed();
    this.#handOver();
    for (const newcomer of this.#placing.newcomers) this.#march(newcomer);
    this.#take();
  }

  /** A newcomer that replaces somebody takes its very positions, but no more than its share. */
  #succeed(): void {
    const { leavers } = this.#placing;
    for (const position of this.#ranked) {
      const heir = leavers.get(this.#table.ownerAt(position)) ?? noNode;
      if (heir !== noNode && this.#owned(heir) < highOf(this.#share(heir))) this.#table.set(position, heir);
    }
  }

  /** Leavers' positions: to whoever lacks most of those who stand well there, then the others to whoever lacks most. */
  #handOver(): void {
    const difficult: number[] = [];
    for (const position of this.#ranked) {
      if (!this.#placing.leavers.has(this.#table.ownerAt(position))) continue;
      const taker = this.#neediest((node) => this.#faults(position, node) === 0);
      if (taker === noNode) difficult.push(position);
      else this.#table.set(position, taker);
    }
    for (const position of difficult) this.#table.set(position, this.#leastBad(position));
  }

  /** Who lacks most among those that `fits`, and would not be above its share rounded up. */
  #neediest(fits: (node: number) => boolean): number {
    let best: number = noNode;
    let most = 0;
    for (const [node, share] of this.#placing.shares) {
      const owned = this.#owned(node);
      const lack = lackOf(share, owned);
      if (owned >= highOf(share) || (best !== noNode && lack <= most) || !fits(node)) continue;
      best = node;
      most = lack;
    }
    return best;
  }

  /** Who stands least badly at the position, of those that may take one more. */
  #leastBad(position: number): number {
    let fewest = Number.MAX_SAFE_INTEGER;
    for (const [node, share] of this.#placing.shares) {
      if (this.#owned(node) < highOf(share)) fewest = Math.min(fewest, this.#faults(position, node));
    }
    const taker = this.#neediest((node) => this.#faults(position, node) === fewest);
    assert(taker !== noNode, "the shares do not add up to the partitions");
    return taker;
  }

  /** Positions for one newcomer along the ring, if there is too little room to take them at random. */
  #march(newcomer: NodeNumber): void {
    const { rules } = this.#placing;
    const partitions = this.#table.owners.length;
    const want = lowOf(this.#share(newcomer));
    const spacing = Math.min(rules.copies + 1, wholeQuotient(partitions, Math.max(1, want)));
    if (this.#owned(newcomer) > 0 || want * (2 * rules.copies + 1) <= partitions) return;
    const start = this.#ranked[0] as number;
    let last = start - spacing;
    for (let k = 0; k < want; k += 1) {
      // As evenly as can be, but leaving room for those to come.
      const even = start + wholeQuotient(k * partitions, want);
      const latest = start + partitions - (want - k) * spacing;
      const position = this.#bestGift(newcomer, last + spacing, Math.min(latest, even + spacing));
      if (position === -1) continue;
      this.#table.set(position & (partitions - 1), newcomer);
      last = position;
    }
  }

  /** The position from first..last without fault whose owner can best spare it; -1: none. */
  #bestGift(newcomer: NodeNumber, first: number, last: number): number {
    const mask = this.#table.owners.length - 1;
    let best = -1;
    let least = 0;
    for (let position = first; position <= last; position += 1) {
      const lack = this.#lackOfGiver(this.#table.ownerAt(position));
      if (lack === undefined || (best !== -1 && lack > least)) continue;
      if (best !== -1 && lack === least && this.#rank(position & mask) > this.#rank(best & mask)) continue;
      if (this.#faults(position & mask, newcomer) !== 0) continue;
      best = position;
      least = lack;
    }
    return best;
  }

  /** What remains to be taken: in turn from whoever has most. */
  #take(): void {
    const byOwner = new Map<number, number[]>();
    for (const position of this.#ranked) {
      const owner = this.#table.ownerAt(position);
      const list = byOwner.get(owner);
      if (list === undefined) byOwner.set(owner, [position]);
      else list.push(position);
    }
    for (;;) {
      const newcomer = this.#neediestNewcomer();
      if (newcomer === noNode) return;
      const position = this.#gift(newcomer, byOwner);
      if (position === -1) return;
      const list = byOwner.get(this.#table.ownerAt(position)) as number[];
      list.splice(list.indexOf(position), 1);
      this.#table.set(position, newcomer);
    }
  }

  #neediestNewcomer(): number {
    const { newcomers } = this.#placing;
    return this.#neediest((node) => newcomers.includes(node as NodeNumber) && this.#owned(node) < this.#low(node));
  }

  /** The position that the newcomer takes next; -1: nobody can spare one. */
  #gift(newcomer: number, byOwner: ReadonlyMap<number, readonly number[]>): number {
    const givers = [...byOwner.keys()]
      .map((node) => ({ node, lack: this.#lackOfGiver(node) ?? Number.MAX_SAFE_INTEGER }))
      .filter(({ lack }) => lack !== Number.MAX_SAFE_INTEGER)
      .sort((a, b) => a.lack - b.lack || a.node - b.node);
    let best = -1;
    let fewest = Number.MAX_SAFE_INTEGER;
    for (const { node } of givers) {
      for (const position of byOwner.get(node) ?? []) {
        const faults = this.#faults(position, newcomer);
        if (faults >= fewest) continue;
        best = position;
        fewest = faults;
        if (faults === 0) return best;
      }
    }
    return best;
  }

  /** How far the node is below its share (mostly negative: above), if it may give at all. */
  #lackOfGiver(node: number): number | undefined {
    const share = this.#placing.shares.get(node);
    if (share === undefined || this.#owned(node) <= this.#low(node)) return undefined;
    return lackOf(share, this.#owned(node));
  }

  #faults(position: number, node: number): number {
    return faultsAt(this.#table, this.#placing.rules, position, node);
  }

  #rank(position: number): number {
    return rankOf(this.#placing.planSeed, position);
  }

  #owned(node: number): number {
    return this.#table.owned[node] as number;
  }

  #low(node: number): number {
    return lowOf(this.#share(node));
  }

  #share(node: number): Share {
    const share = this.#placing.shares.get(node);
    assert(share !== undefined, "the node has no share");
    return share;
  }
}
