/**
 * Engine: the ordered key-value engine under the store, at its narrowest: what RocksDB's binding and the simulated disk
 * both can do. Group commit, caching, checksums, Merkle leaves and batch numbers are not here but once, in `store.ts`.
 *
 * Every call is asynchronous and answers through `EngineEvents`, never inside the call. Calls with the same effect order
 * (writes) complete in the order they were made. Suites: `test/conformance/engine.ts`.
 */
import type { Instant } from "../base/time.ts";

/**
 * One atomic batch under construction. The engine makes it (`Engine.batch`), the store fills it and gives it back with
 * `Engine.write`. Keys and values are copied: they are the caller's again when `put` or `del` returns.
 */
export interface EngineBatch {
  put(key: Uint8Array, value: Uint8Array): void;
  del(key: Uint8Array): void;
  /** Bytes of keys and values so far. */
  readonly bytes: number;
}

/** One page of a scan: keys in ascending order, at most as many as asked for. */
export interface Page {
  readonly keys: readonly Uint8Array[];
  readonly values: readonly Uint8Array[];
  /** True when the range holds nothing after the last key. */
  readonly done: boolean;
}

/** Where to scan: `from` <= key < `to`, in ascending byte order. */
export interface ScanRange {
  readonly from: Uint8Array;
  readonly to: Uint8Array;
  /** A page ends when it holds this many keys, or this many bytes of keys and values, whichever comes first; at least one key. */
  readonly keysMax: number;
  readonly bytesMax: number;
}

/** How the error of a read begins that says that what was stored there is lost: nobody will read it any more. */
export const lostPrefix = "lost: ";

/** What people are told when more is lost than a record: `error` names the file. */
export function damagedStoreText(error: string): string {
  const cause = error.startsWith(lostPrefix) ? error.slice(lostPrefix.length) : error;
  const cure = "start a node with an empty directory, and have it take this one's place: `ringtail cluster replace`";
  return `the files of the store are damaged or missing (${cause}); ${cure}`;
}

export interface EngineEvents {
  /** `value` is null when there is no such key; it belongs to the receiver. `error` is null on success; on an error `value` is null and means nothing. */
  onGot(now: Instant, token: number, value: Uint8Array | null, error: string | null): void;
  /** The batch reached the operating system (it survives kill -9, not a power cut), or failed. A failed write is fatal to the node. */
  onWritten(now: Instant, token: number, error: string | null): void;
  /** Every batch answered by `onWritten` before this `sync` was called is on stable storage, or the sync failed (fatal). */
  onSynced(now: Instant, token: number, error: string | null): void;
  onScanned(now: Instant, token: number, page: Page | null, error: string | null): void;
  /** Everything asked before `close` has been answered and the engine is closed. */
  onClosed(now: Instant): void;
}

export interface Engine {
  /** Must be called once, before any other call. */
  attach(events: EngineEvents): void;
  get(key: Uint8Array, token: number): void;
  batch(): EngineBatch;
  /** Writes atomically and unsynced. Batches take effect in the order of these calls. */
  write(batch: EngineBatch, token: number): void;
  /**
   * Makes what was written durable, and with it the word that segments of the write-ahead log before `oldestSegment` are
   * not needed any more (keys.ts: sync marker). Does not hold up writes longer than the device makes it.
   */
  sync(token: number, oldestSegment: number): void;
  /** One page; ask again from just after its last key. */
  scan(range: ScanRange, token: number): void;
  /** About how many bytes of keys and values it holds; 0 after `close`. */
  dataBytes(): number;
  /** Waits for everything in flight, then closes. Calls after it are answered with an error. */
  close(): void;
}
