/**
 * A transfer: one partition, of the buckets with one n, on its way to a new owner (Dynamo 6.2, "a confirmation round").
 * Here is the value that both ends keep, its states, why it waits, and the one decision that must never be wrong: who
 * answers reads and takes writes of the partition meanwhile (`readRule`, `writeRule`).
 *
 *   joining member:   pending -> clearing -> copying -> catching-up -> confirming -> confirmed -> (flip) done
 *                        \_________ any of them: (an epoch without the transfer) cancelled -> cleaning -> done
 *   replaced member:  confirming -> confirmed (closed for reads) -> (flip) grace -> cleaning -> done
 *                        \_________ any of them: (an epoch without the transfer) reopening -> done
 *
 * Not here: what moves a transfer from state to state (transfer-receiver.ts, transfer-sender.ts).
 */
import type { NodeNumber, PartitionId } from "../base/ids.ts";
import { type Instant, never } from "../base/time.ts";
import type { Ring } from "../ring/ring.ts";
import type { RecordsInFlight } from "./page-merge.ts";

/** By the number that stands for each on disk and on the wire: only ever appended to. */
export const transferStates = [
  "pending",
  "clearing",
  "copying",
  "catching-up",
  "confirming",
  "confirmed",
  "grace",
  "cleaning",
  "cancelled",
  "done",
  "reopening",
] as const;
/** Where a transfer stands. */
export type TransferState = (typeof transferStates)[number];

/** Why a transfer does not go on at this moment, by number: only ever appended to. */
export const transferWaits = [
  /** It works. */
  "none",
  /** As many copies as allowed are under way at this node. */
  "queued",
  /** The rate is 0. */
  "paused",
  /** The rate's next bytes are not due yet. */
  "rate",
  /** The peer does not answer. */
  "peer-down",
  /** The peer has asked to come back later. */
  "peer-busy",
  /** The peer has another ring. */
  "peer-behind",
  /** A copy that this node gave up before must be cleaned up first. */
  "old-copy",
  /** The own store. */
  "disk",
  /** Trees or keys are being compared. */
  "comparing",
  /** The trees were not equal yet. */
  "different",
  /** The replaced member is asked to answer no more reads. */
  "closing",
  /** Confirmed: the next ring must come. */
  "flip",
  /** Some member has not reported the epoch of the flip. */
  "members",
  /** Some record here is not covered by any owner's. */
  "uncovered",
  /** Another deletion is under way. */
  "deleting",
] as const;
/** A reason to wait. */
export type TransferWait = (typeof transferWaits)[number];

/** What names a transfer and says who takes part. */
export interface TransferName {
  /** The ring's; 0: a copy found here that belongs to no transfer this node knows. */
  readonly id: number;
  /** The fence of the partition: a transfer cancelled and pending again has a later one, whatever its id is. */
  readonly since: number;
  readonly partition: PartitionId;
  readonly n: number;
  readonly joining: NodeNumber;
  /** `noNode` where the list grows. */
  readonly replaced: NodeNumber;
  readonly position: number;
}

/** The place of a (partition, n) in tables. */
export function replicaKey(partition: number, n: number): number {
  return 8 * partition + n;
}

/** One end's view of a transfer; the state machines change it. */
export class Transfer implements TransferName {
  readonly id: number;
  readonly since: number;
  readonly partition: PartitionId;
  readonly n: number;
  readonly joining: NodeNumber;
  readonly replaced: NodeNumber;
  readonly position: number;
  /** This node gives the partition away. */
  readonly sending: boolean;
  state: TransferState;
  wait: TransferWait = "none";
  /** Whom it waits for or copies from; 0: nobody. */
  peer = 0;

  /** Where the copy goes on, in the order of the `source`'s store; null: at its start. */
  cursor: Uint8Array | null = null;
  /** Whom the copy is read from; 0: nobody yet. */
  source = 0;
  /** Whose copies have been read to the end. */
  copied: number[] = [];
  /** The replaced member has said that its copy is not complete: every other owner counts as well. */
  distrusted = false;
  /** The epoch in which a copy given up ceased to be an owner's. */
  flipEpoch = 0;
  bytes = 0;
  records = 0;

  // What follows is not remembered over a restart.
  /** Where the copies of other sources were left, while these seemed dead. */
  readonly left: Map<number, Uint8Array | null> = new Map();
  /** The copy takes one of the node's few places. */
  active = false;
  /** Whose tree was equal to the own one, twice. */
  verified: number[] = [];
  /** No old copy is left, and that is on stable storage: what is stored now stays. */
  cleared = false;
  storeSynced = false;
  closed = false;
  /** What is under way, by the token of its answer; 0: nothing. */
  token = 0;
  /** Until when the answer may take. */
  deadline: Instant = never;
  /** Bytes of the last page: what the next one is expected to have. An empty partition owes nothing. */
  pageBytes = 0;
  /** Bytes that the pull under way has taken of the rate. */
  paid = 0;
  retryAt: Instant = 0 as Instant;
  attempts = 0;
  /** The saved state that must be on stable storage before anything else happens. */
  gate = 0;
  page: RecordsInFlight | null = null;
  deleteCursor: Uint8Array | null = null;
  deleteRounds = 0;
  /** The peer's request that is answered once the gate is passed; 0: none. */
  replyTo = 0;
  perMille = 0;
  startedAt: Instant = never;
  bytesAtStart = 0;
  /** Of the source now copied: what came from it since this boot, and where that began. */
  perMilleAtStart = 0;

  constructor(name: TransferName, sending: boolean, state: TransferState) {
    this.id = name.id;
    this.since = name.since;
    this.partition = name.partition;
    this.n = name.n;
    this.joining = name.joining;
    this.replaced = name.replaced;
    this.position = name.position;
    this.sending = sending;
    this.state = state;
  }

  /** Whether this is the transfer of that name, and not an earlier one of the same replica. */
  is(name: { readonly id: number; readonly since: number }): boolean {
    return this.id === name.id && this.since === name.since;
  }
}

/** What both the state file and the rows for people say of one end, by the names of the schema. */
export function endOf(transfer: Transfer): TransferName & {
  readonly sending: boolean;
  /** Index into `transferStates`. */
  readonly state: number;
  readonly bytes: number;
  readonly records: number;
} {
  const { id, since, partition, n, joining, replaced, position, sending, bytes, records } = transfer;
  const state = transferStates.indexOf(transfer.state);
  return { id, since, partition, n, joining, replaced, position, sending, state, bytes, records };
}

/** What a node knows of its own replica of (partition, n). */
export interface ReplicaProgress {
  /** Its history is complete. */
  readonly synced: boolean;
  /** It was asked to answer no more reads, because the joining member takes over, and that is on stable storage. */
  readonly closed: boolean;
  /** No old copy is left: what is stored now stays. */
  readonly cleared: boolean;
  /** It was closed for a member that may not have heard yet that it is not to join any more. */
  readonly reopening: boolean;
}

/** What becomes of a replica read. */
export const ReadRule = { serve: 0, notSynced: 1, wrongOwner: 2 } as const;
/** One of the rules for reads. */
export type ReadRule = (typeof ReadRule)[keyof typeof ReadRule];

/** What becomes of a replica write. */
export const WriteRule = { accept: 0, notReady: 1, wrongOwner: 2 } as const;
/** One of the rules for writes. */
export type WriteRule = (typeof WriteRule)[keyof typeof WriteRule];

/**
 * How node `number` answers a replica read of (partition, n). Old owners serve until the ring flips, but the replaced one
 * only until it is closed; the joining member serves from its confirmation on, which follows the closing. So at every
 * moment at most one of those two serves, and a reader with either list meets every acknowledged write.
 */
export function readRule(
  ring: Ring,
  partition: PartitionId,
  n: number,
  number: NodeNumber,
  progress: ReplicaProgress,
): ReadRule {
  const pending = ring.pendingOf(partition, n);
  const joins = pending?.joining === number;
  if (!joins && !ring.isOwner(partition, n, number)) return ReadRule.wrongOwner;
  if (pending?.replaced === number && progress.closed) return ReadRule.wrongOwner;
  return progress.synced ? ReadRule.serve : ReadRule.notSynced;
}

/** Whether node `number` answers reads of (partition, n). */
export function serves(
  ring: Ring,
  partition: PartitionId,
  n: number,
  number: NodeNumber,
  progress: ReplicaProgress,
): boolean {
  return readRule(ring, partition, n, number, progress) === ReadRule.serve;
}

/**
 * How node `number` treats a replica write of (partition, n): every owner takes it, synced or not, closed or not; the
 * joining member once nothing can be deleted under it any more.
 *
 * An owner that was closed for a transfer that is cancelled reads at once, but takes no write until the other end knows:
 * that one may still be answering in its place, for readers with the ring before, and they would miss whatever was
 * acknowledged with this node's help. Without it every quorum of writers has a member in every quorum of those readers.
 */
export function writeRule(
  ring: Ring,
  partition: PartitionId,
  n: number,
  number: NodeNumber,
  progress: ReplicaProgress,
): WriteRule {
  if (ring.pendingOf(partition, n)?.joining === number) {
    return progress.cleared ? WriteRule.accept : WriteRule.notReady;
  }
  if (!ring.isOwner(partition, n, number)) return WriteRule.wrongOwner;
  return progress.reopening ? WriteRule.notReady : WriteRule.accept;
}

/** Whether the operator has given a member up: it leaves, or has left, and it is dead. Nobody waits for its word. */
export function isLost(ring: Ring, number: NodeNumber, seen: { isDead(number: NodeNumber): boolean }): boolean {
  if (!seen.isDead(number)) return false;
  const status = ring.member(number)?.status;
  return status !== "member" && status !== "joining";
}
