/**
 * Store: one node's records. It joins the engine, the object buffer, group commit, grouped syncs, Merkle leaves and
 * batch numbers, each of which is a file of its own, and keeps them coherent:
 *
 * - An entry of the object buffer changes in the turn in which its batch completes, never before; a `memory` write is
 *   the exception: it enters at once, as a dirty entry, and is acknowledged (mechanisms.md 3.8, Dynamo 6.1).
 * - What an engine read brings enters the buffer only if no write of its key began or ended meanwhile.
 * - A checksum is verified on every engine read; an unreadable record is an error, never "not found".
 * - A failed write or sync is fatal: `onStoreFailed`, and nothing afterwards.
 *
 * What a record means, how two are merged, and who may write is replica/'s business.
 */
import { assert } from "../base/assert.ts";
import { mark } from "../base/mark.ts";
import { Slab } from "../base/slab.ts";
import type { Instant } from "../base/time.ts";
import { instant } from "../base/time.ts";
import { checkRecord } from "../version/record.ts";
import type { Engine, EngineEvents, Page } from "./engine.ts";
import { GroupCommit } from "./group-commit.ts";
import { KeyTouches } from "./key-touches.ts";
import { fullKeyOfRecord, hashHighOf, hashLowOf, recordKey } from "./keys.ts";
import { Leaves } from "./leaves.ts";
import { ObjectBuffer } from "./object-buffer.ts";
import type { DeleteRequest } from "./range-delete.ts";
import { RangeDelete } from "./range-delete.ts";
import type { ScanRequest } from "./record-scan.ts";
import { RecordScans } from "./record-scan.ts";
import { StoreCounters } from "./store-counters.ts";
import type { StartReport, StoreEvents } from "./store-events.ts";
import { StoreStart } from "./store-start.ts";
import type { StoreWrite } from "./store-write.ts";
import { SyncMode } from "./store-write.ts";
import { SyncGroup } from "./sync-group.ts";
import { isLater } from "./write-queue.ts";

export type { DeletedPage, RecordPage, StartReport, StoredHint, StoreEvents } from "./store-events.ts";
export { StoreWrite, SyncMode } from "./store-write.ts";
export type { DeleteRequest, ScanRequest };

/** What a store is made of. */
export interface StoreOptions {
  /** Open, and not attached yet. */
  readonly engine: Engine;
  readonly events: StoreEvents;
  /** Q. */
  readonly partitions: number;
  /** Memory for the object buffer: more saves engine reads, each of which costs a trip to another thread. */
  readonly bufferBytes: number;
  /** A batch takes no further write past this; default 1 MiB. Larger: fewer trips; smaller: shorter waits behind one. */
  readonly batchBytesMax?: number;
  /** Bytes queued or in flight from which `overloaded` is true; default 64 MiB. */
  readonly queuedBytesMax?: number;
  /** Engine reads in flight; a read past it is answered with an error. Default 16,384. */
  readonly readsMax?: number;
  /** Asks for one `endTurn` when this turn's callbacks are through. */
  readonly wantTurnEnd: () => void;
}

type State = "new" | "starting" | "open" | "stopping" | "closing" | "closed" | "failed";

/** The engine token of a deletion's scans; those of others are below it. */
const deleteScan = 0x2000_0000;

class Read {
  readonly token: number;
  readonly key: Uint8Array;
  readonly clock: number;

  constructor(token: number, key: Uint8Array, clock: number) {
    this.token = token;
    this.key = key;
    this.clock = clock;
  }
}

/** One node's store. It calls the engine and its owner, and nothing else. */
export class Store implements EngineEvents {
  readonly counters: StoreCounters = new StoreCounters();
  /** The Merkle trees, as of the last batch composed. */
  readonly leaves: Leaves;
  readonly #engine: Engine;
  readonly #events: StoreEvents;
  readonly #buffer: ObjectBuffer;
  readonly #commit: GroupCommit;
  readonly #syncs: SyncGroup = new SyncGroup();
  readonly #touches: KeyTouches = new KeyTouches();
  readonly #reads: Slab<Read>;
  readonly #scans: RecordScans;
  readonly #deletes: RangeDelete;
  readonly #start: StoreStart;
  readonly #wantTurnEnd: () => void;
  readonly #queuedBytesMax: number;
  #hints: ReadonlyMap<number, number> = new Map();
  #hintTotal = 0;
  #acks: number[] = [];
  #refused: number[] = [];
  #state: State = "new";
  #stopWanted = false;
  #turnWanted = false;

  constructor(options: StoreOptions) {
    const { engine, events, partitions } = options;
    this.#engine = engine;
    this.#events = events;
    this.#wantTurnEnd = options.wantTurnEnd;
    this.#queuedBytesMax = options.queuedBytesMax ?? 64 * 1024 * 1024;
    this.leaves = new Leaves(partitions);
    this.#buffer = new ObjectBuffer(options.bufferBytes);
    this.#reads = new Slab(options.readsMax ?? 16_384);
    const batchBytesMax = options.batchBytesMax ?? 1024 * 1024;
    this.#commit = new GroupCommit({ engine, leaves: this.leaves, counters: this.counters, batchBytesMax });
    this.#scans = new RecordScans(engine, events, this.counters, partitions);
    this.#deletes = new RangeDelete(engine, this.leaves, this.#touches, this.#buffer, partitions);
    this.#start = new StoreStart(engine, this.leaves, partitions, {
      started: (now, report) => this.#onStarted(now, report),
      failed: (now, reason) => this.#fail(now, reason),
    });
  }

  /** Bytes of slabs the object buffer has taken so far. */
  get bufferBytes(): number {
    return this.#buffer.allocatedBytes;
  }

  /** Records in the object buffer. */
  get buffered(): number {
    return this.#buffer.size;
  }

  /** Bytes acknowledged from memory that no batch has written yet. */
  get dirtyBytes(): number {
    return this.#buffer.dirtyBytes;
  }

  /** Bytes queued or in flight. */
  get queuedBytes(): number {
    return this.#commit.queuedBytes;
  }

  /** The number of the newest batch. */
  get batchNumber(): number {
    return this.#commit.batchNumber;
  }

  /** The engine has fallen behind: memory writes wait for their batches, and admission should refuse new work. */
  get overloaded(): boolean {
    return this.#commit.queuedBytes > this.#queuedBytesMax || this.#buffer.dirtyBytes * 2 > this.#buffer.bytesMax;
  }

  /** Hints kept for all nodes together: while it is 0 no key has any. */
  get hintTotal(): number {
    return this.#hintTotal;
  }

  /** Hints kept for one node. */
  hintsOf(target: number): number {
    return this.#hints.get(target) ?? 0;
  }

  get #serving(): boolean {
    return this.#state === "open" || this.#state === "stopping";
  }

  /** Starts the boot scan; `onStoreStarted` or `onStoreFailed` follows. */
  start(_now: Instant): void {
    assert(this.#state === "new", "a store starts once");
    this.#state = "starting";
    this.#engine.attach(this);
    this.#start.begin();
  }

  #onStarted(now: Instant, report: StartReport): void {
    this.#state = "open";
    this.#commit.batchNumber = report.batchNumber;
    this.#hints = report.hints;
    for (const count of report.hints.values()) this.#hintTotal += count;
    this.#events.onStoreStarted(now, report);
    if (this.#stopWanted) this.stop(now);
  }

  /**
   * The sealed record if the object buffer holds it: a view valid until the next call on the store. Undefined: not
   * known here, ask `read`.
   */
  lookup(fullKey: Uint8Array, hashHigh: number, hashLow: number): Uint8Array | undefined {
    const sealed = this.#buffer.get(fullKey, hashHigh, hashLow);
    if (sealed === undefined) this.counters.bufferMisses += 1;
    else this.counters.bufferHits += 1;
    return sealed;
  }

  /** Reads a record from the engine, after `lookup` has not found it; `onStoreRead` follows. The key's bytes are copied. */
  read(_now: Instant, fullKey: Uint8Array, hashHigh: number, hashLow: number, token: number): void {
    if (!this.#serving) return;
    if (this.#reads.full) {
      mark("store.reads-full");
      this.#refused.push(token);
      this.#want();
      return;
    }
    this.counters.engineReads += 1;
    const read = new Read(token, recordKey(fullKey, hashHigh, hashLow), this.#touches.clock);
    this.#engine.get(read.key, this.#reads.add(read));
  }

  onGot(now: Instant, id: number, value: Uint8Array | null, error: string | null): void {
    const read = this.#reads.get(id);
    if (!this.#serving || read === undefined) return;
    this.#reads.remove(id);
    const flaw = error ?? (value === null ? null : checkRecord(value));
    if (flaw === null && value !== null) this.#fill(read, value);
    if (flaw !== null) this.counters.unreadable += 1;
    this.#events.onStoreRead(now, read.token, flaw === null ? value : null, flaw);
    this.#want();
  }

  #fill(read: Read, sealed: Uint8Array): void {
    const hashLow = hashLowOf(read.key);
    if (this.#touches.changedSince(hashLow, read.clock)) {
      mark("store.fill-dropped");
      this.counters.fillsDropped += 1;
      return;
    }
    const fullKey = fullKeyOfRecord(read.key);
    const hashHigh = hashHighOf(read.key);
    if (!this.#buffer.has(fullKey, hashHigh, hashLow)) this.#buffer.put(fullKey, hashHigh, hashLow, sealed, 0);
  }

  /**
   * Queues a record; writes take effect in the order of these calls. `onStoreWritten` follows, and `onStoreSynced` for
   * a sync mode other than none. After `stop` has begun to close the engine a write is dropped unanswered.
   */
  write(now: Instant, write: StoreWrite): void {
    assert(!write.memory || write.sync === SyncMode.none, "a memory write asks for no sync");
    if (!this.#serving) return;
    this.counters.writes += 1;
    if (write.memory) {
      if (!this.overloaded && this.#writeMemory(now, write)) return;
      mark("store.memory-waits");
      this.counters.memoryWaits += 1;
    }
    this.#closeToJoin(write);
    this.#touches.begin(write.hashLow);
    this.#commit.push(now, write, false);
    this.#want();
  }

  /** The waiting memory write of the key, if there is one. */
  #waiting(write: StoreWrite): StoreWrite | undefined {
    if (this.#buffer.dirtyBytes === 0) return undefined;
    const dirty = this.#buffer.dirtyToken(write.fullKey, write.hashHigh, write.hashLow);
    return dirty === 0 ? undefined : this.#commit.find(dirty);
  }

  /** A later memory write must not slip into an earlier one's place in the queue, ahead of this write. */
  #closeToJoin(write: StoreWrite): void {
    const waiting = this.#waiting(write);
    if (waiting !== undefined) waiting.joinable = false;
  }

  /** Takes the record into the object buffer and acknowledges it; false when there is no room. */
  #writeMemory(now: Instant, write: StoreWrite): boolean {
    const { fullKey, hashHigh, hashLow, sealed } = write;
    const waiting = this.#waiting(write);
    const joins = waiting?.joinable === true && waiting.n === write.n;
    const sequence = joins ? waiting.sequence : this.#commit.nextSequence;
    if (!this.#buffer.put(fullKey, hashHigh, hashLow, sealed, sequence)) return false;
    if (joins) {
      this.#commit.replace(waiting, sealed, write.deltaHigh, write.deltaLow);
      this.counters.coalesced += 1;
    } else {
      write.answered = true;
      write.joinable = true;
      this.#touches.begin(hashLow);
      this.#commit.push(now, write, true);
    }
    this.#acks.push(write.token);
    this.#want();
    return true;
  }

  onWritten(now: Instant, _token: number, error: string | null): void {
    if (this.#state === "starting") {
      this.#start.onWritten(now, error);
      return;
    }
    if (!this.#serving) return;
    if (error !== null) {
      this.#fail(now, `a write failed: ${error}`);
      return;
    }
    const writes = this.#commit.finish();
    for (const write of writes) this.#settle(write);
    for (const write of writes) {
      if (write.sync !== SyncMode.none) this.#syncs.add(write.token, write.sync);
      if (!write.answered) this.#events.onStoreWritten(now, write.token);
    }
    this.#finishDelete(now);
    this.#beginSync(now);
    this.#want();
  }

  /** Brings the object buffer up to a completed write, unless a later memory write is there already. */
  #settle(write: StoreWrite): void {
    const { fullKey, hashHigh, hashLow } = write;
    this.#touches.end(hashLow);
    if (write.answered) {
      this.#buffer.clean(fullKey, hashHigh, hashLow, write.sequence);
      return;
    }
    const dirty = this.#buffer.dirtyBytes === 0 ? 0 : this.#buffer.dirtyToken(fullKey, hashHigh, hashLow);
    if (dirty !== 0 && isLater(dirty, write.sequence)) return;
    if (!this.#buffer.put(fullKey, hashHigh, hashLow, write.sealed, 0)) this.#buffer.evict(fullKey, hashHigh, hashLow);
  }

  #beginSync(now: Instant): void {
    if (!this.#syncs.begin(now)) return;
    this.counters.syncs += 1;
    this.#engine.sync(this.counters.syncs);
  }

  onSynced(now: Instant, _token: number, error: string | null): void {
    if (this.#state === "starting") {
      this.#start.onSynced(now, error);
      return;
    }
    if (this.#state === "closed" || this.#state === "failed") return;
    if (error !== null) {
      this.#fail(now, `a sync failed: ${error}`);
    } else if (this.#state === "closing") {
      this.#engine.close();
    } else {
      for (const token of this.#syncs.finish()) this.#events.onStoreSynced(now, token);
      this.#beginSync(now);
      this.#want();
    }
  }

  /** Reads one page of a partition's records as the batches so far have left them; `onStoreScanned` follows. */
  scanRecords(_now: Instant, request: ScanRequest): void {
    if (!this.#serving) return;
    assert(!this.#scans.full, "too many scans in flight");
    this.#scans.records(request);
  }

  /** Reads the hints kept under one key; `onStoreHints` follows. Not needed while `hintTotal` is 0. */
  readHints(_now: Instant, fullKey: Uint8Array, hashHigh: number, hashLow: number, token: number): void {
    if (!this.#serving) return;
    assert(!this.#scans.full, "too many scans in flight");
    this.#scans.hints(fullKey, hashHigh, hashLow, token);
  }

  /**
   * Deletes one page of a partition's records; `onStoreDeleted` follows, with the cursor of the next page. One page at a
   * time. Nobody may write to the partition meanwhile: a key that is written is left standing, and met again.
   */
  deleteRange(_now: Instant, request: DeleteRequest): void {
    if (this.#serving) this.#deletes.begin(request, deleteScan);
  }

  onScanned(now: Instant, id: number, page: Page | null, error: string | null): void {
    if (this.#state === "starting") {
      this.#start.onScanned(now, page, error);
      return;
    }
    if (!this.#serving) return;
    if (id !== deleteScan) this.#scans.onScanned(now, id, page, error);
    else if (page !== null) this.#deletes.onPage(page);
    else {
      const token = this.#deletes.token;
      this.#deletes.abandon();
      this.#events.onStoreDeleted(now, token, null, error);
    }
    this.#want();
  }

  #finishDelete(now: Instant): void {
    const token = this.#deletes.token;
    const page = this.#deletes.finish();
    if (page === null) return;
    this.counters.deleted += page.deleted;
    this.counters.unreadable += page.unreadable;
    this.#events.onStoreDeleted(now, token, page, null);
  }

  #want(): void {
    if (this.#turnWanted) return;
    this.#turnWanted = true;
    this.#wantTurnEnd();
  }

  /**
   * Once per turn in which `wantTurnEnd` was called, before replies are flushed: answers memory writes, and starts the
   * next batch if none is in flight.
   */
  endTurn(now: Instant): void {
    this.#turnWanted = false;
    if (!this.#serving) return;
    this.#answerQueued(now);
    if (this.#deletes.empty) {
      this.#deletes.composeNothing();
      this.#finishDelete(now);
    }
    if (this.#commit.due || (this.#deletes.ready && !this.#commit.writing)) this.#beginBatch();
    if (this.#state === "stopping") this.#progressStop(now);
  }

  /** Answers may lead to new memory writes, which are answered in the same turn. */
  #answerQueued(now: Instant): void {
    while (this.#acks.length > 0) {
      const acks = this.#acks;
      this.#acks = [];
      for (const token of acks) this.#events.onStoreWritten(now, token);
    }
    if (this.#refused.length === 0) return;
    const refused = this.#refused;
    this.#refused = [];
    for (const token of refused) this.#events.onStoreRead(now, token, null, "too many reads in flight");
  }

  #beginBatch(): void {
    const batch = this.#commit.compose();
    if (this.#deletes.ready) this.#deletes.compose(batch);
    this.#commit.send(batch);
  }

  /** Ends the waits of memory writes and designated syncs whose time has come. */
  tick(now: Instant): void {
    if (!this.#serving) return;
    this.#commit.tick(now);
    if (this.#commit.due) this.#want();
    this.#beginSync(now);
  }

  /** When `tick` is due next. */
  nextTick(): Instant {
    const commit = this.#commit.nextTick();
    const sync = this.#syncs.nextTick();
    return instant(Math.min(commit, sync));
  }

  /** Waits for everything asked so far, writes and syncs what is queued, closes the engine; `onStoreClosed` follows. */
  stop(_now: Instant): void {
    this.#stopWanted = true;
    if (this.#state !== "open") return;
    this.#state = "stopping";
    this.#want();
  }

  #progressStop(now: Instant): void {
    this.#commit.flush();
    this.#syncs.hurry();
    this.#beginSync(now);
    if (this.#commit.due) this.#want();
    const reading = this.#reads.size > 0 || !this.#scans.idle || this.#deletes.token >= 0;
    if (reading || !this.#commit.idle || !this.#syncs.idle || this.#acks.length > 0) return;
    this.#state = "closing";
    this.#engine.sync(0);
  }

  onClosed(now: Instant): void {
    if (this.#state !== "closing") return;
    this.#state = "closed";
    this.#events.onStoreClosed(now);
  }

  #fail(now: Instant, reason: string): void {
    if (this.#state === "failed") return;
    this.#state = "failed";
    this.#events.onStoreFailed(now, reason);
  }
}
