/**
 * WriteBack: records that are acknowledged and not yet in the engine (Dynamo 6.1). Each lies in the object buffer as a
 * dirty entry; here is only their order, in columns of integers: nothing is kept per record that the garbage collector
 * would have to look at. A record that changes again while it waits keeps its place and costs no engine write.
 *
 * Waiting is what makes it cheap: one trip to the engine for many records, and one write for a hot key however often it
 * changed. What bounds the wait is `delayUs`, the bytes that may be dirty, and the log that must be kept meanwhile.
 */
import { assert } from "../base/assert.ts";
import { Fifo } from "../base/fifo.ts";
import type { Instant } from "../base/time.ts";
import { after, never } from "../base/time.ts";
import type { EngineBatch } from "./engine.ts";
import { recordKey } from "./keys.ts";
import type { Leaves } from "./leaves.ts";
import type { ObjectBuffer } from "./object-buffer.ts";
import type { StoreWrite } from "./store-write.ts";

/** Tokens are 31 bits above 2^31, wrapping, so never 0, which means clean. */
const tokenBase = 0x8000_0000;
const tokenMask = 0x7fff_ffff;
/** Whether a record goes before its turn: it is in its place, will go with the next batch, has gone. */
const Early = { no: 0, asked: 1, gone: 2 } as const;
/** Records that are asked for before their turn; past it all of them go. */
const earlyMax = 65_536;

/** What a scan waits for: places of the queue below one, and so many records that go before their turn, since ever. */
export interface ScanMark {
  readonly place: number;
  readonly early: number;
}

/** What write-back works on. */
export interface WriteBackOptions {
  readonly buffer: ObjectBuffer;
  readonly leaves: Leaves;
  /** Longest wait of a record. */
  readonly delayUs: number;
  /** Records go to the engine at most this often, so that each batch holds many; 0: all of them as soon as one must. */
  readonly everyUs: number;
  /** Bytes of dirty records that end the wait. */
  readonly bytesMax: number;
  /** Called for each record that has reached the engine. */
  readonly settled: (hashLow: number) => void;
}

/** The columns of the queue: a ring of a power of two. */
class Columns {
  readonly hashHigh: Uint32Array;
  readonly hashLow: Uint32Array;
  readonly deltaHigh: Uint32Array;
  readonly deltaLow: Uint32Array;
  readonly partition: Uint16Array;
  readonly n: Uint8Array;
  readonly early: Uint8Array;
  readonly segment: Uint32Array;
  readonly queuedAt: Float64Array;

  constructor(size: number) {
    this.hashHigh = new Uint32Array(size);
    this.hashLow = new Uint32Array(size);
    this.deltaHigh = new Uint32Array(size);
    this.deltaLow = new Uint32Array(size);
    this.partition = new Uint16Array(size);
    this.n = new Uint8Array(size);
    this.early = new Uint8Array(size);
    this.segment = new Uint32Array(size);
    this.queuedAt = new Float64Array(size);
  }

  copy(from: Columns, at: number, to: number): void {
    this.hashHigh[to] = from.hashHigh[at] as number;
    this.hashLow[to] = from.hashLow[at] as number;
    this.deltaHigh[to] = from.deltaHigh[at] as number;
    this.deltaLow[to] = from.deltaLow[at] as number;
    this.partition[to] = from.partition[at] as number;
    this.n[to] = from.n[at] as number;
    this.early[to] = from.early[at] as number;
    this.segment[to] = from.segment[at] as number;
    this.queuedAt[to] = from.queuedAt[at] as number;
  }
}

/** The dirty records of one store, oldest first. Bounded by the object buffer, which refuses more. */
export class WriteBack {
  readonly #buffer: ObjectBuffer;
  readonly #leaves: Leaves;
  readonly #delayUs: number;
  readonly #everyUs: number;
  readonly #bytesMax: number;
  readonly #settled: (hashLow: number) => void;
  #columns = new Columns(1024);
  #mask = 1023;
  /** Positions grow for ever; a token is a position, wrapped. Those below `#head` are done, below `#taken` in flight. */
  #head = 0;
  #taken = 0;
  #tail = 0;
  /** Positions below it wait for nothing but the batch in flight. */
  #urgent = 0;
  #nextAt: Instant = 0 as Instant;
  /** Positions of records that go with the next batch, before their turn; those in flight; how many there ever were. */
  readonly #early: Fifo<number> = new Fifo(earlyMax);
  readonly #earlyInFlight: number[] = [];
  #earlyAsked = 0;

  constructor(options: WriteBackOptions) {
    this.#buffer = options.buffer;
    this.#leaves = options.leaves;
    this.#delayUs = options.delayUs;
    this.#everyUs = options.everyUs;
    this.#bytesMax = options.bytesMax;
    this.#settled = options.settled;
  }

  /** Records that wait or are in flight. */
  get size(): number {
    return this.#tail - this.#head;
  }

  /** Records that wait. */
  get waiting(): number {
    return this.#tail - this.#taken;
  }

  /** The oldest log segment that holds a record which the engine does not hold yet; the largest integer if none does. */
  get oldestSegment(): number {
    return this.#head === this.#tail
      ? Number.MAX_SAFE_INTEGER
      : (this.#columns.segment[this.#head & this.#mask] as number);
  }

  /**
   * Takes a record into the object buffer, dirty; `segment` is where the log has it. "joined": it took the place of an
   * earlier change of its key; "refused": the buffer has no room.
   */
  put(now: Instant, write: StoreWrite, segment: number): "queued" | "joined" | "refused" {
    const { fullKey, hashHigh, hashLow, sealed } = write;
    const waiting = this.#waitingPlace(fullKey, hashHigh, hashLow);
    const at = waiting >= 0 && this.#columns.n[waiting & this.#mask] === write.n ? waiting : -1;
    const token = at >= 0 ? tokenOf(at) : tokenOf(this.#tail);
    if (!this.#buffer.put(fullKey, hashHigh, hashLow, sealed, token)) return "refused";
    if (at >= 0) {
      const i = at & this.#mask;
      this.#columns.deltaHigh[i] = (this.#columns.deltaHigh[i] as number) ^ write.deltaHigh;
      this.#columns.deltaLow[i] = (this.#columns.deltaLow[i] as number) ^ write.deltaLow;
      return "joined";
    }
    if (this.#tail - this.#head > this.#mask) this.#grow();
    const i = this.#tail & this.#mask;
    const columns = this.#columns;
    columns.hashHigh[i] = hashHigh;
    columns.hashLow[i] = hashLow;
    columns.deltaHigh[i] = write.deltaHigh;
    columns.deltaLow[i] = write.deltaLow;
    columns.partition[i] = write.partition;
    columns.n[i] = write.n;
    columns.early[i] = Early.no;
    columns.segment[i] = segment;
    columns.queuedAt[i] = now;
    this.#tail += 1;
    this.#leaves.expect(write.n, write.partition);
    if (this.#buffer.dirtyBytes >= this.#bytesMax) this.#hurryOldest();
    return "queued";
  }

  /** An eighth of what waits: all of it at once would keep the engine, and whoever waits for it, busy for long. */
  #hurryOldest(): void {
    const count = this.#everyUs === 0 ? this.waiting : Math.ceil(this.waiting / 8);
    this.#urgent = Math.max(this.#urgent, this.#taken + count);
  }

  /** The position of a waiting change of the key, or -1. */
  #waitingPlace(fullKey: Uint8Array, hashHigh: number, hashLow: number): number {
    if (this.waiting === 0) return -1;
    const token = this.#buffer.dirtyToken(fullKey, hashHigh, hashLow);
    if (token === 0) return -1;
    const at = this.#tail - ((tokenOf(this.#tail) - token) & tokenMask);
    return at >= this.#taken && !this.#isGone(at) ? at : -1;
  }

  #isGone(position: number): boolean {
    return this.#columns.early[position & this.#mask] === Early.gone;
  }

  #grow(): void {
    const size = 2 * (this.#mask + 1);
    const grown = new Columns(size);
    for (let p = this.#head; p < this.#tail; p += 1) grown.copy(this.#columns, p & this.#mask, p & (size - 1));
    this.#columns = grown;
    this.#mask = size - 1;
  }

  /** Lets everything that waits go out without further waiting; returns a mark for `passed`. */
  flush(): number {
    this.#urgent = this.#tail;
    return this.#tail;
  }

  /** Whether everything that waited at the mark is in the engine or in the batch under construction. */
  passed(mark: number): boolean {
    return this.#taken >= mark;
  }

  /** A mark behind the waiting change of this key, which goes out without further waiting; 0: none waits. */
  hurry(write: StoreWrite): number {
    const at = this.#waitingPlace(write.fullKey, write.hashHigh, write.hashLow);
    if (at < 0) return 0;
    this.#urgent = Math.max(this.#urgent, at + 1);
    return at + 1;
  }

  /**
   * Lets the records of a partition go out next, so that a scan of it sees what was acknowledged before; returns a mark
   * for `reached`. All others go on waiting: scans come many times a second.
   */
  hurryPartition(partition: number): ScanMark {
    const { partition: partitions, early } = this.#columns;
    for (let position = this.#taken; position < this.#tail; position += 1) {
      const i = position & this.#mask;
      if (partitions[i] !== partition || early[i] !== Early.no) continue;
      if (this.#early.full) return { place: this.flush(), early: this.#earlyAsked };
      early[i] = Early.asked;
      this.#early.push(position);
      this.#earlyAsked += 1;
    }
    return { place: this.#taken, early: this.#earlyAsked };
  }

  /** Whether what the mark is about is in the engine: a scan begun now sees it. */
  reached(mark: ScanMark): boolean {
    return this.#head >= mark.place && this.#earlyAsked - this.#early.size - this.#earlyInFlight.length >= mark.early;
  }

  /** Ends the wait of records whose time is over. */
  tick(now: Instant): void {
    if (this.nextTick() > now) return;
    this.#nextAt = after(now, this.#everyUs);
    if (this.#everyUs === 0) {
      this.flush();
      return;
    }
    let position = Math.max(this.#urgent, this.#taken);
    while (
      position < this.#tail &&
      after(this.#columns.queuedAt[position & this.#mask] as Instant, this.#delayUs) <= now
    )
      position += 1;
    this.#urgent = position;
  }

  /** When `tick` is due. */
  nextTick(): Instant {
    if (this.#urgent > this.#taken || this.#taken === this.#tail) return never;
    const due = after(this.#columns.queuedAt[this.#taken & this.#mask] as Instant, this.#delayUs);
    return due > this.#nextAt ? due : this.#nextAt;
  }

  /** Some records wait for a batch and nothing else. */
  get due(): boolean {
    return this.#urgent > this.#taken || this.#early.size > 0;
  }

  /** Moves records whose wait is over into the batch, up to about `bytesMax`: first those that go early, then the oldest. */
  compose(batch: EngineBatch, bytesMax: number): void {
    assert(this.#head === this.#taken && this.#earlyInFlight.length === 0, "one batch is in flight");
    while (this.#early.size > 0 && batch.bytes < bytesMax) {
      const position = this.#early.shift() as number;
      this.#compose(batch, position);
      this.#earlyInFlight.push(position);
      this.#columns.early[position & this.#mask] = Early.gone;
    }
    for (; this.#taken < this.#urgent && batch.bytes < bytesMax; this.#taken += 1) {
      if (!this.#isGone(this.#taken)) this.#compose(batch, this.#taken);
    }
  }

  #compose(batch: EngineBatch, position: number): void {
    const { hashHigh, hashLow, deltaHigh, deltaLow, partition, n } = this.#columns;
    const i = position & this.#mask;
    const hash = hashHigh[i] as number;
    const entry = this.#buffer.dirtyEntry(hashLow[i] as number, tokenOf(position));
    // None: the key changed under another tree class, and its later place in the queue brings the record.
    if (entry !== undefined) batch.put(recordKey(entry.fullKey, hash, hashLow[i] as number), entry.sealed);
    this.#leaves.arrive(n[i] as number, partition[i] as number, hash, deltaHigh[i] as number, deltaLow[i] as number);
  }

  /** The batch is in the engine: its records are clean, unless they have changed again. */
  finish(): void {
    for (; this.#head < this.#taken; this.#head += 1) {
      if (!this.#isGone(this.#head)) this.#settle(this.#head);
    }
    for (const position of this.#earlyInFlight) this.#settle(position);
    this.#earlyInFlight.length = 0;
  }

  #settle(position: number): void {
    const hashLow = this.#columns.hashLow[position & this.#mask] as number;
    this.#buffer.clean(hashLow, tokenOf(position));
    this.#settled(hashLow);
  }
}

function tokenOf(position: number): number {
  // Positions stay below 2^53; the low 31 bits are taken without going through a signed 32-bit integer.
  return tokenBase + (position % 0x8000_0000);
}
