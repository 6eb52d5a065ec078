/**
 * The copies that an owner table makes: the first N of every list, kept current while entries change, with their number
 * per node and how many of them are new compared with another table. Everything that a plan costs or gains is counted
 * here, on lists and never on owners: one entry is in the lists of several partitions.
 */
import type { PlanTable } from "./plan-table.ts";
import { zoneReach } from "./preference-list.ts";

/** The first N of all lists of one table. */
export class Copies {
  readonly table: PlanTable;
  readonly n: number;
  /** Copies held, by node number. */
  readonly held: Int32Array;
  /** Copies that the base table does not have where they are now. */
  moved = 0;
  /** Lists that have fewer zones than they should. */
  short = 0;
  readonly #zonesNeeded: number;
  readonly #lists: Uint16Array;
  readonly #lengths: Uint8Array;
  readonly #base: Copies | undefined;
  readonly #scratch: Uint16Array;

  /** `base`: to count what is new; of as many partitions. The table is changed through `set` only. */
  constructor(table: PlanTable, n: number, zonesNeeded: number, base?: Copies) {
    this.table = table;
    this.n = n;
    this.held = new Int32Array(table.places.hostOf.length);
    this.#zonesNeeded = zonesNeeded;
    this.#base = base;
    this.#lists = new Uint16Array(n * table.owners.length);
    this.#lengths = new Uint8Array(table.owners.length);
    this.#scratch = new Uint16Array(n);
    for (let p = 0; p < table.owners.length; p += 1) this.#take(p, table.list(p, n, this.#scratch));
  }

  /** One entry of the list, below `lengthOf`. */
  at(partition: number, i: number): number {
    return this.#lists[partition * this.n + i] as number;
  }

  /** How many nodes the list has: n, or fewer if there are fewer hosts. */
  lengthOf(partition: number): number {
    return this.#lengths[partition] as number;
  }

  /** Gives a position to another node, and brings the lists up to date. */
  set(position: number, node: number): void {
    const hostsBefore = this.table.hosts;
    const reaches: number[] = [];
    const partitions = this.table.owners.length;
    const least = zoneReach(this.n);
    // Walks that begin further off than this, or than one that stops short, stop short of the position as well.
    for (let k = 0; k < partitions; k += 1) {
      this.table.list((position - k) & (partitions - 1), this.n, this.#scratch);
      if (k >= least && this.table.reach <= k) break;
      reaches.push(this.table.reach);
    }
    this.table.set(position, node);
    const all = this.table.hosts !== hostsBefore && Math.min(this.table.hosts, hostsBefore) < this.n;
    for (let k = 0; k < partitions; k += 1) {
      const p = (position - k) & (partitions - 1);
      const length = this.table.list(p, this.n, this.#scratch);
      if (!all && k >= reaches.length && k >= least && this.table.reach <= k) break;
      this.#replace(p, length);
    }
  }

  #replace(partition: number, length: number): void {
    this.#count(partition, -1);
    this.#take(partition, length);
  }

  /** Takes the list of a partition from the scratch. No views here: a plan comes by this a million times. */
  #take(partition: number, length: number): void {
    const at = partition * this.n;
    for (let i = 0; i < length; i += 1) this.#lists[at + i] = this.#scratch[i] as number;
    this.#lengths[partition] = length;
    this.#count(partition, 1);
  }

  #count(partition: number, by: 1 | -1): void {
    const at = partition * this.n;
    const length = this.lengthOf(partition);
    for (let i = 0; i < length; i += 1) {
      const node = this.#lists[at + i] as number;
      this.held[node] = (this.held[node] as number) + by;
      if (this.#base !== undefined && !this.#base.holds(partition, node)) this.moved += by;
    }
    if (this.zonesOf(partition) < Math.min(this.#zonesNeeded, length)) this.short += by;
  }

  /** How many zones the first N of the list are in. */
  zonesOf(partition: number): number {
    const at = partition * this.n;
    const lists = this.#lists;
    const { zoneOf } = this.table.places;
    const length = this.lengthOf(partition);
    let zones = 0;
    for (let i = at; i < at + length; i += 1) {
      let earlier = false;
      for (let j = at; j < i && !earlier; j += 1) earlier = zoneOf[lists[j] as number] === zoneOf[lists[i] as number];
      if (!earlier) zones += 1;
    }
    return zones;
  }

  /** Whether the node is among the first N of the partition's list. */
  holds(partition: number, node: number): boolean {
    const at = partition * this.n;
    const length = this.lengthOf(partition);
    for (let i = at; i < at + length; i += 1) if (this.#lists[i] === node) return true;
    return false;
  }
}
