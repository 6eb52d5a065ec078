/**
 * Two preference lists of one partition: by today's owners, and by the owners once the active positions have moved. The
 * member that is only in the second is pending: it is being sent the partition, and takes part in writes meanwhile. At
 * most one member of a list differs, which a ring's constructor checks for every n that some bucket uses.
 *
 * One owner entry is in the lists of several partitions (trap E), so it moves when all transfers that it causes are
 * confirmed; entries that meet in one list move together (`FlipGroup`).
 */
import { assert } from "../base/assert.ts";
import { RingtailError } from "../base/errors.ts";
import { type NodeNumber, noNode, type PartitionId } from "../base/ids.ts";
import { listLengthMax, type Placement, type PreferenceLists } from "./preference-list.ts";

/** How the first n of a list are about to change. */
export interface PendingMember {
  readonly joining: NodeNumber;
  /** Who leaves the list for it; `noNode` where the list grows, because there were fewer hosts than n. */
  readonly replaced: NodeNumber;
}

/** A copy of one partition, of buckets with one n, on its way to a new owner. */
export interface PendingTransfer extends PendingMember {
  /** u32: the same in every epoch in which this transfer is under way, and unique in the ring. */
  readonly id: number;
  readonly partition: PartitionId;
  readonly n: number;
  /** The active position that causes it; the first one of its `FlipGroup`. */
  readonly position: number;
  /** The epoch in which it came to be. */
  readonly since: number;
}

/** Active positions that meet in some list, so that they can only move together, and what must be confirmed first. */
export interface FlipGroup {
  readonly positions: readonly number[];
  readonly transfers: readonly PendingTransfer[];
}

/** Both lists of every partition for one n, and how they differ. */
export class ChangingLists {
  readonly #n: number;
  readonly #today: PreferenceLists;
  readonly #next: PreferenceLists;
  readonly #pair: ListPair;
  /** Null: not asked for yet. */
  readonly #pending: (PendingMember | undefined | null)[];
  readonly #nextViews: (Uint16Array | undefined)[];

  /** `pair` reads the same two lists. */
  constructor(n: number, partitions: number, today: PreferenceLists, next: PreferenceLists, pair: ListPair) {
    this.#n = n;
    this.#today = today;
    this.#next = next;
    this.#pair = pair;
    this.#pending = new Array<PendingMember | undefined | null>(partitions).fill(null);
    this.#nextViews = new Array<Uint16Array | undefined>(partitions).fill(undefined);
  }

  /** The list to come; today's very array where it is equal. */
  nextOf(partition: PartitionId): Uint16Array {
    return this.#nextViews[partition] ?? this.#compare(partition);
  }

  /** Undefined where the first n stay, or where one leaves and nobody comes. */
  pendingOf(partition: PartitionId): PendingMember | undefined {
    const known = this.#pending[partition];
    if (known !== null) return known;
    this.#pair.read(partition, this.#n);
    const { joining, replaced } = this.#pair;
    const pending = joining === noNode ? undefined : { joining, replaced };
    this.#pending[partition] = pending;
    return pending;
  }

  #compare(partition: PartitionId): Uint16Array {
    const today = this.#today.of(partition);
    const next = this.#next.of(partition);
    const view = next.length === today.length && next.every((number, i) => number === today[i]) ? today : next;
    this.#nextViews[partition] = view;
    return view;
  }
}

/**
 * The owners of one partition at a time by both lists, in memory that is used again: for whoever goes through many of
 * them, as each new ring does on every node, while clients wait. A whole list costs far more where a host owns little: the
 * walk goes on until it meets that host, too.
 */
export class ListPair {
  readonly #before: Placement;
  readonly #after: Placement;
  readonly #today: Uint16Array = new Uint16Array(listLengthMax);
  readonly #next: Uint16Array = new Uint16Array(listLengthMax);
  #todayCount = 0;
  #nextCount = 0;
  #n = 0;
  /** Who is about to join the first n, and whom it replaces; `noNode`: nobody. */
  joining: NodeNumber = noNode;
  replaced: NodeNumber = noNode;

  /** One placement given twice: nothing changes. */
  constructor(before: Placement, after: Placement) {
    this.#before = before;
    this.#after = after;
  }

  /** Reads a partition's lists for one n; how many positions, from the partition's own on, decide their first n. */
  read(partition: number, n: number): number {
    const before = this.#before;
    const after = this.#after;
    this.#n = n;
    this.#todayCount = Math.min(n, before.listLength);
    this.#nextCount = Math.min(n, after.listLength);
    this.joining = noNode;
    this.replaced = noNode;
    const reach = before.writeList(partition, n, this.#today, 0, n);
    // Most positions do not move, and a walk that meets the same owners takes the same ones.
    if (after === before || sameOwners(before.owners, after.owners, partition, reach)) {
      this.#next.set(this.#today);
      return reach;
    }
    const reachNext = after.writeList(partition, n, this.#next, 0, n);
    this.joining = firstMissing(this.#next, this.#nextCount, this.#today, this.#todayCount);
    if (this.joining !== noNode)
      this.replaced = firstMissing(this.#today, this.#todayCount, this.#next, this.#nextCount);
    return Math.max(reach, reachNext);
  }

  /** How many owners today's list has: n, or fewer where there are fewer hosts. */
  get ownerCount(): number {
    return this.#todayCount;
  }

  /** The owner in place `i` of today's list. */
  ownerAt(i: number): NodeNumber {
    return this.#today[i] as NodeNumber;
  }

  /** Whether the node is among the owners of today. */
  isOwner(number: NodeNumber): boolean {
    return isAmong(this.#today, this.#todayCount, number);
  }

  /** Whether more than one member comes to, or leaves, the first n. */
  get changesTooMuch(): boolean {
    if (countMissing(this.#next, this.#nextCount, this.#today, this.#todayCount) > 1) return true;
    return countMissing(this.#today, this.#todayCount, this.#next, this.#nextCount) > 1;
  }

  /** Whether the first n of today's list are the other's, in any order, and the same member is about to join them. */
  sameAs(other: ListPair): boolean {
    assert(this.#n === other.#n, "lists of one n are compared");
    if (this.joining !== other.joining || this.replaced !== other.replaced) return false;
    if (countMissing(this.#today, this.#todayCount, other.#today, other.#todayCount) > 0) return false;
    return countMissing(other.#today, other.#todayCount, this.#today, this.#todayCount) === 0;
  }

  /** The one among today's first n who is not among those of the other; `noNode`: there is none. */
  newcomerSince(other: ListPair): NodeNumber {
    return firstMissing(this.#today, this.#todayCount, other.#today, other.#todayCount);
  }

  /** How many among today's first n are not among those of the other. */
  newSince(other: ListPair): number {
    return countMissing(this.#today, this.#todayCount, other.#today, other.#todayCount);
  }
}

/** Whether `count` positions, from `first` on, have the same owners in both tables. */
function sameOwners(one: Uint16Array, other: Uint16Array, first: number, count: number): boolean {
  const mask = one.length - 1;
  for (let k = 0; k < count; k += 1) if (one[(first + k) & mask] !== other[(first + k) & mask]) return false;
  return true;
}

function isAmong(list: Uint16Array, count: number, number: number): boolean {
  for (let i = 0; i < count; i += 1) if (list[i] === number) return true;
  return false;
}

/** The first of so many of `list` who is not among so many of `other`, or `noNode`. */
function firstMissing(list: Uint16Array, count: number, other: Uint16Array, otherCount: number): NodeNumber {
  for (let i = 0; i < count; i += 1) if (!isAmong(other, otherCount, list[i] as number)) return list[i] as NodeNumber;
  return noNode;
}

function countMissing(list: Uint16Array, count: number, other: Uint16Array, otherCount: number): number {
  let missing = 0;
  for (let i = 0; i < count; i += 1) if (!isAmong(other, otherCount, list[i] as number)) missing += 1;
  return missing;
}

/** What `groupTransfers` looks at: the part of a ring that moves. */
export interface MovingRing {
  readonly partitions: number;
  readonly active: Uint16Array;
  readonly activeSince: Uint32Array;
  /** The n of the bucket policies, ascending. */
  readonly listSizes: readonly number[];
}

/**
 * All flip groups, by their first position; their transfers by n and partition. Throws `INVALID_ARGUMENT` where more than
 * one member of a list would change: one walk over all lists both checks a ring and tells what it moves.
 */
export function groupTransfers(ring: MovingRing, lists: ListPair): readonly FlipGroup[] {
  if (ring.active.length === 0) return [];
  const groups = new Groups(ring.active.length);
  const found: { partition: PartitionId; n: number; pending: PendingMember; first: number; since: number }[] = [];
  for (const n of ring.listSizes) {
    for (let p = 0; p < ring.partitions; p += 1) {
      const { first, since } = groups.meet(ring, p, lists.read(p, n));
      if (lists.changesTooMuch) throw tooMuch(p, n);
      const { joining, replaced } = lists;
      if (joining === noNode) continue;
      const pending = { joining, replaced };
      assert(first !== -1, "a list changes although nothing that it depends on moves");
      found.push({ partition: p as PartitionId, n, pending, first, since });
    }
  }
  const transfersOf = new Map<number, PendingTransfer[]>();
  for (const { partition, n, pending, first, since } of found) {
    const root = groups.rootOf(first);
    const position = ring.active[root] as number;
    const id = transferId(partition, n, pending, since);
    const transfer: PendingTransfer = { id, partition, n, position, since, ...pending };
    const list = transfersOf.get(root);
    if (list === undefined) transfersOf.set(root, [transfer]);
    else list.push(transfer);
  }
  return groups.listed().map(({ root, members }): FlipGroup => {
    return { positions: members.map((i) => ring.active[i] as number), transfers: transfersOf.get(root) ?? [] };
  });
}

function tooMuch(partition: number, n: number): RingtailError {
  const what = `the active positions change more than one member of the list of partition ${partition} (n = ${n})`;
  return new RingtailError("INVALID_ARGUMENT", what);
}

/** Partition and n tell the transfers of one ring apart; 15 mixed bits tell them from earlier ones of the same list. */
function transferId(partition: number, n: number, pending: PendingMember, since: number): number {
  let mixed =
    Math.imul(since, 0x9e3779b1) ^ Math.imul(pending.joining, 0x85ebca6b) ^ Math.imul(pending.replaced, 0xc2b2ae35);
  mixed = Math.imul(mixed ^ (mixed >>> 15), 0x2c1b3c6d);
  return ((partition << 18) | (n << 15) | (mixed >>> 17)) >>> 0;
}

/** The index of the first position that is not below `p`; 0 if all are. */
function indexFrom(active: Uint16Array, p: number): number {
  let low = 0;
  let high = active.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((active[middle] as number) < p) low = middle + 1;
    else high = middle;
  }
  return low === active.length ? 0 : low;
}

/** Active positions (by their index) joined into sets: each set's root is its lowest index. */
class Groups {
  readonly #parent: number[];

  constructor(count: number) {
    this.#parent = Array.from({ length: count }, (_, i) => i);
  }

  rootOf(index: number): number {
    let at = index;
    while (this.#parent[at] !== at) at = this.#parent[at] as number;
    return at;
  }

  /**
   * Joins the active positions among the `reach` that start at partition `p`, since its list depends on them all.
   * Returns the first one met, -1 if none, and the epoch since when the earliest of them is active.
   */
  meet(ring: MovingRing, p: number, reach: number): { first: number; since: number } {
    const { active, partitions } = ring;
    const start = indexFrom(active, p);
    let first = -1;
    let since = 0;
    for (let k = 0; k < active.length; k += 1) {
      const i = (start + k) % active.length;
      if (((active[i] as number) - p + partitions) % partitions >= reach) break;
      const epoch = ring.activeSince[i] as number;
      since = first === -1 ? epoch : Math.min(since, epoch);
      if (first === -1) first = i;
      else this.#join(first, i);
    }
    return { first, since };
  }

  #join(a: number, b: number): void {
    const rootA = this.rootOf(a);
    const rootB = this.rootOf(b);
    this.#parent[Math.max(rootA, rootB)] = Math.min(rootA, rootB);
  }

  listed(): { root: number; members: number[] }[] {
    const byRoot = new Map<number, number[]>();
    for (let i = 0; i < this.#parent.length; i += 1) {
      const root = this.rootOf(i);
      const members = byRoot.get(root);
      if (members === undefined) byRoot.set(root, [i]);
      else members.push(i);
    }
    assert(
      [...byRoot.keys()].every((root, i, all) => i === 0 || root > (all[i - 1] as number)),
      "groups come in order",
    );
    return [...byRoot].map(([root, members]) => ({ root, members }));
  }
}
