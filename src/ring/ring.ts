/**
 * The ring: an immutable value, one per epoch, that says who belongs to the cluster, who owns which partition, and what
 * each bucket promises (Dynamo 4.2, 6.2; one table entry per partition instead of tokens per node). Every node and
 * client holds one whole, so any of them finds a key's nodes without asking (zero hops). A change makes a new ring.
 *
 * The constructor validates everything: a ring comes from disk or from the wire. Choosing owners is claim.ts.
 */
import { assert } from "../base/assert.ts";
import { RingtailError } from "../base/errors.ts";
import { type ClusterId, clusterId, type NodeNumber, type PartitionId } from "../base/ids.ts";
import { type BucketPolicy, Policies, replicasLimit } from "./bucket-policy.ts";
import { checkMembers, type Member, mayOwn } from "./member.ts";
import { checkFences, checkMovement } from "./movement.ts";
import { checkPartitions, partitionOf, partitionShift } from "./partition.ts";
import {
  ChangingLists,
  type FlipGroup,
  groupTransfers,
  ListPair,
  type PendingMember,
  type PendingTransfer,
} from "./pending.ts";
import { Placement, PreferenceLists } from "./preference-list.ts";
import { checkStaged, type StagedChange } from "./staged.ts";

export type { BucketPolicy } from "./bucket-policy.ts";
export type { Member, MemberStatus } from "./member.ts";
export type { FlipGroup, PendingMember, PendingTransfer } from "./pending.ts";
export type { StagedChange, StagedKind } from "./staged.ts";

/** What a ring is made of. Without the optional fields it is stable: nothing is staged, nothing moves. */
export interface RingFields {
  readonly clusterId: ClusterId;
  /** From 1; u32. */
  readonly epoch: number;
  /** Q: a power of two, 8..16384. */
  readonly partitions: number;
  /** The largest n of any bucket, 1..7: the layout's spacing is one more. */
  readonly replicasMax: number;
  /** All that ever were, those that left included. */
  readonly members: readonly Member[];
  /** Per partition the number of its owner. */
  readonly owners: Uint16Array;
  /** One of them is the default, named "". */
  readonly buckets: readonly BucketPolicy[];
  /** Per partition who is to own it when the committed plan is done; absent: the owners. */
  readonly goal?: Uint16Array;
  /** The positions whose owner entry is being moved to its goal in this epoch, ascending; absent: none. */
  readonly active?: Uint16Array;
  /** Beside `active`: the epoch in which each became active; absent: this one. */
  readonly activeSince?: Uint32Array;
  /** Changes that were asked for and not committed; absent: none. */
  readonly staged?: readonly StagedChange[];
  /** Per partition the epoch in which its owners or its pending member last changed; absent: this one. */
  readonly fences?: Uint32Array;
}

/** Throws `INVALID_ARGUMENT` unless `replicasMax` is 1..7. */
export function checkReplicasMax(replicasMax: number): void {
  checkWhole("replicasMax", replicasMax, 1, replicasLimit);
}

function checkWhole(what: string, value: number, low: number, high: number): void {
  if (Number.isInteger(value) && value >= low && value <= high) return;
  throw new RingtailError("INVALID_ARGUMENT", `${what} is ${value} (${low}..${high} are allowed)`);
}

function checkOwners(owners: Uint16Array, partitions: number, members: ReadonlyMap<number, Member>): void {
  if (owners.length !== partitions) {
    throw new RingtailError("INVALID_ARGUMENT", `${owners.length} owners for ${partitions} partitions`);
  }
  for (let p = 0; p < partitions; p += 1) {
    const owner = members.get(owners[p] as number);
    if (owner === undefined) {
      throw new RingtailError("INVALID_ARGUMENT", `partition ${p} is owned by ${owners[p]}, who is no member`);
    }
    if (!mayOwn(owner.status)) {
      throw new RingtailError("INVALID_ARGUMENT", `partition ${p} is owned by ${owners[p]}, who is ${owner.status}`);
    }
  }
}

/** The n of all policies, ascending, each once. */
function listSizesOf(buckets: readonly BucketPolicy[]): readonly number[] {
  return Object.freeze([...new Set(buckets.map((policy) => policy.n))].sort((a, b) => a - b));
}

/** Immutable; two rings of one epoch are the same ring. Its arrays are shared: not to be changed. */
export class Ring implements RingFields {
  readonly clusterId: ClusterId;
  readonly epoch: number;
  readonly partitions: number;
  readonly replicasMax: number;
  /** Sorted by number. */
  readonly members: readonly Member[];
  readonly owners: Uint16Array;
  /** Sorted by name, the default first. */
  readonly buckets: readonly BucketPolicy[];
  /** The very array of `owners` when no plan is under way. */
  readonly goal: Uint16Array;
  readonly active: Uint16Array;
  readonly activeSince: Uint32Array;
  readonly staged: readonly StagedChange[];
  readonly fences: Uint32Array;
  /** `owners`, but with the goal at the active positions; the very array of `owners` when there are none. */
  readonly nextOwners: Uint16Array;
  /** Every n that some bucket has, ascending. */
  readonly listSizes: readonly number[];
  readonly #shift: number;
  readonly #byNumber = new Map<number, Member>();
  readonly #policies: Policies;
  readonly #placement: Placement;
  /** By n; made on first use. */
  readonly #lists: (PreferenceLists | undefined)[];
  readonly #nextPlacement: Placement;
  /** For questions about owners alone. */
  readonly #owners: ListPair;
  /** By n; stays empty while nothing is active. */
  readonly #changing: (ChangingLists | undefined)[];
  readonly #groups: readonly FlipGroup[];
  readonly #transfers: readonly PendingTransfer[];

  /**
   * Copies what it keeps, so the caller may reuse `fields`. Throws `INVALID_ARGUMENT`, naming what is wrong. `checked`: a
   * ring whose fields these are, but for the fences.
   */
  constructor(fields: RingFields, checked?: Ring) {
    checkWhole("the ring's epoch", fields.epoch, 1, 0xffff_ffff);
    checkPartitions(fields.partitions);
    checkReplicasMax(fields.replicasMax);
    this.clusterId = clusterId(fields.clusterId);
    this.epoch = fields.epoch;
    this.partitions = fields.partitions;
    this.replicasMax = fields.replicasMax;
    this.members = checkMembers(fields.members);
    for (const member of this.members) this.#byNumber.set(member.number, member);
    checkOwners(fields.owners, fields.partitions, this.#byNumber);
    this.owners = fields.owners.slice();
    this.buckets = Object.freeze([...fields.buckets].sort((a, b) => (a.name < b.name ? -1 : 1)));
    this.#policies = new Policies(this.buckets, this.replicasMax);
    this.#shift = partitionShift(this.partitions);
    this.#placement = new Placement(this.owners, this.members);
    this.#lists = new Array<PreferenceLists | undefined>(replicasLimit + 1).fill(undefined);
    this.#owners = this.listReader();
    const movement = checkMovement({ ...fields, owners: this.owners }, this.#byNumber);
    this.goal = movement.goal;
    this.active = movement.active;
    this.activeSince = movement.activeSince;
    this.nextOwners = movement.nextOwners;
    this.staged = checkStaged(fields.staged ?? [], this.#byNumber);
    this.fences = checkFences(fields);
    this.listSizes = listSizesOf(this.buckets);
    this.#nextPlacement = this.active.length === 0 ? this.#placement : new Placement(this.nextOwners, this.members);
    this.#changing = new Array<ChangingLists | undefined>(replicasLimit + 1).fill(undefined);
    this.#groups = checked === undefined ? groupTransfers(this, this.listPair()) : checked.#groups;
    this.#transfers = this.#groups.flatMap((group) => group.transfers);
  }

  /** The distinct hosts that own something: no preference list is longer. */
  get hosts(): number {
    return this.#placement.hosts.length;
  }

  /** The partition of a key: the top log2 Q bits of the high half of its hash. */
  partitionOf(hashHigh: number): PartitionId {
    return partitionOf(hashHigh, this.#shift);
  }

  /**
   * Node numbers on distinct hosts: the first n are the owners of a bucket with that n, the rest the fallbacks in order.
   * At most 16 long, and shorter than n where there are fewer hosts. Shared: not to be changed. The zone rule depends on
   * n, so the lists of a smaller n need not be the heads of those of a larger one.
   */
  preferenceList(partition: PartitionId, n: number): Uint16Array {
    const lists = this.#lists[n] ?? this.#openLists(n);
    return lists.of(partition);
  }

  /** The list as it will be when the active positions have moved; the very array of `preferenceList` where equal. */
  nextList(partition: PartitionId, n: number): Uint16Array {
    if (this.active.length === 0) return this.preferenceList(partition, n);
    return this.#changingLists(n).nextOf(partition);
  }

  /**
   * Who is about to join the first n of the list, and whom it replaces. Undefined where nobody is. For an n that is not
   * in `listSizes` there may be more of them than the one that is told.
   */
  pendingOf(partition: PartitionId, n: number): PendingMember | undefined {
    if (this.active.length === 0) return undefined;
    return this.#changingLists(n).pendingOf(partition);
  }

  /** All transfers of this epoch, by n and partition within each flip group. */
  transfers(): readonly PendingTransfer[] {
    return this.#transfers;
  }

  /** The active positions in sets that can only move together, by first position. A group may need no transfer at all. */
  flipGroups(): readonly FlipGroup[] {
    return this.#groups;
  }

  /** A reader of both lists of any partition, for whoever needs all of them. */
  listPair(): ListPair {
    return new ListPair(this.#placement, this.#nextPlacement);
  }

  /** The same of today's lists alone. */
  listReader(): ListPair {
    return new ListPair(this.#placement, this.#placement);
  }

  /** The same ring with other fences; throws `INVALID_ARGUMENT` if they cannot be its own. Nothing else is checked again. */
  withFences(fences: Uint32Array): Ring {
    return new Ring({ ...this, fences }, this);
  }

  /** Whether the node is among the first n of the partition's list. */
  isOwner(partition: PartitionId, n: number, number: NodeNumber): boolean {
    assert(partition >= 0 && partition < this.partitions, "no such partition");
    this.#owners.read(partition, n);
    return this.#owners.isOwner(number);
  }

  /** The member of that number, in any status. */
  member(number: NodeNumber): Member | undefined {
    return this.#byNumber.get(number);
  }

  /** The bucket's policy, or the default; allocates nothing. */
  policyOf(bucket: Uint8Array): BucketPolicy {
    return this.#policies.of(bucket);
  }

  #changingLists(n: number): ChangingLists {
    return this.#changing[n] ?? this.#openChanging(n);
  }

  #openChanging(n: number): ChangingLists {
    const today = this.#lists[n] ?? this.#openLists(n);
    const next = new PreferenceLists(this.#nextPlacement, n);
    const lists = new ChangingLists(n, this.partitions, today, next, this.listPair());
    this.#changing[n] = lists;
    return lists;
  }

  #openLists(n: number): PreferenceLists {
    assert(Number.isInteger(n) && n >= 1 && n <= replicasLimit, "n is out of range");
    const lists = new PreferenceLists(this.#placement, n);
    this.#lists[n] = lists;
    return lists;
  }
}
