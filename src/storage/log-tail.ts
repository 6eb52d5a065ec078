/**
 * LogTail: the end of the write-ahead log that is being written. Entries of one turn gather here and leave with one
 * append, before anything they promise is answered. When a segment is full the next one begins; an old one is removed once
 * the engine has synced every record in it.
 */
import { assert } from "../base/assert.ts";
import { after, type Instant, never } from "../base/time.ts";
import type { StoreWrite } from "./store-write.ts";
import { logEnd, logEntryBytes, putLogEntry, type WriteAheadLog } from "./write-ahead-log.ts";

/** Longest stay of an entry that nobody waits for: what `memory` mode promises. */
const lazyDelayUs = 20_000;
/** So much is appended without waiting for the end of the turn. */
const earlyBytes = 512 * 1024;
const keptBytes = 2 * earlyBytes;

/** The log of one store. */
export class LogTail {
  readonly #log: WriteAheadLog;
  readonly #segmentBytes: number;
  /** By partition, the newest segment with an entry of it. */
  readonly #newestOf: Uint32Array;
  #bytes = new Uint8Array(64 * 1024);
  #used = 0;
  #lazySince: Instant = never;
  /** Somebody waits for what was added. */
  #wanted = false;
  #inSegment = 0;
  /** The first thing that went wrong: every later `append` tells it again, because nothing behind it is in the log. */
  #flaw: string | null = null;
  /** The segment that is appended to; 0: not open yet. */
  segment = 0;
  /** The oldest segment there is. */
  oldest = 0;

  constructor(log: WriteAheadLog, segmentBytes: number, partitions: number) {
    this.#log = log;
    this.#segmentBytes = segmentBytes;
    this.#newestOf = new Uint32Array(partitions);
  }

  /**
   * Begins the first segment of this life, and removes those there are: the engine holds, durably, all that was in them,
   * and the word that none before `first` is needed. Null, or what went wrong.
   */
  open(first: number): string | null {
    this.oldest = first;
    this.#begin(first);
    for (const segment of this.#log.segments()) this.#flaw ??= this.#log.remove(segment);
    return this.#flaw;
  }

  #begin(segment: number): string | null {
    this.segment = segment;
    this.#inSegment = 0;
    this.#flaw ??= this.#log.begin(segment);
    return this.#flaw;
  }

  /** A segment without its end, behind which there is another, has lost its last entries. */
  #beginNext(): string | null {
    const end = logEnd();
    this.#flaw ??= this.#log.append(end, end.length);
    return this.#begin(this.segment + 1);
  }

  /** Adds an entry. `patient`: nobody waits for it to reach the system. What goes wrong is told by the next `append`. */
  add(now: Instant, write: StoreWrite, patient: boolean): void {
    const bytes = logEntryBytes(write.fullKey, write.sealed);
    if (this.#used > 0 && this.#used + bytes > earlyBytes) this.append();
    if (this.#used + bytes > this.#bytes.length) this.#grow(this.#used + bytes);
    this.#used = putLogEntry(this.#bytes, this.#used, write);
    this.#newestOf[write.partition] = this.segment;
    if (!patient) this.#wanted = true;
    else if (this.#lazySince === never) this.#lazySince = now;
  }

  #grow(least: number): void {
    const grown = new Uint8Array(Math.max(least, Math.min(2 * this.#bytes.length, keptBytes)));
    grown.set(this.#bytes.subarray(0, this.#used));
    this.#bytes = grown;
  }

  /** Whether `append` must be asked before anybody is answered. */
  get due(): boolean {
    return this.#wanted || this.#flaw !== null;
  }

  /** When entries that nobody waits for have stayed long enough. */
  nextTick(): Instant {
    return this.#lazySince === never ? never : after(this.#lazySince, lazyDelayUs);
  }

  /** Hands all entries to the system; afterwards they survive kill -9. Null, or what went wrong (fatal), now or earlier. */
  append(): string | null {
    this.#wanted = false;
    this.#lazySince = never;
    if (this.#used > 0 && this.#flaw === null) {
      this.#flaw = this.#log.append(this.#bytes, this.#used);
      this.#inSegment += this.#used;
      if (this.#inSegment >= this.#segmentBytes) this.#beginNext();
    }
    this.#used = 0;
    if (this.#bytes.length > keptBytes) this.#bytes = new Uint8Array(earlyBytes);
    return this.#flaw;
  }

  /** Ends the segment early, so that it can be removed. Null, or what went wrong. */
  rotate(): string | null {
    assert(this.#used === 0, "what was added is appended before the segment ends");
    return this.#inSegment === 0 ? this.#flaw : this.#beginNext();
  }

  /** Whether a replay could bring a record of the partition back. */
  holds(partition: number): boolean {
    return (this.#newestOf[partition] as number) >= this.oldest;
  }

  /** Segments there are. */
  get segments(): number {
    return this.segment - this.oldest + 1;
  }

  /** Removes every segment before this one. Null, or what went wrong. */
  removeBelow(segment: number): string | null {
    for (; this.oldest < segment; this.oldest += 1) this.#flaw ??= this.#log.remove(this.oldest);
    return this.#flaw;
  }
}
