/**
/**
 * RecordScans: paged reads of a partition's records (transfer, exchange, scrub), of the hints of one key, and of the
 * hints of one target. Each is one engine page per call; records are checked one by one. A page of records is read when
 * write-back has brought to the engine what was acknowledged before the page was asked for. A scan past those in flight
 * waits for its turn; one past those that may wait is refused with `storeBusy`.
 */
import { Fifo } from "../base/fifo.ts";
import { Hash64, hashKey } from "../base/hash.ts";
import { Slab } from "../base/slab.ts";
import type { Instant } from "../base/time.ts";
import { checkRecord } from "../version/record.ts";
import { type Engine, lostPrefix, type Page } from "./engine.ts";
import type { KeyRange } from "./keys.ts";
import {
  fullKeyOfHint,
  fullKeyOfRecord,
  hashHighOf,
  hashLowOf,
  hintEntryOf,
  hintKey,
  hintListRange,
  hintRange,
  keyAfter,
  leafRange,
  partitionRange,
  sealedOfHint,
  secondOfHint,
  targetOfHint,
} from "./keys.ts";
import type { StoreCounters } from "./store-counters.ts";
import type { HintPage, RecordPage, StoredHint, StoreEvents } from "./store-events.ts";
import { storeBusy, storeDamaged } from "./store-events.ts";
import type { ScanMark, WriteBack } from "./write-back.ts";

/** Scans that the engine has been asked for. */
const inFlightMax = 4096;
/** Those and the ones that wait: as many as a replica may have ops in flight. */
const scansMax = 65_536;
const keyDamaged = `${lostPrefix}a key is not where its hash belongs`;
const hintKeys = 64;
const hintBytes = 4 * 1024 * 1024;

/** Which page of a partition to read. */
export interface ScanRequest {
  readonly partition: number;
  /** Only the records under this Merkle leaf; left out: all of the partition's. */
  readonly leaf?: number;
  /** From the last page; null: from the start of the partition, or of the leaf. */
  readonly cursor: Uint8Array | null;
  readonly keysMax: number;
  /** A page ends with the record that reaches this. */
  readonly bytesMax: number;
  readonly token: number;
}

/** Which page of the list of hints to read. */
export interface HintScanRequest {
  /** 0: the hints of all targets, one target after the other. */
  readonly target: number;
  /** From the last page; null: from the start. */
  readonly cursor: Uint8Array | null;
  readonly keysMax: number;
  readonly token: number;
}

type What = "records" | "hints of a key" | "list of hints";

class Scan {
  readonly what: What;
  readonly token: number;
  readonly keysMax: number;
  readonly bytesMax: number;
  readonly to: Uint8Array;
  from: Uint8Array;
  /** Hints of a key: those found so far, and the length of their disk keys. */
  readonly hints: StoredHint[] = [];
  /** Of a key's hints one is damaged. */
  damaged = false;
  readonly keyLength: number;

  constructor(what: What, token: number, range: KeyRange, keysMax: number, bytesMax: number, keyLength = 0) {
    this.what = what;
    this.token = token;
    this.from = range.from;
    this.to = range.to;
    this.keysMax = keysMax;
    this.bytesMax = bytesMax;
    this.keyLength = keyLength;
  }
}

interface WaitingScan {
  /** Of write-back, which must have reached it. */
  readonly mark: ScanMark;
  readonly scan: Scan;
}

/** The scans that wait or are in flight. */
export class RecordScans {
  readonly #engine: Engine;
  readonly #events: StoreEvents;
  readonly #counters: StoreCounters;
  readonly #partitions: number;
  readonly #writeBack: WriteBack;
  /** Pages of records that wait for write-back, in order. */
  readonly #behind: Fifo<WaitingScan> = new Fifo(scansMax);
  readonly #scans: Slab<Scan> = new Slab(scansMax);
  readonly #waiting: Fifo<number> = new Fifo(scansMax);
  readonly #hash: Hash64 = new Hash64();
  #refused: Scan[] = [];

  constructor(engine: Engine, events: StoreEvents, counters: StoreCounters, partitions: number, writeBack: WriteBack) {
    this.#engine = engine;
    this.#events = events;
    this.#counters = counters;
    this.#partitions = partitions;
    this.#writeBack = writeBack;
  }

  get idle(): boolean {
    return this.#scans.size === 0 && this.#behind.size === 0 && this.#refused.length === 0;
  }

  /** Some were refused and wait to be told. */
  get refusing(): boolean {
    return this.#refused.length > 0;
  }

  /** Reads a page of records; `onStoreScanned` follows. */
  records(request: ScanRequest): void {
    const { partition, leaf } = request;
    const range =
      leaf === undefined ? partitionRange(partition, this.#partitions) : leafRange(partition, leaf, this.#partitions);
    const from = request.cursor ?? range.from;
    const scan = new Scan("records", request.token, { from, to: range.to }, request.keysMax, request.bytesMax);
    if (this.#behind.full) this.#refused.push(scan);
    else this.#behind.push({ mark: this.#writeBack.hurryPartition(partition), scan });
    this.begin();
  }

  /** Begins the pages of records that have waited long enough. */
  begin(): void {
    for (let next = this.#behind.peek(); next !== undefined; next = this.#behind.peek()) {
      if (!this.#writeBack.reached(next.mark)) return;
      this.#behind.shift();
      this.#ask(next.scan);
    }
  }

  /** Reads all hints of a key; `onStoreHints` follows. */
  hints(fullKey: Uint8Array, hashHigh: number, hashLow: number, token: number): void {
    const range = hintRange(fullKey, hashHigh, hashLow);
    const keyLength = hintKey(fullKey, hashHigh, hashLow, 0).length;
    this.#ask(new Scan("hints of a key", token, range, hintKeys, hintBytes, keyLength));
  }

  /** Reads a page of the list of hints; `onStoreHintPage` follows. */
  list(request: HintScanRequest): void {
    const range = hintListRange(request.target);
    const from = request.cursor ?? range.from;
    this.#ask(new Scan("list of hints", request.token, { from, to: range.to }, request.keysMax, hintBytes));
  }

  #ask(scan: Scan): void {
    if (this.#scans.full) {
      this.#refused.push(scan);
      return;
    }
    const waits = this.#scans.size >= inFlightMax;
    const id = this.#scans.add(scan);
    if (waits) this.#waiting.push(id);
    else this.#begin(id, scan);
  }

  #begin(id: number, scan: Scan): void {
    const { from, to, keysMax, bytesMax } = scan;
    this.#engine.scan({ from, to, keysMax, bytesMax }, id);
  }

  /** The scan is over; the one that has waited longest takes its place. */
  #end(id: number): void {
    this.#scans.remove(id);
    const next = this.#waiting.shift();
    const scan = next === undefined ? undefined : this.#scans.get(next);
    if (next !== undefined && scan !== undefined) this.#begin(next, scan);
  }

  /** Tells those that were refused. */
  answerRefused(now: Instant): void {
    const refused = this.#refused;
    this.#refused = [];
    for (const { what, token } of refused) {
      if (what === "records") this.#events.onStoreScanned(now, token, null, storeBusy);
      else if (what === "hints of a key") this.#events.onStoreHints(now, token, [], storeBusy);
      else this.#events.onStoreHintPage(now, token, null, storeBusy);
    }
  }

  /** The engine's answer to a scan of this class. Returns an error that begins with `lostPrefix` unanswered. */
  onScanned(now: Instant, id: number, page: Page | null, error: string | null): string | null {
    const scan = this.#scans.get(id);
    if (scan === undefined) return null;
    if (error?.startsWith(lostPrefix) === true) return error;
    if (scan.what === "hints of a key") {
      this.#onHints(now, id, scan, page, error);
      return null;
    }
    const records = scan.what === "records" && page !== null ? this.#checked(now, page) : null;
    if (scan.what === "records" && page !== null && records === null) return keyDamaged;
    this.#end(id);
    if (scan.what === "records") this.#events.onStoreScanned(now, scan.token, records, error);
    else this.#events.onStoreHintPage(now, scan.token, page === null ? null : listed(page), error);
    return null;
  }

  /** Null: a key is damaged, and nobody knows which record is missing. */
  #checked(now: Instant, page: Page): RecordPage | null {
    const fullKeys: Uint8Array[] = [];
    const records: Uint8Array[] = [];
    const unreadable: Uint8Array[] = [];
    for (let i = 0; i < page.keys.length; i += 1) {
      const fullKey = fullKeyOfRecord(page.keys[i] as Uint8Array);
      if (!this.#isPlaced(page.keys[i] as Uint8Array, fullKey)) return null;
      const sealed = page.values[i] as Uint8Array;
      const flaw = checkRecord(sealed);
      if (flaw !== null) {
        unreadable.push(fullKey);
        this.#events.onStoreDamaged(now, fullKey, flaw, 0);
        continue;
      }
      fullKeys.push(fullKey);
      records.push(sealed);
    }
    this.#counters.unreadable += unreadable.length;
    return { fullKeys, records, unreadable, cursor: cursorAfter(page) };
  }

  /** Whether the key lies under its own hash: no checksum covers keys. */
  #isPlaced(key: Uint8Array, fullKey: Uint8Array): boolean {
    hashKey(fullKey, this.#hash);
    return this.#hash.high === hashHighOf(key) && this.#hash.low === hashLowOf(key);
  }

  #onHints(now: Instant, id: number, scan: Scan, page: Page | null, scanError: string | null): void {
    if (page !== null) this.#addHints(now, scan, page);
    const next = page === null ? null : cursorAfter(page);
    if (next !== null) {
      scan.from = next;
      this.#begin(id, scan);
      return;
    }
    this.#end(id);
    const error = scan.damaged ? storeDamaged : null;
    this.#events.onStoreHints(now, scan.token, page === null ? [] : scan.hints, page === null ? scanError : error);
  }

  /** Adds a page's hints of this very key; a damaged one is an error, for it may hold a dot that must be known. */
  #addHints(now: Instant, scan: Scan, page: Page): void {
    for (let i = 0; i < page.keys.length; i += 1) {
      const key = page.keys[i] as Uint8Array;
      if (key.length !== scan.keyLength) continue;
      const value = page.values[i] as Uint8Array;
      const sealed = sealedOfHint(value);
      const flaw = checkRecord(sealed);
      if (flaw !== null) {
        scan.damaged = true;
        this.#counters.unreadable += 1;
        this.#events.onStoreDamaged(now, fullKeyOfHint(key), flaw, targetOfHint(key));
      }
      scan.hints.push({ target: targetOfHint(key), second: secondOfHint(value), sealed });
    }
  }
}

/** Where the page after this one begins; null: there is none. */
function cursorAfter(page: Page): Uint8Array | null {
  const last = page.keys[page.keys.length - 1];
  return page.done || last === undefined ? null : keyAfter(last);
}

function listed(page: Page): HintPage {
  const entries = page.keys.map((key, i) => hintEntryOf(key, page.values[i] as Uint8Array));
  return { entries, cursor: cursorAfter(page) };
}
