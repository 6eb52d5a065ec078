/** StoreWrite: one record on its way to the engine, from the call that queued it to the end of its batch. */
import { noBytes } from "../base/bytes.ts";
import type { Instant } from "../base/time.ts";
import { instant } from "../base/time.ts";

/** What a write asks for beyond reaching the operating system. */
export const SyncMode: Readonly<{ none: 0; designated: 1; now: 2 }> = {
  none: 0,
  /** Synced in a group, at most every 5 ms. */
  designated: 1,
  /** Synced at once after its batch. */
  now: 2,
};
/** One of the modes. */
export type SyncMode = 0 | 1 | 2;

/**
 * One write. The caller fills the fields and gives it away with `Store.write`: keys and bytes must stay as they are
 * until the write has been answered (for a `memory` write: until its batch is done, so never reuse them).
 */
export class StoreWrite {
  fullKey: Uint8Array;
  hashHigh: number;
  hashLow: number;
  /** The tree class: the N of the key's bucket. */
  n: number;
  partition: number;
  /** The sealed record. */
  sealed: Uint8Array;
  /** Old causal hash XOR new one: what the key's Merkle leaf changes by. */
  deltaHigh: number;
  deltaLow: number;
  /** Acknowledge once the record is in the object buffer. Goes with `SyncMode.none` only. */
  memory: boolean;
  sync: SyncMode;
  token: number;
  /** The store's: place in the queue's order, 2^31..2^32-1, wrapping; also the dirty token of its buffer entry. */
  sequence: number;
  /** The store's: when it was queued. */
  queuedAt: Instant;
  /** The store's: whether `onStoreWritten` has been or is about to be called. */
  answered: boolean;
  /** The store's: a later memory write of the key may take its place while it waits. */
  joinable: boolean;

  constructor() {
    this.fullKey = noBytes;
    this.hashHigh = 0;
    this.hashLow = 0;
    this.n = 0;
    this.partition = 0;
    this.sealed = noBytes;
    this.deltaHigh = 0;
    this.deltaLow = 0;
    this.memory = false;
    this.sync = SyncMode.none;
    this.token = 0;
    this.sequence = 0;
    this.queuedAt = instant(0);
    this.answered = false;
    this.joinable = false;
  }
}
