/**
 * Store: one node's records. It joins the write-ahead log, the object buffer, write-back, the engine, group commit,
 * grouped syncs, Merkle leaves and batch numbers, each of which is a file of its own, and keeps them coherent:
 *
 * - A record enters the object buffer at once, as a dirty entry, and the log at the end of the turn, and is acknowledged
 *   then (a `memory` write does not wait for the log); write-back brings it to the engine later (Dynamo
 *   6.1). Where the buffer has no room a write waits for its batch, and enters the buffer in the turn that completes it.
 * - A scan sees every record that was acknowledged before it was asked for.
 * - A failed write or sync is fatal: `onStoreFailed`, and nothing afterwards.
 *
 * What a record means, how two are merged, and who may write is replica/'s business.
 */

import { assert } from "../base/assert.ts";
import { canary } from "../base/canary.ts";
import { mark } from "../base/mark.ts";
import { type Instant, instant, never } from "../base/time.ts";
import { damagedStoreText, type Engine, type EngineEvents, type Page } from "./engine.ts";
import { GroupCommit } from "./group-commit.ts";
import { type HintCounts, HintTable } from "./hint-table.ts";
import { KeyTouches } from "./key-touches.ts";
import { Leaves } from "./leaves.ts";
import { LogCut } from "./log-cut.ts";
import { LogRetirement } from "./log-retirement.ts";
import { LogTail } from "./log-tail.ts";
import { ObjectBuffer } from "./object-buffer.ts";
import { type DeleteRequest, RangeDelete } from "./range-delete.ts";
import { RecordReads } from "./record-reads.ts";
import { type HintScanRequest, RecordScans, type ScanRequest } from "./record-scan.ts";
import { StoreCounters } from "./store-counters.ts";
import type { StartReport, StoreEvents } from "./store-events.ts";
import { logSegmentsMax, type StoreOptions, storeDefaults, waitOf } from "./store-options.ts";
import { StoreStart } from "./store-start.ts";
import { type StoreWrite, SyncMode } from "./store-write.ts";
import { SyncGroup } from "./sync-group.ts";
import type { WriteAheadLog, WriteAheadLogEvents } from "./write-ahead-log.ts";
import { WriteBack } from "./write-back.ts";

export type { DeletedPage, HintPage, RecordPage, StartReport, StoredHint, StoreEvents } from "./store-events.ts";
export { storeBusy, storeDamaged } from "./store-events.ts";
export { type HintChange, StoreWrite, SyncMode } from "./store-write.ts";
export type { DeleteRequest, HintCounts, HintScanRequest, ScanRequest, StoreOptions };

const logFailed = "the log cannot be written";
type State = "new" | "starting" | "open" | "stopping" | "closing" | "closed" | "failed";

/** The engine token of a deletion's scans; those of others are below it. */
const deleteScan = 0x2000_0000;
/** Engine tokens of syncs: the last one, one for those who asked, and one after which log segments can go. */
const closingSync = 0;
const askedSync = 1;
const retiringSync = 2;

/** One node's store. It calls the engine and its owner, and nothing else. */
export class Store implements EngineEvents, WriteAheadLogEvents {
  readonly counters: StoreCounters = new StoreCounters();
  /** The Merkle trees, as of the last batch composed. */
  readonly leaves: Leaves;
  readonly #engine: Engine;
  readonly #events: StoreEvents;
  readonly #buffer: ObjectBuffer;
  readonly #writeBack: WriteBack;
  readonly #commit: GroupCommit;
  readonly #log: WriteAheadLog | undefined;
  readonly #tail: LogTail | undefined;
  readonly #retirement: LogRetirement | undefined;
  readonly #cut: LogCut | undefined;
  /** Who waits for the engine, and who for the log, to be synced. */
  readonly #syncs: SyncGroup = new SyncGroup();
  readonly #logSyncs: SyncGroup = new SyncGroup();
  readonly #touches: KeyTouches = new KeyTouches();
  readonly #reads: RecordReads;
  readonly #scans: RecordScans;
  readonly #deletes: RangeDelete;
  readonly #start: StoreStart;
  readonly #hints: HintTable = new HintTable();
  readonly #wantTurnEnd: () => void;
  readonly #queuedBytesMax: number;
  /** Writes to be answered at the end of the turn. */
  #acks: StoreWrite[] = [];
  #state: State = "new";
  #stopWanted = false;
  #turnWanted = false;

  constructor(options: StoreOptions) {
    const { engine, events, partitions, log } = options;
    const { readsMax, batchBytesMax, queuedBytesMax, logSegmentBytes } = { ...storeDefaults, ...options };
    this.#engine = engine;
    this.#events = events;
    this.#wantTurnEnd = options.wantTurnEnd;
    this.#queuedBytesMax = queuedBytesMax;
    this.leaves = new Leaves(partitions);
    const buffer = new ObjectBuffer(options.bufferBytes);
    this.#buffer = buffer;
    this.#log = log;
    this.#tail = log && new LogTail(log, logSegmentBytes, partitions);
    const { leaves, counters } = this;
    const writeBack = new WriteBack({ buffer, leaves, ...waitOf(options), settled: (low) => this.#touches.touch(low) });
    this.#writeBack = writeBack;
    this.#reads = new RecordReads({ engine, events, counters, buffer, touches: this.#touches, readsMax });
    this.#retirement = this.#tail && new LogRetirement(this.#tail, writeBack);
    this.#cut = this.#retirement && new LogCut(this.#retirement);
    this.#commit = new GroupCommit({ engine, leaves, writeBack, counters, batchBytesMax });
    this.#scans = new RecordScans(engine, events, counters, partitions, writeBack);
    this.#deletes = new RangeDelete(engine, leaves, this.#touches, buffer, partitions);
    this.#start = new StoreStart(engine, options.log, leaves, this.#hints, partitions, {
      started: (now, report) => this.#onStarted(now, report),
      failed: (now, reason) => this.#fail(now, reason),
    });
  }

  /** Bytes acknowledged that the engine does not hold yet. */
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

  /** The newest batch that the engine has written: what it holds, a scan begun from now on finds. */
  get writtenBatch(): number {
    return this.#commit.writing ? this.#commit.batchNumber - 1 : this.#commit.batchNumber;
  }

  /** The engine has fallen behind: writes wait for their batches. */
  #isOverloaded(): boolean {
    const { dirtyBytes, bytesMax } = this.#buffer;
    if (this.#commit.queuedBytes > this.#queuedBytesMax || dirtyBytes * 2 > bytesMax) return true;
    return this.#tail !== undefined && this.#tail.segments > logSegmentsMax;
  }

  /** Whether the key with this hash may have hints: false is certain. */
  mayHoldHints(hashLow: number): boolean {
    return this.#hints.mayHold(hashLow);
  }

  /** Hints kept, by target. */
  get hints(): HintCounts {
    return this.#hints;
  }

  #isServing(): boolean {
    return this.#state === "open" || this.#state === "stopping";
  }

  /** Starts the boot scan; `onStoreStarted` or `onStoreFailed` follows. */
  start(_now: Instant): void {
    assert(this.#state === "new", "a store starts once");
    this.#state = "starting";
    this.#engine.attach(this);
    this.#log?.attach(this);
    this.#start.begin();
  }

  #onStarted(now: Instant, report: StartReport): void {
    if (!this.#isDone(now, "the log cannot be opened", this.#tail?.open(this.#start.nextSegment) ?? null)) return;
    this.#state = "open";
    this.#commit.batchNumber = report.batchNumber;
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
    if (!this.#isServing()) return;
    if (!this.#reads.begin(fullKey, hashHigh, hashLow, token)) this.#want();
  }

  onGot(now: Instant, id: number, value: Uint8Array | null, error: string | null): void {
    if (this.#state === "starting") {
      this.#start.onGot(now, id, value, error);
      return;
    }
    if (!this.#isServing()) return;
    this.#reads.onGot(now, id, value, error);
    this.#want();
  }

  /** About how many bytes the engine holds; 0 while it is not open. */
  get dataBytes(): number {
    return this.#isServing() ? this.#engine.dataBytes() : 0;
  }

  /**
   * Queues a record, a hint or the end of one; writes take effect in the order of these calls. `onStoreWritten`
   * follows, and `onStoreSynced` for a sync mode other than none. After `stop` has begun to close the engine a write is
   * dropped unanswered. Returns whether `lookup` shows the record from now on: a further change of its key may start
   * from it at once.
   */
  write(now: Instant, write: StoreWrite): boolean {
    assert(!write.memory || (write.sync === SyncMode.none && write.hint === null), "a memory write is of a record");
    if (!this.#isServing()) return false;
    this.counters.writes += 1;
    if (write.hint !== null) this.#hints.begin(write, write.hint);
    else if (write.forgotten) this.#tail?.add(now, write, true);
    else if (write.memory || this.#tail !== undefined) {
      // What is queued for a batch must not be overtaken by a later change of its key.
      if (!this.#isOverloaded() && this.#commit.waitingRecords === 0 && this.#defer(now, write)) return true;
      mark("store.memory-waits");
      this.counters.memoryWaits += 1;
      this.#tail?.add(now, write, true);
    }
    this.#touches.begin(write.hashLow);
    this.#commit.push(write);
    this.#want();
    return false;
  }

  /** Takes the record into the object buffer and the log, to be answered at the end of the turn; false when there is no room. */
  #defer(now: Instant, write: StoreWrite): boolean {
    const placed = this.#writeBack.put(now, write, this.#tail?.segment ?? 0);
    if (placed === "refused") return false;
    if (placed === "joined") this.counters.coalesced += 1;
    else this.#touches.touch(write.hashLow);
    this.#tail?.add(now, write, write.memory);
    this.#acks.push(write);
    this.#want();
    return true;
  }

  /** What is in the log afterwards survives kill -9. False: the store has failed. */
  #appendLog(now: Instant): boolean {
    return this.#isDone(now, logFailed, this.#tail?.append() ?? null);
  }

  /** False: the store has failed. */
  #isDone(now: Instant, what: string, error: string | null): boolean {
    if (error !== null) this.#fail(now, `${what}: ${error}`);
    return error === null;
  }

  onWritten(now: Instant, _token: number, error: string | null): void {
    if (this.#state === "starting") {
      this.#start.onWritten(now, error);
      return;
    }
    if (!this.#isServing()) return;
    if (!this.#isDone(now, "a write failed", error)) return;
    const writes = this.#commit.finish();
    for (const write of writes) this.#settle(write);
    for (const write of writes) {
      if (write.sync !== SyncMode.none) this.#syncs.add(write.token, write.sync);
      this.#events.onStoreWritten(now, write.token);
    }
    this.#finishDelete(now);
    this.#beginSync(now);
    this.#retireLog();
    this.#scans.begin();
    this.#want();
  }

  /** Brings the object buffer up to a completed write, unless a later change is there already. */
  #settle(write: StoreWrite): void {
    const { fullKey, hashHigh, hashLow } = write;
    this.#touches.end(hashLow);
    if (write.hint !== null) {
      this.#hints.end(write, write.hint);
      return;
    }
    if (this.#writeBack.size > 0 && this.#buffer.dirtyToken(fullKey, hashHigh, hashLow) !== 0) return;
    const held = !write.forgotten && this.#buffer.put(fullKey, hashHigh, hashLow, write.sealed, 0);
    if (!held) this.#buffer.evict(fullKey, hashHigh, hashLow);
  }

  #beginSync(now: Instant): void {
    if (this.#syncs.begin(now)) {
      this.counters.syncs += 1;
      this.#engine.sync(askedSync, this.#retirement?.oldestNeeded ?? 0);
    }
    if (!this.#logSyncs.begin(now) || !this.#appendLog(now)) return;
    this.counters.syncs += 1;
    this.#log?.sync(this.counters.syncs);
  }

  /** Brings every record written until now, acknowledged or not, to stable storage; `onStoreSynced` follows. Needs a log. */
  syncAll(now: Instant, token: number): void {
    assert(this.#tail !== undefined, "without a log nothing tells what the engine has yet to be given");
    if (!this.#isServing()) return;
    this.#logSyncs.add(token, SyncMode.now);
    this.#beginSync(now);
    this.#want();
  }

  /**
   * Brings every record that there is to the engine's stable storage, and what was deleted off it; afterwards the log
   * holds nothing older, so no start can bring back what was there before. `onStoreSynced` follows. Needs a log.
   */
  settleLog(_now: Instant, token: number): void {
    assert(this.#cut !== undefined, "without a log there is nothing to settle");
    if (!this.#isServing()) return;
    this.#cut.awaitSettled(token);
    this.#want();
  }

  #retireLog(): void {
    if (this.#retirement?.begin() === true) this.#engine.sync(retiringSync, this.#retirement.oldestNeeded);
  }

  onLogSynced(now: Instant, _token: number, error: string | null): void {
    if (this.#state === "closed" || this.#state === "failed") return;
    if (this.#isDone(now, "a sync of the log failed", error)) this.#answerSynced(now, this.#logSyncs.finish());
  }

  #answerSynced(now: Instant, tokens: readonly number[]): void {
    for (const token of tokens) this.#events.onStoreSynced(now, token);
    this.#beginSync(now);
    this.#want();
  }

  onSynced(now: Instant, token: number, error: string | null): void {
    if (this.#state === "starting") {
      this.#start.onSynced(now, error);
      return;
    }
    if (this.#state === "closed" || this.#state === "failed") return;
    if (!this.#isDone(now, "a sync failed", error)) return;
    if (token === closingSync) {
      // A segment that will not go is replayed at the next start, and changes nothing.
      this.#tail?.removeBelow(this.#tail.segment + 1);
      this.#log?.close();
      this.#engine.close();
    } else if (token === retiringSync) {
      if (!this.#isDone(now, logFailed, this.#retirement?.finish() ?? null)) return;
      this.#retireLog();
      this.#want();
    } else this.#answerSynced(now, this.#syncs.finish());
  }

  /** Reads one page of a partition's records, with all that was acknowledged so far; `onStoreScanned` follows. */
  scanRecords(_now: Instant, request: ScanRequest): void {
    if (!this.#isServing()) return;
    this.#scans.records(request);
    this.#want();
  }

  /** Has the partition's records go to the engine with the next batch, and so be counted by its Merkle leaves. */
  hurry(partition: number): void {
    this.#writeBack.hurryPartition(partition);
    if (this.#writeBack.due) this.#want();
  }

  /** Reads the hints kept under one key; `onStoreHints` follows. Not needed unless `mayHoldHints`. */
  readHints(_now: Instant, fullKey: Uint8Array, hashHigh: number, hashLow: number, token: number): void {
    if (!this.#isServing()) return;
    this.#scans.hints(fullKey, hashHigh, hashLow, token);
    if (this.#scans.refusing) this.#want();
  }

  /** Reads one page of the list of a target's hints, or of all, without their records; `onStoreHintPage` follows. */
  scanHints(_now: Instant, request: HintScanRequest): void {
    if (!this.#isServing()) return;
    this.#scans.list(request);
    if (this.#scans.refusing) this.#want();
  }

  /**
   * Deletes one page of a partition's records; `onStoreDeleted` follows, with the cursor of the next page. One page at
   * a time. Nobody may write to the partition meanwhile: a key that is written is left standing, and met again. A page
   * waits until the log holds nothing of the partition that a replay could bring back.
   */
  deleteRange(_now: Instant, request: DeleteRequest): void {
    if (!this.#isServing()) return;
    if (this.#cut === undefined || this.#tail?.holds(request.partition) !== true) {
      this.#deletes.begin(request, deleteScan);
      return;
    }
    this.#cut.awaitDeletion(request);
    this.#want();
  }

  #progressCut(now: Instant, cut: LogCut): void {
    if (!this.#isDone(now, logFailed, cut.begin())) return;
    this.#retireLog();
    const served = cut.finish();
    if (served === null) return;
    for (const token of served.tokens) this.#syncs.add(token, SyncMode.now);
    if (served.deletion !== null) this.#deletes.begin(served.deletion, deleteScan);
    if (cut.wanted) this.#want();
  }

  onScanned(now: Instant, id: number, page: Page | null, error: string | null): void {
    if (this.#state === "starting") {
      this.#start.onScanned(now, page, error);
      return;
    }
    if (!this.#isServing()) return;
    if (id !== deleteScan) {
      const lost = this.#scans.onScanned(now, id, page, error);
      if (lost !== null) this.#fail(now, damagedStoreText(lost));
    } else if (page !== null) this.#deletes.onPage(page);
    else this.#events.onStoreDeleted(now, this.#deletes.abandon(), null, error);
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
    if (!this.#isServing()) return;
    this.#answerQueued(now);
    if (!this.#isServing()) return;
    if (this.#cut?.wanted === true) this.#progressCut(now, this.#cut);
    this.#beginSync(now);
    if (!this.#isServing()) return;
    if (this.#deletes.empty) {
      this.#deletes.composeNothing();
      this.#finishDelete(now);
    }
    if (this.#commit.due || (this.#deletes.ready && !this.#commit.writing)) this.#beginBatch(now);
    if (this.#state === "stopping") this.#progressStop(now);
  }

  /** Answers may lead to new writes, which are answered in the same turn: as those before, after the log has them. */
  #answerQueued(now: Instant): void {
    while (this.#acks.length > 0) {
      if (this.#tail?.due === true && !canary("ack-before-log") && !this.#appendLog(now)) return;
      const acks = this.#acks;
      this.#acks = [];
      for (const { token, sync } of acks) {
        this.#events.onStoreWritten(now, token);
        if (sync !== SyncMode.none) this.#logSyncs.add(token, sync);
      }
    }
    if (this.#scans.refusing) this.#scans.answerRefused(now);
    this.#reads.answerRefused(now);
  }

  /** The log comes first: the engine never holds a change of a record that the log does not. */
  #beginBatch(now: Instant): void {
    if (!this.#appendLog(now)) return;
    const batch = this.#commit.compose();
    if (this.#deletes.ready) this.#deletes.compose(batch);
    this.#commit.send(batch);
  }

  /** Ends the waits of memory writes and designated syncs whose time has come. */
  tick(now: Instant): void {
    if (!this.#isServing()) return;
    this.#writeBack.tick(now);
    if (this.#commit.due) this.#want();
    if (this.#tail !== undefined && this.#tail.nextTick() <= now && !this.#appendLog(now)) return;
    this.#beginSync(now);
  }

  /** When `tick` is due next. */
  nextTick(): Instant {
    const sync = Math.min(this.#syncs.nextTick(), this.#logSyncs.nextTick());
    return instant(Math.min(this.#writeBack.nextTick(), sync, this.#tail?.nextTick() ?? never));
  }

  /** Waits for everything asked so far, writes and syncs what is queued, closes the engine; `onStoreClosed` follows. */
  stop(_now: Instant): void {
    this.#stopWanted = true;
    if (this.#state !== "open") return;
    this.#state = "stopping";
    this.#want();
  }

  #progressStop(now: Instant): void {
    this.#writeBack.flush();
    this.#syncs.hurry();
    this.#logSyncs.hurry();
    this.#beginSync(now);
    if (this.#commit.due) this.#want();
    const reading = !this.#reads.idle || !this.#scans.idle || this.#deletes.token >= 0 || this.#cut?.wanted === true;
    const syncing = !this.#syncs.idle || !this.#logSyncs.idle || this.#retirement?.syncing === true;
    if (reading || syncing || !this.#commit.idle || this.#acks.length > 0) return;
    this.#state = "closing";
    // All that the log holds is in the engine by now.
    this.#engine.sync(closingSync, this.#tail === undefined ? 0 : this.#tail.segment + 1);
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
