/**
 * HintTable: how many hints are kept for each target, their bytes, and how old the oldest is, exact without reading the
 * disk. The boot scan fills it from the hint list; afterwards each write of a hint changes it. A hint counts from the
 * moment its write is queued until its deletion has reached the engine: never too little, so that "none" can be relied
 * upon and a budget is not overrun by what is under way.
 *
 * While a node is down, most keys of the others still have no hint: keys share 65,536 cells by hash, each of which
 * counts its hints, so that a read or a write of such a key does not search the engine for them.
 */
import { assert } from "../base/assert.ts";
import type { HintEntry } from "./keys.ts";
import type { HintChange, StoreWrite } from "./store-write.ts";

/** What is kept, as everybody but the store sees it. Bytes are those of keys and sealed records. */
export interface HintCounts {
  /** Hints for all targets together: while it is 0 no key has any. */
  readonly total: number;
  /** Bytes for all targets together. */
  readonly bytes: number;
  countOf(target: number): number;
  bytesOf(target: number): number;
  /** When the oldest hint of the target was first kept, in seconds since 1970; 0: there is none. */
  oldestOf(target: number): number;
  /** Who is owed anything: ascending. */
  targets(): number[];
}

const cells = 65_536;

class Target {
  count = 0;
  bytes = 0;
  /** Hints by the second in which they were first kept: their number is bounded by the seconds of an outage. */
  readonly seconds: Map<number, number> = new Map();
}

/** The table of one store. */
export class HintTable implements HintCounts {
  readonly #targets: Map<number, Target> = new Map();
  /** Hints by the hash of their key; empty before the first hint. */
  #cells: Uint32Array = new Uint32Array(0);
  #total = 0;
  #bytes = 0;

  get total(): number {
    return this.#total;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Whether a key with this hash may have a hint: false is certain. */
  mayHold(hashLow: number): boolean {
    return (this.#cells[hashLow & (cells - 1)] ?? 0) > 0;
  }

  countOf(target: number): number {
    return this.#targets.get(target)?.count ?? 0;
  }

  bytesOf(target: number): number {
    return this.#targets.get(target)?.bytes ?? 0;
  }

  oldestOf(target: number): number {
    const seconds = this.#targets.get(target)?.seconds;
    if (seconds === undefined) return 0;
    let oldest = Number.MAX_SAFE_INTEGER;
    for (const second of seconds.keys()) oldest = Math.min(oldest, second);
    return oldest;
  }

  targets(): number[] {
    return [...this.#targets.keys()].sort((a, b) => a - b);
  }

  /** A hint that the boot scan found. */
  load(entry: HintEntry): void {
    this.#add(entry.hashLow, entry.target, entry.second, entry.fullKey.length + entry.bytes);
  }

  /** A write of a hint was queued. */
  begin(write: StoreWrite, hint: HintChange): void {
    if (write.sealed.length === 0) return;
    this.#removeOld(write, hint);
    this.#add(write.hashLow, hint.target, hint.second, write.fullKey.length + write.sealed.length);
  }

  /** A write of a hint has reached the engine. */
  end(write: StoreWrite, hint: HintChange): void {
    if (write.sealed.length === 0) this.#removeOld(write, hint);
  }

  #removeOld(write: StoreWrite, hint: HintChange): void {
    if (hint.bytesBefore < 0) return;
    this.#remove(write.hashLow, hint.target, hint.secondBefore, write.fullKey.length + hint.bytesBefore);
  }

  #add(hashLow: number, number: number, second: number, bytes: number): void {
    let target = this.#targets.get(number);
    if (target === undefined) {
      target = new Target();
      this.#targets.set(number, target);
    }
    target.count += 1;
    target.bytes += bytes;
    target.seconds.set(second, (target.seconds.get(second) ?? 0) + 1);
    if (this.#cells.length === 0) this.#cells = new Uint32Array(cells);
    this.#count(hashLow, 1, bytes);
  }

  /** No checksum covers a hint's second, nor what the list says of its bytes: one that is not counted is the oldest's. */
  #remove(hashLow: number, number: number, counted: number, countedBytes: number): void {
    const target = this.#targets.get(number);
    assert(target !== undefined && target.count > 0, "only a hint that is counted goes");
    const second = target.seconds.has(counted) ? counted : this.oldestOf(number);
    const bytes = target.count === 1 ? target.bytes : Math.min(countedBytes, target.bytes);
    const left = (target.seconds.get(second) as number) - 1;
    target.count -= 1;
    target.bytes -= bytes;
    if (left === 0) target.seconds.delete(second);
    else target.seconds.set(second, left);
    if (target.count === 0) this.#targets.delete(number);
    this.#count(hashLow, -1, -bytes);
  }

  #count(hashLow: number, hints: number, bytes: number): void {
    const cell = hashLow & (cells - 1);
    this.#cells[cell] = (this.#cells[cell] as number) + hints;
    this.#total += hints;
    this.#bytes += bytes;
  }
}
