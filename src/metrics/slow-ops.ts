/**
 * SlowOps: the slowest operations of each of the last seconds, a bounded number of them, in flat arrays: what a node can
 * still be asked about when somebody wonders why something was slow. The fast ones, which are nearly all, cost a compare.
 */
import { equalBytes, noBytes } from "../base/bytes.ts";
import type { DurationUs, Instant } from "../base/time.ts";
import { phaseWordsMax } from "./phases.ts";

/** So many of each second. */
export const slowPerSecond = 8;
/** So many seconds in which anything happened. */
const secondsKept = 600;
/** Operations that are kept. */
export const slowOpsMax: number = slowPerSecond * secondsKept;
const secondUs = 1_000_000;
/** Names of so many buckets are remembered; those of later ones are not. */
const bucketsMax = 255;

/** What is kept of one operation besides its phases. */
export interface SlowOpFacts {
  readonly answeredAt: Instant;
  readonly elapsedUs: DurationUs;
  readonly hashHigh: number;
  readonly hashLow: number;
  /** Frame type of the request. */
  readonly type: number;
  readonly status: number;
  /** The node whose answer completed it; 0: none. */
  readonly decidedBy: number;
}

/** One that was kept. */
export interface SlowOpKept extends SlowOpFacts {
  readonly bucket: Uint8Array;
  /** A view. */
  readonly phases: Uint32Array;
}

/** Words of a row, before its phases. */
const Word = {
  total: 0,
  elapsed: 1,
  hashHigh: 2,
  hashLow: 3,
  kind: 4,
  decidedBy: 5,
  bucket: 6,
  phaseWords: 7,
} as const;
const phasesAt = 8;
const rowWords = phasesAt + phaseWordsMax;

/** The rows of one second. */
class SlowSecond {
  second = -1;
  count = 0;
  /** A second that is full takes nothing that was no slower than this. */
  floorUs: DurationUs = -1;
  readonly words: Uint32Array = new Uint32Array(slowPerSecond * rowWords);
  readonly answeredAt: Float64Array = new Float64Array(slowPerSecond);

  begin(second: number): void {
    this.second = second;
    this.count = 0;
    this.floorUs = -1;
  }

  totalUs(row: number): DurationUs {
    return this.words[row * rowWords + Word.total] as number;
  }

  /** The row to write next: a free one, else the fastest. */
  takeRow(): number {
    if (this.count < slowPerSecond) {
      this.count += 1;
      return this.count - 1;
    }
    return this.#fastest();
  }

  #fastest(): number {
    let fastest = 0;
    for (let row = 1; row < slowPerSecond; row += 1) if (this.totalUs(row) < this.totalUs(fastest)) fastest = row;
    return fastest;
  }

  rowTaken(): void {
    if (this.count === slowPerSecond) this.floorUs = this.totalUs(this.#fastest());
  }
}

/** The slowest operations that one node has coordinated. */
export class SlowOps {
  readonly #seconds: SlowSecond[] = [];
  readonly #buckets: Uint8Array[] = [];
  readonly #onClosed: (op: SlowOpKept) => void;
  #newest: SlowSecond = new SlowSecond();
  #opened = 0;

  /** `onClosed` is told of each operation once its second is over: it will not be displaced any more. */
  constructor(onClosed: (op: SlowOpKept) => void) {
    this.#onClosed = onClosed;
  }

  /** Whether an operation that took so long, waiting for the loop included, belongs to the slowest of this second so far. */
  wants(now: Instant, totalUs: DurationUs): boolean {
    if (Math.floor(now / secondUs) !== this.#newest.second) this.#open(Math.floor(now / secondUs));
    return totalUs > this.#newest.floorUs;
  }

  #open(second: number): void {
    this.#eachOf(this.#newest, this.#onClosed);
    const at = this.#opened % secondsKept;
    if (at === this.#seconds.length) this.#seconds.push(new SlowSecond());
    this.#newest = this.#seconds[at] as SlowSecond;
    this.#newest.begin(second);
    this.#opened += 1;
  }

  /** Keeps an operation that is wanted; bytes and words are copied. */
  keep(totalUs: DurationUs, facts: SlowOpFacts, bucket: Uint8Array, phases: ArrayLike<number>): void {
    const { words, answeredAt } = this.#newest;
    const row = this.#newest.takeRow();
    const at = row * rowWords;
    answeredAt[row] = facts.answeredAt;
    words[at + Word.total] = totalUs;
    words[at + Word.elapsed] = facts.elapsedUs;
    words[at + Word.hashHigh] = facts.hashHigh;
    words[at + Word.hashLow] = facts.hashLow;
    words[at + Word.kind] = (facts.type << 8) | facts.status;
    words[at + Word.decidedBy] = facts.decidedBy;
    words[at + Word.bucket] = this.#numberOf(bucket);
    words[at + Word.phaseWords] = phases.length;
    words.set(phases, at + phasesAt);
    this.#newest.rowTaken();
  }

  #numberOf(bucket: Uint8Array): number {
    const known = this.#buckets.findIndex((name) => equalBytes(name, bucket));
    if (known >= 0 || this.#buckets.length === bucketsMax) return known < 0 ? bucketsMax : known;
    return this.#buckets.push(bucket.slice()) - 1;
  }

  #eachOf(second: SlowSecond, visit: (op: SlowOpKept) => void): void {
    const rows = Array.from({ length: second.count }, (_, row) => row);
    for (const row of rows.sort((a, b) => second.totalUs(b) - second.totalUs(a))) visit(this.#read(second, row));
  }

  #read({ words, answeredAt }: SlowSecond, row: number): SlowOpKept {
    const at = row * rowWords;
    const word = (place: number): number => words[at + place] as number;
    return {
      answeredAt: answeredAt[row] as Instant,
      elapsedUs: word(Word.elapsed),
      hashHigh: word(Word.hashHigh),
      hashLow: word(Word.hashLow),
      type: word(Word.kind) >>> 8,
      status: word(Word.kind) & 255,
      decidedBy: word(Word.decidedBy),
      bucket: this.#buckets[word(Word.bucket)] ?? noBytes,
      phases: words.subarray(at + phasesAt, at + phasesAt + word(Word.phaseWords)),
    };
  }

  /** Visits those that were answered since, newest second first, the slowest of a second first. */
  since(from: Instant, visit: (op: SlowOpKept) => void): void {
    const kept = Math.min(this.#opened, secondsKept);
    for (let back = 1; back <= kept; back += 1) {
      const second = this.#seconds[(this.#opened - back) % secondsKept] as SlowSecond;
      if ((second.second + 1) * secondUs <= from) return;
      this.#eachOf(second, (op) => {
        if (op.answeredAt >= from) visit(op);
      });
    }
  }
}
