/**
 * Which positions may move next. A position is made active only if no list then has more than one pending member, no
 * list is shorter than both the one before the plan and the one after it, and no node takes part in too many transfers.
 * Lists are compared, never owners, for every n that some bucket has.
 */
import { mark } from "../base/mark.ts";
import { isListed, type Places, PlanTable } from "./plan-table.ts";
import { zoneReach } from "./preference-list.ts";

/** What a batch is chosen from. */
export interface BatchRequest {
  readonly places: Places;
  readonly owners: Uint16Array;
  readonly goal: Uint16Array;
  /** Positions that are active and stay so. */
  readonly active: Iterable<number>;
  /** Every n in use, ascending. */
  readonly listSizes: readonly number[];
  /**
   * Those who are to own nothing in the end. They are sent nothing on the way there: it would be for nothing, and who is
   * removed is dead and would be waited for for ever.
   */
  readonly goers: ReadonlySet<number>;
  /** The most transfers that a node takes part in, as receiver or as the one replaced. */
  readonly transfersPerNodeMax: number;
}

/** List walks that one choice may cost: only layouts with hardly any hosts come near it. */
const walksMax = 2_000_000;

/** The choice in the making. */
export class Batch {
  readonly #request: BatchRequest;
  /** By the owners, and as it will be with all active positions moved. */
  readonly #now: PlanTable;
  readonly #next: PlanTable;
  readonly #active = new Set<number>();
  /** Transfers per node number. */
  readonly #load: Int32Array;
  readonly #goalHosts: number;
  /** What one more position would add, by node; undone if it is refused. */
  readonly #added: number[] = [];
  readonly #before: Uint16Array;
  readonly #after: Uint16Array;
  readonly #today: Uint16Array;
  #walks = 0;

  constructor(request: BatchRequest) {
    const n = request.listSizes.reduce((most, size) => Math.max(most, size), 0);
    this.#request = request;
    this.#now = new PlanTable(request.owners, request.places);
    this.#next = new PlanTable(request.owners, request.places);
    this.#load = new Int32Array(request.places.hostOf.length);
    this.#goalHosts = new PlanTable(request.goal, request.places).hosts;
    this.#before = new Uint16Array(n);
    this.#after = new Uint16Array(n);
    this.#today = new Uint16Array(n);
    for (const position of request.active) {
      this.#active.add(position);
      this.#next.set(position, request.goal[position] as number);
    }
    if (this.#active.size > 0) this.#loadAll();
  }

  /** All active positions, ascending. */
  get active(): Uint16Array {
    return Uint16Array.from([...this.#active].sort((a, b) => a - b));
  }

  /** Makes active what may be, in the given order; if nothing may alone, all that the goers own. */
  fill(positions: readonly number[]): void {
    const { goal, goers, owners, transfersPerNodeMax } = this.#request;
    for (const position of positions) {
      if (this.#active.size > 0 && this.#walks > walksMax) return;
      const node = goal[position] as number;
      // Mostly it is the taker itself that would receive: spares the walks.
      const full = (this.#load[node] as number) >= transfersPerNodeMax;
      if (!this.#active.has(position) && !full) this.add(position, node);
    }
    const theirs = positions.filter((position) => goers.has(owners[position] as number));
    if (this.#active.size === 0 && theirs.length > 0) this.#addTogether(theirs);
  }

  /**
   * Makes all these positions active, or none of them, when nothing else is, and whatever the limit of transfers. Where
   * the last nodes of a zone go, what one of them gives up has its lists reach for the next: one by one they would be sent
   * each other's partitions.
   */
  #addTogether(positions: readonly number[]): void {
    const { goal, listSizes, owners } = this.#request;
    for (const position of positions) this.#next.set(position, goal[position] as number);
    if (listSizes.every((n) => this.#allFit(n))) {
      mark("plan.together");
      for (const position of positions) this.#active.add(position);
      this.#loadAll();
    } else for (const position of positions) this.#next.set(position, owners[position] as number);
  }

  /** Makes the position active, on its way to `node`, if that may be; returns whether. */
  add(position: number, node: number): boolean {
    const owner = this.#next.owners[position] as number;
    this.#added.length = 0;
    const fits = this.#request.listSizes.every((n) => this.#fits(position, node, n));
    if (!fits || !this.#loadFits()) {
      for (const one of this.#added) this.#load[one] = (this.#load[one] as number) - 1;
      return false;
    }
    this.#active.add(position);
    if (owner !== node) this.#next.set(position, node);
    return true;
  }

  /** A single position may exceed the limit: with fewer hosts than n it makes every list pending. */
  #loadFits(): boolean {
    if (this.#active.size === 0) return true;
    return this.#added.every((node) => (this.#load[node] as number) <= this.#request.transfersPerNodeMax);
  }

  #fits(position: number, node: number, n: number): boolean {
    const owner = this.#next.owners[position] as number;
    const partitions = this.#next.owners.length;
    const uniform = this.#now.uniform(n) && this.#next.uniform(n);
    const reads: boolean[] = [];
    for (let k = 0; k < partitions && !uniform; k += 1) {
      const read = this.#reads(position, k, n);
      if (!read && k >= zoneReach(n)) break;
      reads.push(read);
    }
    this.#next.set(position, node);
    const fits =
      uniform && this.#next.uniform(n) ? this.#compareAll(position, n) : this.#compareNear(position, n, reads);
    this.#next.set(position, owner);
    return fits;
  }

  /** Whether the list that begins k before the position depends on it, in the table as it is. */
  #reads(position: number, k: number, n: number): boolean {
    this.#walks += 1;
    this.#next.list((position - k) & (this.#next.owners.length - 1), n, this.#after);
    return this.#next.reach > k;
  }

  /** The lists that depend on the position, before (`reads`) or after the change that has just been made. */
  #compareNear(position: number, n: number, reads: readonly boolean[]): boolean {
    const partitions = this.#next.owners.length;
    for (let k = 0; k < partitions; k += 1) {
      const read = this.#reads(position, k, n);
      if (!read && reads[k] !== true) {
        if (k >= zoneReach(n) && k >= reads.length) return true;
        continue;
      }
      if (!this.#compare((position - k) & (partitions - 1), position, n, 1)) return false;
    }
    return true;
  }

  /** All lists name the same nodes: one stands for all. */
  #compareAll(position: number, n: number): boolean {
    return this.#compare(position, position, n, this.#next.owners.length);
  }

  /** Compares the list by the owners, with the batch so far, and with the change; counts the transfers of `times` lists. */
  #compare(partition: number, position: number, n: number, times: number): boolean {
    const table = this.#next;
    const node = table.owners[position] as number;
    const after = table.list(partition, n, this.#after);
    table.set(position, this.#ownerBefore(position));
    const before = table.list(partition, n, this.#before);
    table.set(position, node);
    const today = this.#now.list(partition, n, this.#today);
    this.#walks += 3;
    if (sameNodes(this.#before, before, this.#after, after)) return true;
    // A list that is changing already is left alone: its positions must be able to move one without the other.
    if (!sameNodes(this.#before, before, this.#today, today)) return false;
    const joining = this.#joining(today, after, n);
    if (joining <= 0) return joining === 0;
    const replaced = onlyMissing(this.#today, today, this.#after, after);
    for (let i = 0; i < times; i += 1) {
      this.#count(joining);
      if (replaced !== 0) this.#count(replaced);
    }
    return true;
  }

  /** Who comes to a list, of these lengths, that is in `#today` and in `#after`; 0: nobody, -1: it may not change so. */
  #joining(today: number, after: number, n: number): number {
    if (after < Math.min(today, n, this.#goalHosts)) return -1;
    const joining = onlyMissing(this.#after, after, this.#today, today);
    if (joining === -1 || onlyMissing(this.#today, today, this.#after, after) === -1) return -1;
    return this.#request.goers.has(joining) ? -1 : joining;
  }

  /** Whether all lists may change as they would with the batch so far. */
  #allFit(n: number): boolean {
    for (let p = 0; p < this.#now.owners.length; p += 1) {
      const today = this.#now.list(p, n, this.#today);
      if (this.#joining(today, this.#next.list(p, n, this.#after), n) === -1) return false;
    }
    return true;
  }

  #ownerBefore(position: number): number {
    const { owners, goal } = this.#request;
    return this.#active.has(position) ? (goal[position] as number) : (owners[position] as number);
  }

  #count(node: number): void {
    this.#added.push(node);
    this.#load[node] = (this.#load[node] as number) + 1;
  }

  /** The transfers of the positions that were active before. */
  #loadAll(): void {
    for (const n of this.#request.listSizes) {
      for (let p = 0; p < this.#now.owners.length; p += 1) {
        const today = this.#now.list(p, n, this.#today);
        const after = this.#next.list(p, n, this.#after);
        const joining = onlyMissing(this.#after, after, this.#today, today);
        const replaced = onlyMissing(this.#today, today, this.#after, after);
        if (joining <= 0) continue;
        this.#load[joining] = (this.#load[joining] as number) + 1;
        if (replaced > 0) this.#load[replaced] = (this.#load[replaced] as number) + 1;
      }
    }
  }
}

function sameNodes(a: Uint16Array, aLength: number, b: Uint16Array, bLength: number): boolean {
  if (aLength !== bLength) return false;
  for (let i = 0; i < aLength; i += 1) if (!isListed(b, bLength, a[i] as number)) return false;
  return true;
}

/** The one node of `list` that is not in `other`; 0: none, -1: more than one. */
function onlyMissing(list: Uint16Array, length: number, other: Uint16Array, otherLength: number): number {
  let found = 0;
  for (let i = 0; i < length; i += 1) {
    const node = list[i] as number;
    if (isListed(other, otherLength, node)) continue;
    if (found !== 0) return -1;
    found = node;
  }
  return found;
}
