/** StoreWrite: one record on its way to the engine, from the call that queued it to the end of its batch. */
import { noBytes } from "../base/bytes.ts";

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
  /** The store's: a place in write-back that must have gone to the engine before; 0: none. */
  behind: number;

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
    this.behind = 0;
  }
}
