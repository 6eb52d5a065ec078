/**
 * GroupCommit: ordered group commit. One batch is in flight; whatever is queued meanwhile goes into the next, in the
 * order in which it came. That keeps two writes of one key in order (parallel puts do not), and costs one trip to the
 * engine for many writes.
 *
 * A batch holds records whose wait in write-back is over (write-back.ts), the writes that are answered by the batch
 * itself, and in one value the batch's number and each Merkle leaf they touched. Syncs: sync-group.ts.
 */
import { assert } from "../base/assert.ts";
import { Fifo } from "../base/fifo.ts";
import type { Engine, EngineBatch } from "./engine.ts";
import { composeHint } from "./hint-write.ts";
import { recordKey } from "./keys.ts";
import type { Leaves } from "./leaves.ts";
import type { StoreCounters } from "./store-counters.ts";
import type { StoreWrite } from "./store-write.ts";
import type { WriteBack } from "./write-back.ts";

/** More than the ops of a node can be. */
const queuedMax = 1 << 20;

/** What group commit works on. */
export interface GroupCommitOptions {
  readonly engine: Engine;
  readonly leaves: Leaves;
  readonly writeBack: WriteBack;
  readonly counters: StoreCounters;
  /** A batch ends before the write that would make it larger; it always takes one. */
  readonly batchBytesMax: number;
}

/** The queue of writes and the batch in flight. */
export class GroupCommit {
  readonly #engine: Engine;
  readonly #leaves: Leaves;
  readonly #writeBack: WriteBack;
  readonly #counters: StoreCounters;
  readonly #batchBytesMax: number;
  readonly #queue: Fifo<StoreWrite> = new Fifo(queuedMax);
  #inFlight: StoreWrite[] = [];
  #finished: StoreWrite[] = [];
  #batchBytes = 0;
  #writing = false;
  /** The number of the newest batch. */
  batchNumber = 0;
  /** Bytes of keys and records queued or in flight, write-back's excepted. */
  queuedBytes = 0;
  /** Records, hints not counted, that wait for a batch that answers them. */
  waitingRecords = 0;

  constructor(options: GroupCommitOptions) {
    this.#engine = options.engine;
    this.#leaves = options.leaves;
    this.#writeBack = options.writeBack;
    this.#counters = options.counters;
    this.#batchBytesMax = options.batchBytesMax;
  }

  /** A batch is in flight. */
  get writing(): boolean {
    return this.#writing;
  }

  /** Nothing queued, nothing in flight. */
  get idle(): boolean {
    return !this.#writing && this.#queue.size === 0 && this.#writeBack.size === 0;
  }

  /** Queues a write that its batch answers. */
  push(write: StoreWrite): void {
    if (write.hint === null) {
      // A change of the key that was acknowledged earlier must not reach the engine later.
      write.behind = this.#writeBack.hurry(write);
      this.#leaves.expect(write.n, write.partition);
      // Whoever has a record forgotten holds its key until then: no change of it can come behind.
      if (!write.forgotten) this.waitingRecords += 1;
    }
    this.#queue.push(write);
    this.queuedBytes += write.fullKey.length + write.sealed.length;
  }

  /** Whether a batch should go out: there is something to write, and none is in flight. */
  get due(): boolean {
    return !this.#writing && (this.#queue.size > 0 || this.#writeBack.due);
  }

  /** Moves what is due, oldest first, into a new batch. */
  compose(): EngineBatch {
    assert(!this.#writing, "one batch is in flight");
    const batch = this.#engine.batch();
    this.#writeBack.compose(batch, this.#batchBytesMax);
    for (let write = this.#queue.peek(); write !== undefined; write = this.#queue.peek()) {
      const bytes = write.fullKey.length + write.sealed.length;
      if (batch.bytes > 0 && batch.bytes + bytes > this.#batchBytesMax) break;
      if (!this.#writeBack.passed(write.behind)) break;
      this.#queue.shift();
      if (write.hint === null) {
        const key = recordKey(write.fullKey, write.hashHigh, write.hashLow);
        if (write.forgotten) batch.del(key);
        else {
          this.waitingRecords -= 1;
          batch.put(key, write.sealed);
        }
        this.#leaves.arrive(write.n, write.partition, write.hashHigh, write.deltaHigh, write.deltaLow);
      } else composeHint(batch, write, write.hint);
      this.#inFlight.push(write);
      this.#batchBytes += bytes;
    }
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
    this.#writeBack.finish();
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
