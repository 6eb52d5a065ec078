/**
 * WatchedEngine: stands between a node and its simulated engine and tells the checkers which records have reached the
 * system and which are synced, at the instants at which the node is told: no acknowledgement can come earlier. The node
 * sees no difference.
 */

import { utf8Text } from "../base/bytes.ts";
import { canary } from "../base/canary.ts";
import { keyOf } from "../base/full-key.ts";
import type { Instant } from "../base/time.ts";
import type { Engine, EngineBatch, EngineEvents, Page, ScanRange } from "../storage/engine.ts";
import { fullKeyOfHint, fullKeyOfRecord, KeyKind, sealedOfHint, targetOfHint } from "../storage/keys.ts";
import type { SiblingSet } from "../version/sibling-set.ts";
import type { OpenedRecords } from "./opened-records.ts";
import type { Later } from "./process.ts";

/** One record of a batch, opened. */
export interface WrittenRecord {
  /** The key's name. */
  readonly key: string;
  readonly set: SiblingSet;
  /** The number of the node for which it is kept as a hint; 0: it is the node's own copy. */
  readonly target: number;
}

/** Told what one node's disk is given and holds. */
export interface DiskWatch {
  readonly opened: OpenedRecords;
  /** The node hands a batch to its engine. */
  onIssued(now: Instant, node: number, record: WrittenRecord): void;
  /** The batch reached the operating system, and the node is about to be told. */
  onWritten(now: Instant, node: number, record: WrittenRecord): void;
  /** A new process begins, or the power went: `onFound` follows for all that its disk still holds. */
  onRecount(node: number): void;
  /** The record is on its disk: the last life may have ended before it was told. */
  onFound(node: number, record: WrittenRecord): void;
  /** It is on stable storage, and the node is about to be told. */
  onSynced(now: Instant, node: number, record: WrittenRecord): void;
  /** The node adds the change to its log. */
  onLogged(now: Instant, node: number, record: WrittenRecord): void;
  /** The node has forgotten this record, by certificate. */
  onForgotten(now: Instant, node: number, record: WrittenRecord): void;
  /** The node hands the deletion of a hint to its engine. */
  onHintDropped(now: Instant, node: number, key: string, target: number): void;
  /** The node hands the deletion of a copy of its own to its engine. */
  onCopyDropped(now: Instant, node: number, key: string): void;
}

/** A record opened for the checkers. */
export function openedRecord(
  opened: OpenedRecords,
  fullKey: Uint8Array,
  sealed: Uint8Array,
  target = 0,
): WrittenRecord {
  return { key: utf8Text(keyOf(fullKey)), set: opened.open(sealed), target };
}

/** A hint opened for the checkers, from its disk key and value. */
export function openedHint(opened: OpenedRecords, key: Uint8Array, value: Uint8Array): WrittenRecord {
  return openedRecord(opened, fullKeyOfHint(key), sealedOfHint(value), targetOfHint(key));
}

class WatchedBatch implements EngineBatch {
  readonly inner: EngineBatch;
  readonly #opened: OpenedRecords;
  readonly records: WrittenRecord[] = [];
  /** What is deleted; `target` as in `WrittenRecord`. */
  readonly dropped: { readonly key: string; readonly target: number }[] = [];

  constructor(inner: EngineBatch, opened: OpenedRecords) {
    this.inner = inner;
    this.#opened = opened;
  }

  get bytes(): number {
    return this.inner.bytes;
  }

  put(key: Uint8Array, value: Uint8Array): void {
    this.inner.put(key, value);
    if (key[0] === KeyKind.record) this.records.push(openedRecord(this.#opened, fullKeyOfRecord(key), value));
    else if (key[0] === KeyKind.hint) this.records.push(openedHint(this.#opened, key, value));
  }

  del(key: Uint8Array): void {
    this.inner.del(key);
    if (key[0] === KeyKind.hint)
      this.dropped.push({ key: utf8Text(keyOf(fullKeyOfHint(key))), target: targetOfHint(key) });
    else if (key[0] === KeyKind.record) this.dropped.push({ key: utf8Text(keyOf(fullKeyOfRecord(key))), target: 0 });
  }
}

/** Every how many calls a planted bug of this file shows. */
const canaryEvery = 2;

/** What an engine lives in. */
export interface EngineLife {
  readonly now: () => Instant;
  readonly later: Later;
  /** What its disk held when it was opened, maybe never synced; the log's part is in the engine before its first sync. */
  readonly found: readonly WrittenRecord[];
}

export class WatchedEngine implements Engine, EngineEvents {
  readonly #inner: Engine;
  readonly #node: number;
  readonly #watch: DiskWatch;
  readonly #now: () => Instant;
  readonly #later: Later;
  #calls = 0;
  #events: EngineEvents | undefined;
  readonly #writing = new Map<number, WrittenRecord[]>();
  /** Written, and not yet part of a sync. */
  #unsynced: WrittenRecord[];
  readonly #syncing = new Map<number, WrittenRecord[]>();

  constructor(inner: Engine, node: number, watch: DiskWatch, life: EngineLife) {
    this.#inner = inner;
    this.#later = life.later;
    this.#node = node;
    this.#watch = watch;
    this.#now = life.now;
    this.#unsynced = [...life.found];
  }

  attach(events: EngineEvents): void {
    this.#events = events;
    this.#inner.attach(this);
  }

  get(key: Uint8Array, token: number): void {
    this.#inner.get(key, token);
  }

  batch(): EngineBatch {
    return new WatchedBatch(this.#inner.batch(), this.#watch.opened);
  }

  write(batch: EngineBatch, token: number): void {
    const watched = batch as WatchedBatch;
    const now = this.#now();
    for (const record of watched.records) this.#watch.onIssued(now, this.#node, record);
    for (const { key, target } of watched.dropped) {
      if (target === 0) this.#watch.onCopyDropped(now, this.#node, key);
      else this.#watch.onHintDropped(now, this.#node, key, target);
    }
    const lost = canary("sim.engine-loses-batch") && this.#bites();
    this.#writing.set(token, lost ? [] : watched.records);
    this.#inner.write(lost ? this.#inner.batch() : watched.inner, token);
  }

  sync(token: number, oldestSegment: number): void {
    this.#syncing.set(token, this.#unsynced);
    this.#unsynced = [];
    if (canary("sim.engine-skips-sync")) {
      this.#syncing.delete(token);
      this.#later(1, (now) => this.#events?.onSynced(now, token, null));
    } else this.#inner.sync(token, oldestSegment);
  }

  scan(range: ScanRange, token: number): void {
    this.#inner.scan(range, token);
  }

  dataBytes(): number {
    return this.#inner.dataBytes();
  }

  close(): void {
    this.#inner.close();
  }

  #bites(): boolean {
    this.#calls += 1;
    return this.#calls % canaryEvery === 0;
  }

  onGot(now: Instant, token: number, value: Uint8Array | null, error: string | null): void {
    if (canary("sim.engine-forgets") && this.#bites()) {
      this.#events?.onGot(now, token, null, null);
      return;
    }
    if (canary("sim.engine-hides-errors") && error !== null) {
      this.#events?.onGot(now, token, null, null);
      return;
    }
    this.#events?.onGot(now, token, value, error);
  }

  onWritten(now: Instant, token: number, error: string | null): void {
    const records = this.#writing.get(token) ?? [];
    this.#writing.delete(token);
    if (error === null) {
      for (const record of records) {
        this.#unsynced.push(record);
        this.#watch.onWritten(now, this.#node, record);
      }
    }
    this.#events?.onWritten(now, token, error);
  }

  onSynced(now: Instant, token: number, error: string | null): void {
    if (error === null) this.#endSyncs(now, token);
    this.#syncing.delete(token);
    this.#events?.onSynced(now, token, error);
  }

  /** What a sync has brought to stable storage includes all that was written before an earlier one that still goes on. */
  #endSyncs(now: Instant, token: number): void {
    if (!this.#syncing.has(token)) return;
    for (const [one, records] of this.#syncing) {
      for (const record of records.splice(0)) this.#watch.onSynced(now, this.#node, record);
      if (one === token) return;
    }
  }

  onScanned(now: Instant, token: number, page: Page | null, error: string | null): void {
    this.#events?.onScanned(now, token, page, error);
  }

  onClosed(now: Instant): void {
    this.#events?.onClosed(now);
  }
}
