/**
 * ScrubWorld: the part of a store that a scrub sees: records that batches write, leaves that know of a batch as soon as
 * it is composed, and scans that find what has been written by then.
 */
import { hexOf } from "../../src/base/bytes.ts";
import { Hash64, hashKey } from "../../src/base/hash.ts";
import { type Instant, instant } from "../../src/base/time.ts";
import { Scrub, type ScrubEffects, type ScrubResult, type WrongLeaf } from "../../src/repair/scrub.ts";
import {
  keyAfter,
  leafOfHash,
  leavesPerTree,
  partitionBitsOf,
  partitionOfHash,
  recordKey,
} from "../../src/storage/keys.ts";
import { Leaves } from "../../src/storage/leaves.ts";
import type { RecordPage } from "../../src/storage/store-events.ts";
import { openRecord, sealRecord } from "../../src/version/record.ts";
import { causalHashOfSealed } from "../../src/version/sealed-causal-hash.ts";
import { SiblingSet } from "../../src/version/sibling-set.ts";
import { keyNamed, nameOf, treeOf } from "./repair-world.ts";

interface Stored {
  readonly fullKey: Uint8Array;
  readonly diskKey: Uint8Array;
  readonly sealed: Uint8Array;
}

export const partitions = 4;
const bits = partitionBitsOf(partitions);
const hash = new Hash64();

/** The place of a key: partition and leaf. */
export function placeOf(fullKey: Uint8Array): { partition: number; leaf: number; high: number; low: number } {
  hashKey(fullKey, hash);
  const { high, low } = hash;
  return { partition: partitionOfHash(high, bits), leaf: leafOfHash(high, bits), high, low };
}

export class ScrubWorld implements ScrubEffects {
  now: Instant = instant(1_000_000);
  batchNumber = 0;
  writtenBatch = 0;
  readonly leaves: Leaves = new Leaves(partitions);
  readonly scrub: Scrub;
  /** What has been written, by full key in hexadecimal. */
  readonly written: Map<string, Stored> = new Map();
  /** What has been composed. */
  readonly composed: Map<string, Stored> = new Map();
  readonly unreadableKeys: Set<string> = new Set();
  readonly corrected: WrongLeaf[] = [];
  readonly results: ScrubResult[] = [];
  readonly reported: string[] = [];
  readonly log: string[] = [];
  pageKeys = 5;
  #batch: Stored[] | null = null;
  #scan: (() => void) | null = null;
  #counter = 0;

  constructor() {
    const { leaves } = this;
    this.scrub = new Scrub({ effects: this, leaves, batches: this, treeOf, partitions });
  }

  say(line: string): void {
    this.log.push(line);
  }

  /** Composes a batch with new values under the names; the leaves know of it at once. */
  write(...names: string[]): void {
    if (this.#batch !== null) this.endBatch();
    this.batchNumber += 1;
    this.#batch = names.map((name) => this.#put(name));
  }

  #put(name: string): Stored {
    const fullKey = keyNamed(name);
    const { partition, high, low } = placeOf(fullKey);
    const old = this.composed.get(hexOf(fullKey));
    const set = old === undefined ? SiblingSet.empty : openRecord(old.sealed);
    this.#counter += 1;
    const requestId = new Uint8Array(16);
    new DataView(requestId.buffer).setUint32(0, this.#counter);
    const dot = { actorHigh: 1 << 16, actorLow: 1, counter: this.#counter };
    const write = { context: set.version, dot, requestId, value: new Uint8Array(3), tombstone: false, second: 100 };
    const sealed = sealRecord(set.put({ ...write, keepRecentFor: 60 }));
    const delta = new Uint32Array(2);
    for (const bytes of [old?.sealed, sealed]) {
      if (bytes === undefined) continue;
      causalHashOfSealed(bytes, fullKey, hash);
      delta[0] = (delta[0] as number) ^ hash.high;
      delta[1] = (delta[1] as number) ^ hash.low;
    }
    this.leaves.apply(treeOf(fullKey), partition, high, delta[0] as number, delta[1] as number);
    const stored = { fullKey, diskKey: recordKey(fullKey, high, low), sealed };
    this.composed.set(hexOf(fullKey), stored);
    return stored;
  }

  /** The batch in flight has been written. */
  endBatch(): void {
    for (const stored of this.#batch ?? []) this.written.set(hexOf(stored.fullKey), stored);
    this.#batch = null;
    this.writtenBatch = this.batchNumber;
  }

  /** The engine answers the scan in flight, with what is written by now. */
  endScan(): boolean {
    const scan = this.#scan;
    this.#scan = null;
    scan?.();
    return scan !== null;
  }

  /** Damages a leaf in memory. */
  flip(name: string): number {
    const fullKey = keyNamed(name);
    const { partition, leaf } = placeOf(fullKey);
    this.leaves.correct(treeOf(fullKey), partition, leaf, 0xbad, 0xbad);
    return leaf;
  }

  scan(_now: Instant, id: number, partition: number, leaf: number, cursor: Uint8Array | null): void {
    this.say(`scan ${leaf < 0 ? `partition ${partition}` : `leaf ${leaf}`}${cursor === null ? "" : ", next page"}`);
    this.#scan = () => this.scrub.onScanned(this.now, id, this.#page(partition, leaf, cursor), null);
  }

  #page(partition: number, leaf: number, cursor: Uint8Array | null): RecordPage {
    const all = [...this.written.values()].filter(({ fullKey }) => {
      const place = placeOf(fullKey);
      return place.partition === partition && (leaf < 0 || place.leaf === leaf);
    });
    all.sort((x, y) => compare(x.diskKey, y.diskKey));
    const rest = all.filter(({ diskKey }) => cursor === null || compare(diskKey, cursor) >= 0);
    const page = rest.slice(0, this.pageKeys);
    const last = page.at(-1);
    const bad = (stored: Stored): boolean => this.unreadableKeys.has(hexOf(stored.fullKey));
    const readable = page.filter((stored) => !bad(stored));
    return {
      fullKeys: readable.map(({ fullKey }) => fullKey),
      records: readable.map(({ sealed }) => sealed),
      unreadable: page.filter(bad).map(({ fullKey }) => fullKey),
      cursor: last === undefined || page.length === rest.length ? null : keyAfter(last.diskKey),
    };
  }

  correct(_now: Instant, wrong: WrongLeaf): void {
    this.say(`leaf ${wrong.leaf} of tree ${wrong.n}/${wrong.partition} is wrong, corrected`);
    this.corrected.push(wrong);
    this.leaves.correct(wrong.n, wrong.partition, wrong.leaf, wrong.deltaHigh, wrong.deltaLow);
  }

  unreadable(_now: Instant, _partition: number, fullKey: Uint8Array): void {
    this.say(`unreadable: ${nameOf(fullKey)}`);
    this.reported.push(nameOf(fullKey));
  }

  scrubbed(_now: Instant, result: ScrubResult): void {
    const { partition, complete, records, leavesCorrected } = result;
    this.say(
      `partition ${partition} through: ${records} records, ${leavesCorrected} corrected${complete ? "" : ", not complete"}`,
    );
    this.results.push(result);
  }

  /** Runs without further writes until the scrub has nothing to do. */
  run(): void {
    for (let steps = 0; steps < 100_000; steps += 1) {
      this.endBatch();
      this.now = instant(this.now + 1000);
      if (this.scrub.starved) this.scrub.grant(this.now, 1);
      else if (!this.endScan()) {
        if (this.scrub.nextTick() > this.now + 60_000_000) return;
        this.now = instant(Math.max(this.now, this.scrub.nextTick()));
        this.scrub.tick(this.now);
      }
    }
    throw new Error("the scrub does not come to an end");
  }

  /** Leaves that are not what the written records add up to, one line each, from the records alone. */
  lies(): string[] {
    const sums = new Map<string, [number, number]>();
    for (const { fullKey, sealed } of this.composed.values()) {
      if (this.unreadableKeys.has(hexOf(fullKey))) continue;
      const { partition, leaf } = placeOf(fullKey);
      const id = `${treeOf(fullKey)}/${partition}/${leaf}`;
      const sum = sums.get(id) ?? [0, 0];
      causalHashOfSealed(sealed, fullKey, hash);
      sums.set(id, [(sum[0] ^ hash.high) >>> 0, (sum[1] ^ hash.low) >>> 0]);
    }
    const lies: string[] = [];
    this.leaves.forEach((n, partition, words) => {
      for (let leaf = 0; leaf < leavesPerTree; leaf += 1) {
        // Most leaves are empty, and no record says otherwise: what is left in `sums` is looked at below.
        if (words[2 * leaf] === 0 && words[2 * leaf + 1] === 0) continue;
        const id = `${n}/${partition}/${leaf}`;
        const sum = sums.get(id) ?? [0, 0];
        sums.delete(id);
        if (words[2 * leaf] !== sum[0] || words[2 * leaf + 1] !== sum[1]) lies.push(id);
      }
    });
    for (const id of sums.keys()) lies.push(id);
    return lies;
  }

  text(title: string): string {
    return [`# ${title}`, ...this.log].join("\n");
  }
}

function compare(a: Uint8Array, b: Uint8Array): number {
  for (let i = 0; i < Math.min(a.length, b.length); i += 1)
    if (a[i] !== b[i]) return (a[i] as number) - (b[i] as number);
  return a.length - b.length;
}
