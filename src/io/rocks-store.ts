/**
 * RocksEngine: `Engine` over the RocksDB binding. It only carries bytes: group commit, caching, checksums and batch
 * numbers are in storage/.
 *
 * Shaped by the binding. A call on a closed database crashes some versions of it, so a guard here answers every call
 * after `close`, and `close` waits for what is in flight. It copies keys and values at once and takes any Uint8Array.
 * Its batches are kept and cleared, not made anew, and calls carry one kept closure each: what lives until an answer
 * comes would survive a scavenge. There is no call that syncs the log alone: a sync is a synced batch of one marker
 * key, which makes durable everything written before it. Compression is off, so that any RocksDB can open the
 * directory.
 */
import RocksDB from "rocksdb";
import { assert } from "../base/assert.ts";
import { plainBytes } from "../base/bytes.ts";
import { RingtailError } from "../base/errors.ts";
import type { Clock } from "../base/time.ts";
import {
  damagedStoreText,
  type Engine,
  type EngineBatch,
  type EngineEvents,
  lostPrefix,
  type Page,
  type ScanRange,
} from "../storage/engine.ts";
import { formatKey, syncMarkerKey, syncMarkerValue } from "../storage/keys.ts";

/** How the engine is opened. */
export interface RocksOptions {
  readonly clock: Clock;
  /** Bytes of uncompressed blocks kept in memory; default 256 MiB. More saves disk reads, less leaves memory to others. */
  readonly blockCacheBytes?: number;
  /** Bytes of a memtable; default 64 MiB. Larger: fewer flushes, but longer recovery. */
  readonly memtableBytes?: number;
  /** Bytes a scan brings per trip; default 128 KiB. Larger stalls the loop, smaller makes scans slow. */
  readonly scanBytes?: number;
}

const getOptions = { asBuffer: true, fillCache: true };
const unsynced = { sync: false };
const synced = { sync: true };
const closedError = "the engine is closed";
/**
 * Databases with a scan that has failed, and its iterator: the binding never ends it, nor closes the database around
 * it, and ends the process if one of them is collected as garbage.
 */
const unended: Map<RocksDB, RocksDB.Iterator> = new Map();
/** Idle call objects and batches kept for reuse. */
const spareMax = 1024;
const spareBatchesMax = 4;
/** A batch that grew past this is not kept: its memory would stay as large. */
const spareBatchBytesMax = 4 * 1024 * 1024;

class RocksBatch implements EngineBatch {
  readonly batch: RocksDB.Batch;
  readonly done: (error: Error | null | undefined) => void;
  bytes = 0;
  token = 0;

  constructor(engine: RocksEngine, batch: RocksDB.Batch) {
    this.batch = batch;
    this.done = (error) => engine.onBatchDone(this, error);
  }

  put(key: Uint8Array, value: Uint8Array): void {
    this.batch._put(key, value);
    this.bytes += key.length + value.length;
  }

  del(key: Uint8Array): void {
    this.batch._del(key);
    this.bytes += key.length;
  }
}

/** What `batch` makes after `close`: it goes nowhere. */
class RefusedBatch implements EngineBatch {
  bytes = 0;

  put(key: Uint8Array, value: Uint8Array): void {
    this.bytes += key.length + value.length;
  }

  del(key: Uint8Array): void {
    this.bytes += key.length;
  }
}

class GetCall {
  token = 0;
  readonly done: (error: Error | null, value?: Uint8Array) => void;

  constructor(engine: RocksEngine) {
    this.done = (error, value) => engine.onGetDone(this, error, value);
  }
}

class ScanCall {
  readonly token: number;
  readonly range: ScanRange;
  readonly iterator: RocksDB.Iterator;
  readonly keys: Uint8Array[] = [];
  readonly values: Uint8Array[] = [];
  bytes = 0;

  constructor(token: number, range: ScanRange, iterator: RocksDB.Iterator) {
    this.token = token;
    this.range = range;
    this.iterator = iterator;
  }
}

/** One open RocksDB. Answers arrive in later turns of the loop, with the clock's time. */
export class RocksEngine implements Engine {
  readonly #database: RocksDB;
  readonly #clock: Clock;
  readonly #scanBytes: number;
  #events: EngineEvents | undefined;
  #inFlight = 0;
  #closing = false;
  #closeAsked = false;
  #closed = false;
  readonly #spareGets: GetCall[] = [];
  readonly #spareBatches: RocksBatch[] = [];
  /** The first is being written, the others wait: the binding's threads would write two in either order. */
  readonly #writes: RocksBatch[] = [];
  readonly #syncWaiting: number[] = [];
  #syncTokens: readonly number[] = [];
  #syncing = false;
  readonly #marker: RocksDB.Batch;
  #oldestSegment = 0;

  private constructor(database: RocksDB, options: RocksOptions) {
    this.#database = database;
    this.#clock = options.clock;
    this.#scanBytes = options.scanBytes ?? 128 * 1024;
    this.#marker = database._chainedBatch();
  }

  /**
   * Opens the store in `directory`, which is made if it is not there. Rejects with `STORAGE_FAILED`: with a message of
   * its own if another process has it open (RocksDB locks its directory, and a killed process's lock is gone with it).
   */
  static async open(directory: string, options: RocksOptions): Promise<RocksEngine> {
    const database = new RocksDB(directory);
    const settings = {
      createIfMissing: true,
      compression: false,
      cacheSize: options.blockCacheBytes ?? 256 * 1024 * 1024,
      writeBufferSize: options.memtableBytes ?? 64 * 1024 * 1024,
      maxOpenFiles: 1000,
    };
    await new Promise<void>((resolve, reject) => {
      database.open(settings, (error) => {
        if (error === null || error === undefined) resolve();
        else reject(openError(directory, error));
      });
    });
    return new RocksEngine(database, options);
  }

  /** Whether a node has ever started its store in here; one that cannot be read is used. Before `attach` only. */
  isUsed(): Promise<boolean> {
    return new Promise((resolve) => {
      this.#database._get(formatKey(), getOptions, (error) => resolve(error?.message.startsWith("NotFound") !== true));
    });
  }

  /** The database is closed, and its directory free. */
  get closed(): boolean {
    return this.#closed;
  }

  get #sink(): EngineEvents {
    assert(this.#events !== undefined, "attach comes first");
    return this.#events;
  }

  attach(events: EngineEvents): void {
    assert(this.#events === undefined, "an engine is attached once");
    this.#events = events;
  }

  /** One of RocksDB's own figures, such as `rocksdb.stats`; empty after `close`. */
  property(name: string): string {
    return this.#closing ? "" : this.#database.getProperty(name);
  }

  dataBytes(): number {
    const figures = ["rocksdb.estimate-live-data-size", "rocksdb.cur-size-all-mem-tables"];
    return figures.reduce((sum, name) => sum + Number(this.property(name)), 0);
  }

  get(key: Uint8Array, token: number): void {
    if (this.#closing) {
      this.#later(() => this.#sink.onGot(this.#clock.now(), token, null, closedError));
      return;
    }
    const call = this.#spareGets.pop() ?? new GetCall(this);
    call.token = token;
    this.#inFlight += 1;
    this.#database._get(key, getOptions, call.done);
  }

  /** For GetCall only. */
  onGetDone(call: GetCall, error: Error | null, value: Uint8Array | undefined): void {
    const token = call.token;
    if (this.#spareGets.length < spareMax) this.#spareGets.push(call);
    this.#settle();
    const now = this.#clock.now();
    const found = value === undefined ? null : plainBytes(value);
    if (error === null || error === undefined) this.#sink.onGot(now, token, found, null);
    else if (error.message.startsWith("NotFound")) this.#sink.onGot(now, token, null, null);
    else this.#sink.onGot(now, token, null, readError(error));
  }

  batch(): EngineBatch {
    if (this.#closing) return new RefusedBatch();
    return this.#spareBatches.pop() ?? new RocksBatch(this, this.#database._chainedBatch());
  }

  write(batch: EngineBatch, token: number): void {
    if (this.#closing) {
      this.#later(() => this.#sink.onWritten(this.#clock.now(), token, closedError));
      return;
    }
    assert(batch instanceof RocksBatch, "a batch goes back to the engine that made it");
    batch.token = token;
    this.#inFlight += 1;
    this.#writes.push(batch);
    if (this.#writes.length === 1) batch.batch._write(unsynced, batch.done);
  }

  /** For RocksBatch only. */
  onBatchDone(batch: RocksBatch, error: Error | null | undefined): void {
    assert(this.#writes.shift() === batch, "batches are written in order");
    const next = this.#writes[0];
    if (next !== undefined) next.batch._write(unsynced, next.done);
    if (this.#spareBatches.length < spareBatchesMax && batch.bytes <= spareBatchBytesMax) {
      batch.batch._clear();
      batch.bytes = 0;
      this.#spareBatches.push(batch);
    }
    this.#settle();
    this.#sink.onWritten(this.#clock.now(), batch.token, messageOf(error));
  }

  sync(token: number, oldestSegment: number): void {
    if (this.#closing) {
      this.#later(() => this.#sink.onSynced(this.#clock.now(), token, closedError));
      return;
    }
    this.#inFlight += 1;
    this.#syncWaiting.push(token);
    this.#oldestSegment = oldestSegment;
    if (!this.#syncing) this.#beginSync();
  }

  #beginSync(): void {
    this.#syncing = true;
    this.#syncTokens = this.#syncWaiting.splice(0);
    this.#marker._clear();
    this.#marker._put(syncMarkerKey(), syncMarkerValue(this.#oldestSegment));
    this.#marker._write(synced, (error) => this.#onSyncDone(messageOf(error)));
  }

  #onSyncDone(error: string | null): void {
    const tokens = this.#syncTokens;
    this.#syncing = false;
    if (this.#syncWaiting.length > 0) this.#beginSync();
    const now = this.#clock.now();
    for (const token of tokens) {
      this.#settle();
      this.#sink.onSynced(now, token, error);
    }
  }

  scan(range: ScanRange, token: number): void {
    if (this.#closing) {
      this.#later(() => this.#sink.onScanned(this.#clock.now(), token, null, closedError));
      return;
    }
    this.#inFlight += 1;
    const iterator = this.#database._iterator({
      gte: range.from,
      lt: range.to,
      limit: range.keysMax,
      highWaterMark: Math.min(this.#scanBytes, range.bytesMax),
      fillCache: false,
      keys: true,
      values: true,
      keyAsBuffer: true,
      valueAsBuffer: true,
    });
    this.#fetch(new ScanCall(token, range, iterator));
  }

  #fetch(call: ScanCall): void {
    call.iterator.nextPage((error, rows) => {
      if (error === null || error === undefined) this.#onRows(call, rows);
      else this.#failScan(call, readError(error));
    });
  }

  /** No rows means the end: of the range, or of as many keys as were asked for. */
  #onRows(call: ScanCall, rows: [Uint8Array, Uint8Array][] | undefined): void {
    for (const [key, value] of rows ?? []) {
      if (call.bytes >= call.range.bytesMax) break;
      call.keys.push(plainBytes(key));
      call.values.push(plainBytes(value));
      call.bytes += key.length + value.length;
    }
    const ended = rows === undefined || rows.length === 0;
    const full = call.bytes >= call.range.bytesMax || call.keys.length >= call.range.keysMax;
    if (!ended && !full) this.#fetch(call);
    else this.#endScan(call, { keys: call.keys, values: call.values, done: !full });
  }

  #endScan(call: ScanCall, page: Page): void {
    call.iterator._end(() => {
      this.#settle();
      this.#sink.onScanned(this.#clock.now(), call.token, page, null);
    });
  }

  #failScan(call: ScanCall, error: string): void {
    unended.set(this.#database, call.iterator);
    this.#settle();
    this.#sink.onScanned(this.#clock.now(), call.token, null, error);
  }

  close(): void {
    if (this.#closing) return;
    this.#closing = true;
    this.#closeWhenIdle();
  }

  #settle(): void {
    this.#inFlight -= 1;
    if (this.#closing) this.#later(() => this.#closeWhenIdle());
  }

  #closeWhenIdle(): void {
    if (this.#inFlight > 0 || this.#closeAsked) return;
    this.#closeAsked = true;
    const done = (): void => {
      this.#closed = true;
      this.#sink.onClosed(this.#clock.now());
    };
    // What the store wants to keep it has synced by now; the end of the process does the rest.
    if (unended.has(this.#database)) this.#later(done);
    else {
      this.#database.close((error) => {
        assert(error === null || error === undefined, "RocksDB does not refuse to close");
        done();
      });
    }
  }

  #later(run: () => void): void {
    setImmediate(run);
  }
}

function messageOf(error: Error | null | undefined): string | null {
  return error === null || error === undefined ? null : error.message;
}

/** Damaged blocks, and files that are damaged or missing, hold what nobody will read any more; other errors may pass. */
function readError({ message }: Error): string {
  return /^Corruption|No such file/.test(message) ? lostPrefix + message : message;
}

function openError(directory: string, error: Error): RingtailError {
  // Held by another process, or by this one; a lock file that cannot be opened at all is another matter.
  if (/While lock file|lock hold by current process/i.test(error.message)) {
    return new RingtailError("STORAGE_FAILED", `another process uses ${directory}: stop it first (${error.message})`);
  }
  const cause = readError(error);
  const why = cause === error.message ? cause : damagedStoreText(cause);
  return new RingtailError("STORAGE_FAILED", `cannot open the store in ${directory}: ${why}`);
}
