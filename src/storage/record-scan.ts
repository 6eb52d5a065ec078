/**
 * RecordScans: paged reads of a partition's records (transfer, exchange, scrub) and of the hints of one key. Each is
 * one engine page per call, checked record by record. A page of records is read when write-back has brought to the engine
 * what was acknowledged before the page was asked for.
 */
import { assert } from "../base/assert.ts";
import { Fifo } from "../base/fifo.ts";
import { Slab } from "../base/slab.ts";
import type { Instant } from "../base/time.ts";
import { checkRecord } from "../version/record.ts";
import type { Engine, Page } from "./engine.ts";
import { fullKeyOfRecord, hintKey, hintRange, keyAfter, partitionRange, targetOfHint } from "./keys.ts";
import type { StoreCounters } from "./store-counters.ts";
import type { RecordPage, StoredHint, StoreEvents } from "./store-events.ts";
import type { WriteBack } from "./write-back.ts";

/** Scans in flight. */
const scansMax = 4096;
const hintKeys = 64;
const hintBytes = 4 * 1024 * 1024;

/** Which page of a partition to read. */
export interface ScanRequest {
  readonly partition: number;
  /** From the last page; null: from the start of the partition. */
  readonly cursor: Uint8Array | null;
  readonly keysMax: number;
  /** A page ends with the record that reaches this. */
  readonly bytesMax: number;
  readonly token: number;
}

class Scan {
  readonly token: number;
  readonly to: Uint8Array;
  /** Null: records. Else the hints found so far. */
  readonly hints: StoredHint[] | null;
  readonly keyLength: number;

  constructor(token: number, to: Uint8Array, hints: StoredHint[] | null, keyLength: number) {
    this.token = token;
    this.to = to;
    this.hints = hints;
    this.keyLength = keyLength;
  }
}

interface WaitingScan {
  /** Of write-back, which must have reached it. */
  readonly mark: number;
  readonly request: ScanRequest;
}

/** The scans that wait or are in flight. */
export class RecordScans {
  readonly #engine: Engine;
  readonly #events: StoreEvents;
  readonly #counters: StoreCounters;
  readonly #partitions: number;
  readonly #writeBack: WriteBack;
  readonly #waiting: Fifo<WaitingScan> = new Fifo(scansMax);
  readonly #scans: Slab<Scan> = new Slab(scansMax);

  constructor(engine: Engine, events: StoreEvents, counters: StoreCounters, partitions: number, writeBack: WriteBack) {
    this.#engine = engine;
    this.#events = events;
    this.#counters = counters;
    this.#partitions = partitions;
    this.#writeBack = writeBack;
  }

  get idle(): boolean {
    return this.#scans.size === 0 && this.#waiting.size === 0;
  }

  /** Reads a page of records; `onStoreScanned` follows. */
  records(request: ScanRequest): void {
    assert(this.#scans.size + this.#waiting.size < scansMax, "too many scans in flight");
    this.#waiting.push({ mark: this.#writeBack.flush(), request });
    this.begin();
  }

  /** Begins the scans that have waited long enough. */
  begin(): void {
    for (let next = this.#waiting.peek(); next !== undefined; next = this.#waiting.peek()) {
      if (!this.#writeBack.reached(next.mark)) return;
      this.#waiting.shift();
      this.#read(next.request);
    }
  }

  #read(request: ScanRequest): void {
    const range = partitionRange(request.partition, this.#partitions);
    const id = this.#scans.add(new Scan(request.token, range.to, null, 0));
    const from = request.cursor ?? range.from;
    this.#engine.scan({ from, to: range.to, keysMax: request.keysMax, bytesMax: request.bytesMax }, id);
  }

  /** Reads all hints of a key; `onStoreHints` follows. */
  hints(fullKey: Uint8Array, hashHigh: number, hashLow: number, token: number): void {
    assert(this.#scans.size + this.#waiting.size < scansMax, "too many scans in flight");
    const range = hintRange(fullKey, hashHigh, hashLow);
    const id = this.#scans.add(new Scan(token, range.to, [], hintKey(fullKey, hashHigh, hashLow, 0).length));
    this.#engine.scan({ from: range.from, to: range.to, keysMax: hintKeys, bytesMax: hintBytes }, id);
  }

  /** The engine's answer to a scan of this class. */
  onScanned(now: Instant, id: number, page: Page | null, error: string | null): void {
    const scan = this.#scans.get(id);
    if (scan === undefined) return;
    if (scan.hints === null) this.#onRecords(now, id, scan, page, error);
    else this.#onHints(now, id, scan, scan.hints, page, error);
  }

  #onRecords(now: Instant, id: number, scan: Scan, page: Page | null, error: string | null): void {
    this.#scans.remove(id);
    const records = page === null ? null : this.#checked(page);
    this.#events.onStoreScanned(now, scan.token, records, error);
  }

  #checked(page: Page): RecordPage {
    const fullKeys: Uint8Array[] = [];
    const records: Uint8Array[] = [];
    const unreadable: Uint8Array[] = [];
    for (let i = 0; i < page.keys.length; i += 1) {
      const fullKey = fullKeyOfRecord(page.keys[i] as Uint8Array);
      const sealed = page.values[i] as Uint8Array;
      if (checkRecord(sealed) !== null) {
        unreadable.push(fullKey);
        continue;
      }
      fullKeys.push(fullKey);
      records.push(sealed);
    }
    this.#counters.unreadable += unreadable.length;
    const last = page.keys[page.keys.length - 1];
    return { fullKeys, records, unreadable, cursor: page.done || last === undefined ? null : keyAfter(last) };
  }

  #onHints(
    now: Instant,
    id: number,
    scan: Scan,
    hints: StoredHint[],
    page: Page | null,
    scanError: string | null,
  ): void {
    const error = page === null ? scanError : this.#addHints(scan, hints, page);
    const last = page?.keys[page.keys.length - 1];
    if (page !== null && error === null && !page.done && last !== undefined) {
      this.#engine.scan({ from: keyAfter(last), to: scan.to, keysMax: hintKeys, bytesMax: hintBytes }, id);
      return;
    }
    this.#scans.remove(id);
    this.#events.onStoreHints(now, scan.token, error === null ? hints : [], error);
  }

  /** Adds a page's hints of this very key; an unreadable one is an error, for it may hold a dot that must be known. */
  #addHints(scan: Scan, hints: StoredHint[], page: Page): string | null {
    for (let i = 0; i < page.keys.length; i += 1) {
      const key = page.keys[i] as Uint8Array;
      if (key.length !== scan.keyLength) continue;
      const sealed = page.values[i] as Uint8Array;
      const flaw = checkRecord(sealed);
      if (flaw !== null) {
        this.#counters.unreadable += 1;
        return `a hint cannot be read: ${flaw}`;
      }
      hints.push({ target: targetOfHint(key), sealed });
    }
    return null;
  }
}
