/**
 * WatchedLog: as watched-engine.ts, for the write-ahead log: a record has reached the system when its append returns, and
 * stable storage when a sync that began later ends.
 */
import { canary } from "../base/canary.ts";
import type { Instant } from "../base/time.ts";
import { readLogEntries, type WriteAheadLog, type WriteAheadLogEvents } from "../storage/write-ahead-log.ts";
import type { Later } from "./process.ts";
import { type DiskWatch, openedRecord, type WrittenRecord } from "./watched-engine.ts";

/** Every how many appends a planted bug of this file shows. */
const canaryEvery = 2;

export class WatchedLog implements WriteAheadLog, WriteAheadLogEvents {
  readonly #inner: WriteAheadLog;
  readonly #node: number;
  readonly #watch: DiskWatch;
  readonly #now: () => Instant;
  readonly #later: Later;
  #events: WriteAheadLogEvents | undefined;
  #unsynced: WrittenRecord[] = [];
  #syncing: WrittenRecord[] = [];
  #appends = 0;

  constructor(inner: WriteAheadLog, node: number, watch: DiskWatch, now: () => Instant, later: Later) {
    this.#inner = inner;
    this.#node = node;
    this.#watch = watch;
    this.#now = now;
    this.#later = later;
  }

  attach(events: WriteAheadLogEvents): void {
    this.#events = events;
    this.#inner.attach(this);
  }

  segments(): readonly number[] {
    return this.#inner.segments();
  }

  read(segment: number): Uint8Array | string {
    return this.#inner.read(segment);
  }

  begin(segment: number): string | null {
    return this.#inner.begin(segment);
  }

  append(bytes: Uint8Array, length: number): string | null {
    this.#appends += 1;
    if (canary("sim.log-loses-append") && this.#appends % canaryEvery === 0) return null;
    const now = this.#now();
    const records: WrittenRecord[] = [];
    readLogEntries(bytes.subarray(0, length), ({ fullKey, sealed, forgotten }) => {
      const record = openedRecord(this.#watch.opened, fullKey, sealed);
      if (forgotten) this.#watch.onForgotten(now, this.#node, record);
      else {
        this.#watch.onLogged(now, this.#node, record);
        records.push(record);
      }
    });
    for (const record of records) this.#watch.onIssued(now, this.#node, record);
    const error = this.#inner.append(bytes, length);
    if (error !== null) return error;
    for (const record of records) {
      this.#unsynced.push(record);
      this.#watch.onWritten(now, this.#node, record);
    }
    return null;
  }

  sync(token: number): void {
    if (canary("sim.log-skips-sync")) {
      this.#later(1, (now) => this.#events?.onLogSynced(now, token, null));
      return;
    }
    this.#syncing = this.#unsynced;
    this.#unsynced = [];
    this.#inner.sync(token);
  }

  onLogSynced(now: Instant, token: number, error: string | null): void {
    if (error === null) for (const record of this.#syncing) this.#watch.onSynced(now, this.#node, record);
    this.#syncing = [];
    this.#events?.onLogSynced(now, token, error);
  }

  remove(segment: number): string | null {
    return this.#inner.remove(segment);
  }

  close(): void {
    this.#inner.close();
  }
}
