/**
 * GroupCommit: ordered group commit. One batch is in flight; whatever is queued meanwhile goes into the next, in the
 * order in which it came. That keeps two writes of one key in order (parallel puts do not), and costs one trip to the
 * engine for many writes (performance.md 5).
 *
 * A batch holds records, and in one value the batch's number and each Merkle leaf they touched. Memory writes, which have been answered
 * already, wait for the next batch of any kind, but no longer than 20 ms and 4 MiB (Dynamo 6.1). Syncs: sync-group.ts.
 */
import { assert } from "../base/assert.ts";
import type { Instant } from "../base/time.ts";
import { after, never } from "../base/time.ts";
import type { Engine, EngineBatch } from "./engine.ts";
import { recordKey } from "./keys.ts";
import type { Leaves } from "./leaves.ts";
import type { StoreCounters } from "./store-counters.ts";
import type { StoreWrite } from "./store-write.ts";
import { WriteQueue } from "./write-queue.ts";

/** Longest wait of a memory write for its batch. */
const memoryDelayUs = 20_000;
/** Bytes of waiting memory writes that end the wait. */
const memoryBytesMax = 4 * 1024 * 1024;

/** What group commit works on. */
export interface GroupCommitOptions {
  readonly engine: Engine;
  readonly leaves: Leaves;
  readonly counters: StoreCounters;
  /** A batch ends before the write that would make it larger; it always takes one. */
  readonly batchBytesMax: number;
}

/** The queue of writes and the batch in flight. */
export class GroupCommit {
  readonly #engine: Engine;
  readonly #leaves: Leaves;
  readonly #counters: StoreCounters;
  readonly #batchBytesMax: number;
  readonly #queue: WriteQueue = new WriteQueue();
  /** How many writes at the head of the queue wait for nothing but the batch in flight. */
  #urgent = 0;
  #memoryBytes = 0;
  #inFlight: StoreWrite[] = [];
  #finished: StoreWrite[] = [];
  #batchBytes = 0;
  #writing = false;
  /** The number of the newest batch. */
  batchNumber = 0;
  /** Bytes of keys and records queued or in flight. */
  queuedBytes = 0;

  constructor(options: GroupCommitOptions) {
    this.#engine = options.engine;
    this.#leaves = options.leaves;
    this.#counters = options.counters;
    this.#batchBytesMax = options.batchBytesMax;
  }

  /** A batch is in flight. */
  get writing(): boolean {
    return this.#writing;
  }

  /** Nothing queued, nothing in flight. */
  get idle(): boolean {
    return !this.#writing && this.#queue.size === 0;
  }

  /** The sequence number that the next write will get. */
  get nextSequence(): number {
    return this.#queue.nextSequence;
  }

  /** Queues a write. `patient`: it has been answered, so it may wait for company. */
  push(now: Instant, write: StoreWrite, patient: boolean): void {
    const bytes = write.fullKey.length + write.sealed.length;
    write.queuedAt = now;
    this.#queue.push(write);
    this.queuedBytes += bytes;
    if (!patient) this.flush();
    else {
      this.#memoryBytes += bytes;
      if (this.#memoryBytes >= memoryBytesMax) this.flush();
    }
  }

  /** The waiting write with this sequence number. */
  find(sequence: number): StoreWrite | undefined {
    return this.#queue.find(sequence);
  }

  /** Replaces the record of a write that still waits; `deltaHigh` and `deltaLow` lead from its record to the new one. */
  replace(write: StoreWrite, sealed: Uint8Array, deltaHigh: number, deltaLow: number): void {
    const growth = sealed.length - write.sealed.length;
    this.queuedBytes += growth;
    this.#memoryBytes += growth;
    write.sealed = sealed;
    write.deltaHigh ^= deltaHigh;
    write.deltaLow ^= deltaLow;
  }

  /** Lets everything queued go out without further waiting. */
  flush(): void {
    this.#urgent = this.#queue.size;
  }

  /** Ends the wait of memory writes whose time is over. */
  tick(now: Instant): void {
    if (this.#patientUntil() <= now) this.flush();
  }

  #patientUntil(): Instant {
    const head = this.#queue.peek();
    return head === undefined || this.#urgent > 0 ? never : after(head.queuedAt, memoryDelayUs);
  }

  /** When `tick` is due. */
  nextTick(): Instant {
    return this.#patientUntil();
  }

  /** Whether a batch should go out: there is something to write, and none is in flight. */
  get due(): boolean {
    return this.#urgent > 0 && !this.#writing;
  }

  /** Moves queued writes, oldest first, into a new batch. */
  compose(): EngineBatch {
    assert(!this.#writing, "one batch is in flight");
    const batch = this.#engine.batch();
    for (let write = this.#queue.peek(); write !== undefined; write = this.#queue.peek()) {
      const bytes = write.fullKey.length + write.sealed.length;
      if (this.#inFlight.length > 0 && batch.bytes + bytes > this.#batchBytesMax) break;
      this.#queue.shift();
      batch.put(recordKey(write.fullKey, write.hashHigh, write.hashLow), write.sealed);
      this.#leaves.apply(write.n, write.partition, write.hashHigh, write.deltaHigh, write.deltaLow);
      this.#inFlight.push(write);
      this.#batchBytes += bytes;
      if (write.answered) this.#memoryBytes -= bytes;
    }
    this.#urgent = Math.max(0, this.#urgent - this.#inFlight.length);
    return batch;
  }

  /** Completes a composed batch with touched leaves and its number, and writes it. */
  send(batch: EngineBatch): void {
    this.batchNumber += 1;
    this.#counters.leavesWritten += this.#leaves.log(batch, this.batchNumber);
    this.#counters.batches += 1;
    this.#counters.batchBytes += batch.bytes;
    this.#writing = true;
    this.#engine.write(batch, this.batchNumber);
  }

  /** The batch in flight is written: its writes, in order, valid until the next call of `finish`. */
  finish(): readonly StoreWrite[] {
    assert(this.#writing, "no batch is in flight");
    const written = this.#inFlight;
    this.#inFlight = this.#finished;
    this.#inFlight.length = 0;
    this.#finished = written;
    this.#writing = false;
    this.queuedBytes -= this.#batchBytes;
    this.#batchBytes = 0;
    return written;
  }
}
