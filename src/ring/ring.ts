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
import { checkPartitions, partitionOf, partitionShift } from "./partition.ts";
import { Placement, PreferenceLists } from "./preference-list.ts";

export type { BucketPolicy } from "./bucket-policy.ts";
export type { Member, MemberStatus } from "./member.ts";

/** What a ring is made of. */
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

/** Immutable; two rings of one epoch are the same ring. */
export class Ring implements RingFields {
  readonly clusterId: ClusterId;
  readonly epoch: number;
  readonly partitions: number;
  readonly replicasMax: number;
  /** Sorted by number. */
  readonly members: readonly Member[];
  /** Not to be changed. */
  readonly owners: Uint16Array;
  /** Sorted by name, the default first. */
  readonly buckets: readonly BucketPolicy[];
  readonly #shift: number;
  readonly #byNumber = new Map<number, Member>();
  readonly #policies: Policies;
  readonly #placement: Placement;
  /** By n; made on first use. */
  readonly #lists: (PreferenceLists | undefined)[];

  /** Copies what it keeps, so the caller may reuse `fields`. Throws `INVALID_ARGUMENT`, naming what is wrong. */
  constructor(fields: RingFields) {
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

  /** Whether the node is among the first n of the partition's list. */
  isOwner(partition: PartitionId, n: number, number: NodeNumber): boolean {
    const list = this.preferenceList(partition, n);
    const count = Math.min(n, list.length);
    for (let i = 0; i < count; i += 1) if (list[i] === number) return true;
    return false;
  }

  /** The member of that number, in any status. */
  member(number: NodeNumber): Member | undefined {
    return this.#byNumber.get(number);
  }

  /** The bucket's policy, or the default; allocates nothing. */
  policyOf(bucket: Uint8Array): BucketPolicy {
    return this.#policies.of(bucket);
  }

  #openLists(n: number): PreferenceLists {
    assert(Number.isInteger(n) && n >= 1 && n <= replicasLimit, "n is out of range");
    const lists = new PreferenceLists(this.#placement, n);
    this.#lists[n] = lists;
    return lists;
  }
}
