/**
 * What the transfers of a node ask of the world, and the numbers that bound them. Every effect with a token is answered
 * exactly once, later, by the event of `Transfers` that it names; only a question to a peer may stay unanswered (it
 * times out) or be answered too late (nobody finds its token any more).
 */
import type { NodeNumber, PartitionId } from "../base/ids.ts";
import type { DurationUs, Instant } from "../base/time.ts";
import type {
  TransferCloseReply,
  TransferCloseRequest,
  TransferPullReply,
  TransferPullRequest,
} from "../wire/gen/codecs.ts";
import type { Transfer } from "./transfer.ts";

/** How the comparison of two trees ended. */
export type Compared =
  /** Equal twice, with more than the time between that a write may be in flight. */
  | "equal"
  /** They differed; what differed was merged as far as one exchange goes. Compare again. */
  | "different"
  /** The peer did not answer or refused. */
  | "failed";

/** How the comparison of a copy given up with the owners' ended. */
export type Covered =
  /** Each record here is covered by the record of at least one owner. */
  | "covered"
  | "uncovered"
  /** An owner that was needed did not answer. */
  | "failed";

/** What happened to a transfer, for the event journal. */
export type TransferEvent =
  | "started"
  | "confirmed"
  | "flipped"
  | "cancelled"
  | "closed"
  | "reopened"
  | "given-up"
  | "cleaned";

/** The node around its transfers. */
export interface TransferEffects {
  /** Saves these bytes durably in place of the last (state file "transfers"; yours to keep); `onPersisted`. One at a time. */
  persist(now: Instant, file: Uint8Array, token: number): void;

  /** Sends TRANSFER_PULL; `onPulled` or `onAskFailed`. */
  pull(now: Instant, to: NodeNumber, request: TransferPullRequest, token: number): void;
  /** Sends TRANSFER_CLOSE; `onClosed` or `onAskFailed`. */
  close(now: Instant, to: NodeNumber, request: TransferCloseRequest, token: number): void;
  /** Answers the TRANSFER_PULL that came with `replyTo`. A status other than 0: it is refused, and `reply` is null. */
  answerPull(now: Instant, replyTo: number, status: number, reply: TransferPullReply | null): void;
  /** Answers the TRANSFER_CLOSE that came with `replyTo`, likewise. */
  answerClose(now: Instant, replyTo: number, status: number, reply: TransferCloseReply | null): void;
  /** Tells whoever makes the next ring that the transfer is done (TRANSFER_CONFIRMED); repeated until the ring comes. */
  reportConfirmed(now: Instant, transfer: Transfer): void;
  /** A peer asks with a newer epoch than ours: pull its ring. */
  newerRing(now: Instant, from: NodeNumber, epoch: number): void;

  /** Reads a page of the partition's records of buckets with this n; `onScanned`. It may end beyond `bytesMax` by a record. */
  scanPage(
    now: Instant,
    partition: PartitionId,
    n: number,
    cursor: Uint8Array | null,
    bytesMax: number,
    token: number,
  ): void;
  /** Merges a record into the own replica (`Replica.write`, whatever `writeRule` says); `onMerged`. Bytes lent for good. */
  mergeRecord(
    now: Instant,
    partition: PartitionId,
    n: number,
    fullKey: Uint8Array,
    record: Uint8Array,
    token: number,
  ): void;
  /** Deletes a page of the partition's records of buckets with this n; `onDeleted`. One at a time. */
  deletePage(now: Instant, partition: PartitionId, n: number, cursor: Uint8Array | null, token: number): void;
  /** Brings all that was written until now to stable storage; `onStoreSynced`. */
  syncStore(now: Instant, token: number): void;
  /** Whether the store holds records of the partition in buckets with this n (say, its tree's root is not 0). */
  holds(partition: PartitionId, n: number): boolean;
  /** The trees of the partition count what is not there: they are to be made true. */
  rebuildTrees(now: Instant, partition: PartitionId): void;

  /** Compares the own tree of (partition, n) with the peer's and merges what differs; `onCompared`. */
  compareTrees(now: Instant, partition: PartitionId, n: number, peer: NodeNumber, token: number): void;
  /**
   * Compares each key here with the owners' (leaves that differ only); `onCovered`. A record that no owner covers was
   * never acknowledged by a quorum: an owner may fetch and merge it, after which it is covered.
   */
  compareKeys(now: Instant, partition: PartitionId, n: number, owners: readonly NodeNumber[], token: number): void;

  /** Whether this node keeps hints for members that stay. */
  keepsHints(): boolean;

  /** Whether the member is dead as membership sees it. */
  isDead(number: NodeNumber): boolean;
  /** Whether every member of the ring has reported this epoch or a later one. */
  everyMemberAt(epoch: number): boolean;
  /** Whether this member has reported that epoch or a later one, or is in the ring no more. */
  memberAt(number: NodeNumber, epoch: number): boolean;

  /** This node's records of the partition go: it may mint for it again only under a new incarnation. */
  gaveUp(now: Instant, partition: PartitionId): void;
  /** The replica regained its history without these owners, who could not be reached. */
  leftOut(now: Instant, partition: PartitionId, n: number, owners: readonly NodeNumber[]): void;
  /** For the event journal. */
  happened(now: Instant, event: TransferEvent, transfer: Transfer): void;
}

/** Bounds; `defaultTransferConfig` has the defaults. */
export interface TransferConfig {
  /** Copies that this node receives at a time. More: sooner done, more load. */
  readonly copiesMax: number;
  /** Pages that this node reads at a time for others; further pulls are asked to come back. */
  readonly scansMax: number;
  /** Bytes of a page: the greatest credit given or honoured. */
  readonly pageBytesMax: number;
  /**
   * What a copy is charged for beside its bytes, at both ends: comparisons, confirmations, its part of a ring cost the same
   * whatever it holds. Higher: many small partitions are sooner felt as work.
   */
  readonly copyCostBytes: number;
  /** Records of one page handed to the replica at a time. */
  readonly mergesMax: number;
  /** Replicas that are compared at a time to become synced again. */
  readonly regainsMax: number;
  readonly askTimeoutUs: DurationUs;
  /** The first and the longest wait after failures. */
  readonly retryLeastUs: DurationUs;
  readonly retryMostUs: DurationUs;
  /** How often conditions that nobody announces are looked at. */
  readonly pollUs: DurationUs;
  /**
   * A closing or a confirmation is saved with those that follow while so many bytes are moved at the rate, and within
   * `saveWaitMostUs`. Higher: fewer saves while there is little room for work, and each transfer ends later.
   */
  readonly saveCostBytes: number;
  readonly saveWaitMostUs: DurationUs;
  /** How long progress may be unsaved: after a restart no more than this is copied or compared again. */
  readonly saveLaterUs: DurationUs;
  /** What a page of a deletion is charged for, at a pace of its own and the rate of copies: what comes must go as well. */
  readonly deleteCostBytes: number;
  /** An owner dead for so long is left out when a replica regains its history. */
  readonly leaveOutUs: DurationUs;
  /** At start; `setRate` changes it. Received, and as much again sent. */
  readonly bytesPerSecond: number;
}

/** The defaults. */
export const defaultTransferConfig: TransferConfig = {
  copiesMax: 2,
  scansMax: 4,
  pageBytesMax: 256 * 1024,
  copyCostBytes: 256 * 1024,
  mergesMax: 32,
  regainsMax: 8,
  askTimeoutUs: 5_000_000,
  retryLeastUs: 50_000,
  retryMostUs: 5_000_000,
  pollUs: 1_000_000,
  saveCostBytes: 4 * 1024 * 1024,
  saveWaitMostUs: 1_000_000,
  saveLaterUs: 2_000_000,
  deleteCostBytes: 64 * 1024,
  leaveOutUs: 60_000_000,
  bytesPerSecond: 16 * 1024 * 1024,
};
