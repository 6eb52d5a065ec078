/**
 * RangeDelete: dropping a partition's records, a page at a time (one keyspace, no range delete in the engine). A page
 * is read, and its deletes go into the next batch together with what they change in the Merkle leaves, so a crash
 * leaves nothing half done and the cursor can start anew. The caller paces the pages and keeps writers out. A record
 * that cannot be read goes like any other, but nobody knows its share of its leaf: it stays there until the caller has
 * the tree made true.
 */
import { assert } from "../base/assert.ts";
import { Hash64 } from "../base/hash.ts";
import { checkRecord, openRecord } from "../version/record.ts";
import { causalHash } from "../version/sibling-set.ts";
import type { Engine, EngineBatch, Page } from "./engine.ts";
import type { KeyTouches } from "./key-touches.ts";
import { fullKeyOfRecord, hashHighOf, hashLowOf, keyAfter, partitionRange } from "./keys.ts";
import type { Leaves } from "./leaves.ts";
import type { ObjectBuffer } from "./object-buffer.ts";
import type { DeletedPage } from "./store-events.ts";

/** Each record is checked and hashed in the turn of the batch, while clients wait: half a millisecond for so many. */
const pageKeys = 32;
const pageBytes = 128 * 1024;

/** One page of a deletion. */
export interface DeleteRequest {
  readonly partition: number;
  /** The tree class (N of its bucket) of a record, or 0 to keep the record. Asked once per record. */
  readonly treeOf: (fullKey: Uint8Array) => number;
  /** From the last page; null: from the start of the partition. */
  readonly cursor: Uint8Array | null;
  readonly token: number;
}

/** At most one page is in work. */
export class RangeDelete {
  readonly #engine: Engine;
  readonly #leaves: Leaves;
  readonly #touches: KeyTouches;
  readonly #buffer: ObjectBuffer;
  readonly #partitions: number;
  #request: DeleteRequest | null = null;
  #page: Page | null = null;
  #clock = 0;
  #composed = false;
  #cursor: Uint8Array | null = null;
  #unreadable = 0;
  readonly #deleted: Uint8Array[] = [];
  readonly #hash: Hash64 = new Hash64();

  constructor(engine: Engine, leaves: Leaves, touches: KeyTouches, buffer: ObjectBuffer, partitions: number) {
    this.#engine = engine;
    this.#leaves = leaves;
    this.#touches = touches;
    this.#buffer = buffer;
    this.#partitions = partitions;
  }

  /** The token of the page in work, or -1. */
  get token(): number {
    return this.#request?.token ?? -1;
  }

  /** A page has been read and waits for a batch. */
  get ready(): boolean {
    return this.#page !== null && !this.#composed;
  }

  /** The page that waits holds nothing: there are no records from its cursor on. */
  get empty(): boolean {
    return this.ready && this.#page?.keys.length === 0;
  }

  /** Reads a page; the engine answers under `scanToken`. */
  begin(request: DeleteRequest, scanToken: number): void {
    assert(this.#request === null, "one page of a deletion at a time");
    const range = partitionRange(request.partition, this.#partitions);
    this.#request = request;
    this.#clock = this.#touches.clock;
    const from = request.cursor ?? range.from;
    this.#engine.scan({ from, to: range.to, keysMax: pageKeys, bytesMax: pageBytes }, scanToken);
  }

  onPage(page: Page): void {
    this.#page = page;
  }

  /** Gives the page up after a failed scan; its token. */
  abandon(): number {
    const { token } = this;
    this.#request = null;
    return token;
  }

  /** Adds the page's deletes to a batch. Keys written since the page was read, or about to be, are left for the next page. */
  compose(batch: EngineBatch): void {
    const page = this.#page;
    const request = this.#request;
    assert(page !== null && request !== null, "no page to delete");
    this.#composed = true;
    this.#unreadable = 0;
    const last = page.keys[page.keys.length - 1];
    this.#cursor = page.done || last === undefined ? null : keyAfter(last);
    for (let i = page.keys.length - 1; i >= 0; i -= 1) {
      const key = page.keys[i] as Uint8Array;
      if (this.#mayChange(key)) this.#cursor = key;
      else this.#delete(batch, request, key, page.values[i] as Uint8Array);
    }
    for (const key of this.#deleted) this.#touches.begin(hashLowOf(key));
  }

  /** Whether what the page has of a key may not be what the engine holds once the batch is written. */
  #mayChange(key: Uint8Array): boolean {
    const hashLow = hashLowOf(key);
    if (this.#touches.isPending(hashLow) || this.#touches.changedSince(hashLow, this.#clock)) return true;
    return this.#buffer.dirtyToken(fullKeyOfRecord(key), hashHighOf(key), hashLow) !== 0;
  }

  /** Passes over a page that holds nothing, without a batch; `finish` answers it. */
  composeNothing(): void {
    assert(this.empty, "the page holds records");
    this.#composed = true;
    this.#unreadable = 0;
    this.#cursor = null;
  }

  #delete(batch: EngineBatch, request: DeleteRequest, key: Uint8Array, sealed: Uint8Array): void {
    const fullKey = fullKeyOfRecord(key);
    const n = request.treeOf(fullKey);
    if (n === 0) return;
    if (checkRecord(sealed) !== null) this.#unreadable += 1;
    else {
      causalHash(openRecord(sealed), fullKey, this.#hash);
      this.#leaves.apply(n, request.partition, hashHighOf(key), this.#hash.high, this.#hash.low);
    }
    batch.del(key);
    this.#deleted.push(key);
  }

  /** The batch is written: forgets the records in the object buffer too. Null: the batch held no page. */
  finish(): DeletedPage | null {
    if (!this.#composed) return null;
    for (const key of this.#deleted) {
      const fullKey = fullKeyOfRecord(key);
      const hashHigh = hashHighOf(key);
      const hashLow = hashLowOf(key);
      if (this.#buffer.dirtyToken(fullKey, hashHigh, hashLow) === 0) this.#buffer.evict(fullKey, hashHigh, hashLow);
      this.#touches.end(hashLow);
    }
    const result = { deleted: this.#deleted.length, unreadable: this.#unreadable, cursor: this.#cursor };
    this.#deleted.length = 0;
    this.#request = null;
    this.#page = null;
    this.#composed = false;
    return result;
  }
}
