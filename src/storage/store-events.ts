/** What the store tells its owner: answers by token, and its own life. Never called from inside a call on the store. */
import type { Instant } from "../base/time.ts";
import type { HintEntry } from "./keys.ts";

/** The error of a read that was refused because too many are in flight: nothing is wrong with the disk. */
export const storeBusy = "too many reads are in flight";
/** The error of a read that found bytes whose checksum fails: they are lost, and the next read finds no others. */
export const storeDamaged = "the stored record is damaged";

/** What the boot scan found. */
export interface StartReport {
  /** The store was empty and has just been made. */
  readonly created: boolean;
  /** Batches, or entries of the write-ahead log, are missing from the middle: distrust every tree and every partition. */
  readonly hole: boolean;
  /** The write-ahead log held segments: after an unclean stop there is at least the last one. */
  readonly logged: boolean;
  /** The number of the newest batch; 0: none yet. */
  readonly batchNumber: number;
  /** Merkle leaves loaded. */
  readonly leaves: number;
  /** Hints kept, for all targets together. */
  readonly hints: number;
}

/** One page of records, in key-hash order. The arrays run in parallel; the bytes belong to the receiver. */
export interface RecordPage {
  readonly fullKeys: readonly Uint8Array[];
  /** Sealed records with good checksums. */
  readonly records: readonly Uint8Array[];
  /** Keys whose records failed their checksum; they are in neither array above. */
  readonly unreadable: readonly Uint8Array[];
  /** Where to go on; null: the range is done. */
  readonly cursor: Uint8Array | null;
}

/** One page of a range deletion. */
export interface DeletedPage {
  readonly deleted: number;
  /** Of these, records that failed their checksum: their share of a Merkle leaf is unknown, and stays in it. */
  readonly unreadable: number;
  /** Where to go on; null: the range is done. */
  readonly cursor: Uint8Array | null;
}

/** A record kept for another node. */
export interface StoredHint {
  readonly target: number;
  /** When it was first kept: seconds since 1970. */
  readonly second: number;
  /** The sealed record; its checksum is good, unless the page came with `storeDamaged`. */
  readonly sealed: Uint8Array;
}

/** One page of hints without their records, by target and key hash; the bytes belong to the receiver. */
export interface HintPage {
  readonly entries: readonly HintEntry[];
  /** Where to go on; null: the range is done. */
  readonly cursor: Uint8Array | null;
}

/** The store's owner. Tokens are the owner's own. */
export interface StoreEvents {
  /** The boot scan is through: the store takes reads and writes from now on. */
  onStoreStarted(now: Instant, report: StartReport): void;
  /**
   * `sealed` is null when there is no such record; it belongs to the receiver and its checksum is good. `error` is null
   * on success; on an error `sealed` means nothing: a record that cannot be read is never "not found". `storeBusy` says
   * nothing about the record, `storeDamaged` that nobody will read it any more.
   */
  onStoreRead(now: Instant, token: number, sealed: Uint8Array | null, error: string | null): void;
  /** The write reached the operating system or, for a memory write, is in the object buffer. */
  onStoreWritten(now: Instant, token: number): void;
  /** The write is on stable storage; follows `onStoreWritten`, for a sync mode other than none. */
  onStoreSynced(now: Instant, token: number): void;
  onStoreScanned(now: Instant, token: number, page: RecordPage | null, error: string | null): void;
  /**
   * A record whose checksum fails was found, by whatever reads or scans; told each time. `target`: for whom it is kept
   * as a hint; 0: it is the node's own. The key's bytes are borrowed.
   */
  onStoreDamaged(now: Instant, fullKey: Uint8Array, flaw: string, target: number): void;
  /** All hints of one key, or an error as for a read; with `storeDamaged` they are there, the damaged ones among them. */
  onStoreHints(now: Instant, token: number, hints: readonly StoredHint[], error: string | null): void;
  onStoreHintPage(now: Instant, token: number, page: HintPage | null, error: string | null): void;
  onStoreDeleted(now: Instant, token: number, page: DeletedPage | null, error: string | null): void;
  /** The store cannot go on: the node must end. Nothing follows. */
  onStoreFailed(now: Instant, reason: string): void;
  /** Everything is flushed, synced and closed. Nothing follows. */
  onStoreClosed(now: Instant): void;
}
