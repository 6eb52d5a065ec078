/**
 * ReplicaOp: one read, write or put at one replica, from the asker's call to `done`. One object per request, all fields
 * set in one order, so that the engine sees one shape; the waiting list of a busy key is linked through it.
 */
import { noBytes } from "../base/bytes.ts";
import { Durability } from "../base/durability.ts";
import { type Status, statusOk } from "../base/errors.ts";
import { copyBytes } from "../base/pool.ts";
import { type DurationUs, type Instant, instant, never } from "../base/time.ts";
import type { StoredHint } from "../storage/store.ts";
import type { OwnWrite, SiblingSet } from "../version/sibling-set.ts";
import { type Dot, VersionVector } from "../version/version-vector.ts";
import type { Waiter } from "./busy-keys.ts";

/** What an op asks for. */
export const ReplicaKind: Readonly<{
  read: 0;
  write: 1;
  put: 2;
  keepHint: 3;
  dropHint: 4;
  readHints: 5;
  forget: 6;
}> = {
  read: 0,
  write: 1,
  put: 2,
  /** Merges the record into the hint for `target`. */
  keepHint: 3,
  /** Deletes the hint for `target`, if it is still the one that was sent there. */
  dropHint: 4,
  /** Reads what is kept for others: the merge of the key's hints, or the hint for `target`. */
  readHints: 5,
  /** Forgets the record of a deleted key, or entries of its version, if it is still what was certified (repair/reaper.ts). */
  forget: 6,
};
export type ReplicaKind = 0 | 1 | 2 | 3 | 4 | 5 | 6;

/** What an op waits for. */
export const ReplicaPhase: Readonly<{ idle: 0; key: 1; record: 2; hints: 3; written: 4; synced: 5 }> = {
  /** Nothing: not begun, or finished. */
  idle: 0,
  /** Its turn: another op changes the key. */
  key: 1,
  record: 2,
  hints: 3,
  written: 4,
  synced: 5,
};
export type ReplicaPhase = 0 | 1 | 2 | 3 | 4 | 5;

/** A put that would leave more siblings than this is refused, unless its op says otherwise. */
const siblingsMaxDefault = 64;

const noEntries: readonly number[] = [];

/** The asker fills the fields down to `siblingsMax`, and `sealed` for a write; the rest is the replica's to fill. */
export class ReplicaOp<O> implements Waiter<ReplicaOp<O>> {
  readonly kind: ReplicaKind;
  /** The asker's own; the replica only carries it. */
  readonly origin: O;
  /** Owned by the op. */
  readonly fullKey: Uint8Array;
  hashHigh = 0;
  hashLow = 0;
  partition = 0;
  /** The N of the key's bucket: names the Merkle tree. */
  n = 0;
  /** Work that has not begun by then is not begun. */
  deadline: Instant = never;
  /** When the asker gave it to the replica; and how long the asker's frame may have waited before that. */
  begunAt: Instant = instant(0);
  loopUs: DurationUs = 0;
  /** Of this replica's write; `oneDurable` means "you are the designated one". Never `bucket`. */
  durability: Durability = Durability.buffered;

  /**
   * The node for which this one stands in; 0: none. Put: the record becomes its hint, minted from all that is held here.
   * `keepHint` and `dropHint`: never 0. `readHints`: 0 asks for all hints of the key.
   */
  target = 0;
  /**
   * `dropHint`: the causal hash of the record that the target has acknowledged, after a sync. `forget`: that of the record
   * that is to go; where `entries` is not empty, it is those that go, whatever the hash.
   */
  causalHigh = 0;
  causalLow = 0;
  /** `forget`: entries of the version, in its order and packing. */
  entries: readonly number[] = noEntries;

  /** Put: what the writer had read. */
  context: VersionVector = VersionVector.empty;
  /** Put: the writer's own write before this one, where the context names it by itself. */
  contextOwn: OwnWrite | null = null;
  /** Put: 16 bytes, borrowed until `put` returns. */
  requestId: Uint8Array = noBytes;
  /** Put: borrowed until `put` returns; empty for a tombstone. */
  value: Uint8Array = noBytes;
  tombstone = false;
  /** Put: the reply's context covers all that is there, seen by its writer or not. */
  overwrite = false;
  /** Put: the last write wins, so it is stamped, and replaces all that is there. */
  lww = false;
  /**
   * Put: seconds since 1970 by the coordinator's clock, for people and for trimming `recent`. With a target: since when
   * the hint is kept, unless it is there already; whole seconds below 2^32.
   */
  second = 0;
  siblingsMax: number = siblingsMaxDefault;

  /**
   * Write, `keepHint`: the incoming sealed record, its checksum verified; borrowed until the call returns.
   * Read, `readHints`: the answer, null when there is none; valid during `done` only.
   * Put: from `prepared` on, the record to send to the other replicas: pooled bytes that stay valid.
   */
  sealed: Uint8Array | null = null;
  /** Put: from `prepared` on, what its writer may say it has read (`SiblingSet.contextAfter`): the context of the reply. */
  version: VersionVector = VersionVector.empty;
  /** Put: goes with `version`, where the write had to be named by itself. */
  own: OwnWrite | null = null;
  /**
   * Write, `keepHint`: takes the place of a stored record that is damaged (`storeDamaged`); merged with one that is not, as
   * ever. `dropHint`: the hint goes if it is damaged.
   */
  mends = false;
  /**
   * Write: of a copy into a replica that was empty and has yet to be compared. What its leaves do not count is taken for
   * missing, unread: the worst that can follow is that a record which nobody could read any more is written over.
   */
  copied = false;
  /** Set before `done`. */
  status: Status = statusOk;
  /** Why, for people, when `status` is an error. */
  message = "";
  /** How long it waited for other changes of its key. */
  keyUs: DurationUs = 0;
  /** The write was synced before `done`. */
  durable = false;
  /** `dropHint`, `forget`: it is gone; false: there was none, or it has changed meanwhile. */
  removed = false;

  /** The op's id in the store's answers. */
  id = -1;
  phase: ReplicaPhase = ReplicaPhase.idle;
  /** The store shows what the op has written, which may not be applied yet: its key has been passed on. */
  shown = false;
  /** What was borrowed has been copied. */
  kept = false;
  /** Put: it has waited for the end of a turn, so that others of its key could join it. */
  gathered = false;
  /** Put: the next one that shares its write, and ends when it does. */
  companion: ReplicaOp<O> | null = null;
  /** The record as read, while the hints are being read. */
  stored: Uint8Array | null = null;
  /** The hint for `target` as read. */
  hint: StoredHint | null = null;
  /** Who waits behind this op for the same key. */
  nextWaiter: ReplicaOp<O> | null = null;

  constructor(kind: ReplicaKind, origin: O, fullKey: Uint8Array) {
    this.kind = kind;
    this.origin = origin;
    this.fullKey = fullKey;
  }

  /** Put: fills in what its writer may say it has read, now that its write is in the record. */
  noteSeen(after: SiblingSet, dot: Dot): void {
    if (this.overwrite || this.lww) {
      this.version = after.version;
      return;
    }
    const seen = after.contextAfter(this.context, { dot, requestId: this.requestId });
    this.version = seen.version;
    this.own = seen.own;
  }

  /** Copies what the op borrows, because it outlives the call. */
  keepBytes(): void {
    if (this.kept) return;
    this.kept = true;
    if (this.kind === ReplicaKind.put) {
      this.value = copyBytes(this.value);
      this.requestId = copyBytes(this.requestId);
    } else if (this.sealed !== null) this.sealed = copyBytes(this.sealed);
  }
}
