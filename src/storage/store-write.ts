/** StoreWrite: one record or hint on its way to the engine, from the call that queued it to the end of its batch. */
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

/** What makes a write one of a hint: it has no Merkle leaf, and the object buffer does not hold it. */
export interface HintChange {
  /** Whom the hint is kept for. */
  readonly target: number;
  /** When the hint was first kept: seconds since 1970. */
  readonly second: number;
  /** The hint before this write: `second` as it was, and the bytes of its sealed record; -1: there was none. */
  readonly secondBefore: number;
  readonly bytesBefore: number;
}

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
  /** The sealed record; empty: the hint is deleted. */
  sealed: Uint8Array;
  /** The record goes: `sealed` is what it was. Its key is held until this is written. */
  forgotten: boolean;
  /** Old causal hash XOR new one: what the key's Merkle leaf changes by. */
  deltaHigh: number;
  deltaLow: number;
  /** Acknowledge once the record is in the object buffer. Goes with `SyncMode.none` only. */
  memory: boolean;
  sync: SyncMode;
  token: number;
  /** Null: the record itself is written. Else `n` and the deltas mean nothing, and `memory` is false. */
  hint: HintChange | null;
  /** The store's: a place in write-back that must have gone to the engine before; 0: none. */
  behind: number;

  constructor() {
    this.fullKey = noBytes;
    this.hashHigh = 0;
    this.hashLow = 0;
    this.n = 0;
    this.partition = 0;
    this.sealed = noBytes;
    this.forgotten = false;
    this.deltaHigh = 0;
    this.deltaLow = 0;
    this.memory = false;
    this.sync = SyncMode.none;
    this.token = 0;
    this.hint = null;
    this.behind = 0;
  }
}
