/**
 * RecordReads: reads of single records from the engine, for what the object buffer does not hold. What a read brings enters
 * the buffer only if no write of its key began or ended meanwhile; a checksum is verified on every one, and an unreadable
 * record is an error, never "not found".
 */
import { canary } from "../base/canary.ts";
import { mark } from "../base/mark.ts";
import { Slab } from "../base/slab.ts";
import type { Instant } from "../base/time.ts";
import { checkRecord } from "../version/record.ts";
import { type Engine, lostPrefix } from "./engine.ts";
import type { KeyTouches } from "./key-touches.ts";
import { fullKeyOfRecord, hashHighOf, hashLowOf, recordKey } from "./keys.ts";
import type { ObjectBuffer } from "./object-buffer.ts";
import type { StoreCounters } from "./store-counters.ts";
import { type StoreEvents, storeBusy, storeDamaged } from "./store-events.ts";

/** What reads work on. */
export interface RecordReadsOptions {
  readonly engine: Engine;
  readonly events: StoreEvents;
  readonly counters: StoreCounters;
  readonly buffer: ObjectBuffer;
  readonly touches: KeyTouches;
  /** Reads in flight; a read past it is answered with an error. */
  readonly readsMax: number;
}

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

/** The reads in flight. */
export class RecordReads {
  readonly #engine: Engine;
  readonly #events: StoreEvents;
  readonly #counters: StoreCounters;
  readonly #buffer: ObjectBuffer;
  readonly #touches: KeyTouches;
  readonly #reads: Slab<Read>;
  #refused: number[] = [];

  constructor(options: RecordReadsOptions) {
    this.#engine = options.engine;
    this.#events = options.events;
    this.#counters = options.counters;
    this.#buffer = options.buffer;
    this.#touches = options.touches;
    this.#reads = new Slab(options.readsMax);
  }

  get idle(): boolean {
    return this.#reads.size === 0;
  }

  /** Reads a record; `onStoreRead` follows. False: there are too many, and `answerRefused` must be called this turn. */
  begin(fullKey: Uint8Array, hashHigh: number, hashLow: number, token: number): boolean {
    if (this.#reads.full) {
      mark("store.reads-full");
      this.#refused.push(token);
      return false;
    }
    this.#counters.engineReads += 1;
    const read = new Read(token, recordKey(fullKey, hashHigh, hashLow), this.#touches.clock);
    this.#engine.get(read.key, this.#reads.add(read));
    return true;
  }

  /** Answers the reads that could not begin. */
  answerRefused(now: Instant): void {
    if (this.#refused.length === 0) return;
    const refused = this.#refused;
    this.#refused = [];
    for (const token of refused) this.#events.onStoreRead(now, token, null, storeBusy);
  }

  /** The engine's answer. */
  onGot(now: Instant, id: number, value: Uint8Array | null, error: string | null): void {
    const read = this.#reads.get(id);
    if (read === undefined) return;
    this.#reads.remove(id);
    const flaw = error?.startsWith(lostPrefix) === true ? error : value === null ? null : checkRecord(value);
    const wrong = canary("unreadable-is-missing") ? null : flaw === null ? error : storeDamaged;
    if (wrong === null && value !== null) this.#fill(read, value);
    if (wrong !== null) this.#counters.unreadable += 1;
    if (flaw !== null) this.#events.onStoreDamaged(now, fullKeyOfRecord(read.key), flaw, 0);
    this.#events.onStoreRead(now, read.token, wrong === null ? value : null, wrong);
  }

  #fill(read: Read, sealed: Uint8Array): void {
    const hashLow = hashLowOf(read.key);
    if (this.#touches.changedSince(hashLow, read.clock) && !canary("stale-fill")) {
      mark("store.fill-dropped");
      this.#counters.fillsDropped += 1;
      return;
    }
    const fullKey = fullKeyOfRecord(read.key);
    const hashHigh = hashHighOf(read.key);
    if (!this.#buffer.has(fullKey, hashHigh, hashLow)) this.#buffer.put(fullKey, hashHigh, hashLow, sealed, 0);
  }
}
