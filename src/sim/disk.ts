/**
 * SimDisk: what a node's disk holds, through all the lives of its processes, and what can happen to it. It keeps
 * RocksDB's contract: atomic batches in the order of a log, and a sync that makes durable what was written before it.
 *
 *      files (durable) | log: synced batches | written batches | in flight
 *
 * A killed process loses only what had not reached the system; a power cut keeps a random prefix of what was not
 * synced; a hole takes a run out of the log's middle, and the engine opens past it without a word, as the real one
 * does. The write-ahead log's segments lie beside it; of each a power cut takes a random part of what it has not
 * synced, in the middle of an entry too, and may bring back some that were removed.
 */
import { assert } from "../base/assert.ts";
import { noBytes } from "../base/bytes.ts";
import type { Rng } from "../base/rng.ts";
import type { DurationUs } from "../base/time.ts";
import { oldestSegmentOf, syncMarkerKey, syncMarkerValue } from "../storage/keys.ts";
import type { StateFileName } from "../storage/state-files.ts";
import { type Entry, nameOf, SortedBytes } from "./sorted-bytes.ts";

/** One batch in the log. */
export interface LoggedBatch {
  readonly entries: readonly Entry[];
  /** It has reached the system: a kill does not lose it. */
  applied: boolean;
}

/** One segment of the write-ahead log. */
export class LogSegment {
  #chunks: Uint8Array[] = [];
  length = 0;
  /** Bytes at the start that are durable. */
  synced = 0;

  append(bytes: Uint8Array): void {
    this.#chunks.push(bytes);
    this.length += bytes.length;
  }

  /** A copy of all its bytes. */
  content(): Uint8Array {
    const bytes = new Uint8Array(this.length);
    let at = 0;
    for (const chunk of this.#chunks) {
      bytes.set(chunk, at);
      at += chunk.length;
    }
    return bytes;
  }

  /** Loses everything from `length` on. */
  cut(length: number): void {
    this.#chunks = [this.content().slice(0, length)];
    this.length = length;
  }
}

/** Everything that a disk held at one time. */
export interface DiskImage {
  readonly files: SortedBytes;
  readonly log: readonly LoggedBatch[];
  readonly segments: ReadonlyMap<number, Uint8Array>;
  readonly stateFiles: ReadonlyMap<StateFileName, Uint8Array>;
}

/** How long the disk takes, in microseconds: uniform between the two. */
export interface SimLatencies {
  readonly readUs: readonly [DurationUs, DurationUs];
  readonly writeUs: readonly [DurationUs, DurationUs];
  readonly syncUs: readonly [DurationUs, DurationUs];
}

/** A fast SSD. */
const defaultLatencies: SimLatencies = { readUs: [20, 200], writeUs: [20, 150], syncUs: [60, 2_000] };

/** What goes wrong while the disk is in use; all off at first. */
export class DiskFaults {
  /** Per thousand reads and scans. */
  readErrors = 0;
  /** Per thousand batches. */
  writeErrors = 0;
  /** Per thousand syncs and state file writes. */
  syncErrors = 0;
  /** What the system says is free. */
  freeBytes: number = Number.MAX_SAFE_INTEGER;
  /** Every latency is multiplied by this. */
  slowness = 1;
}

/** What a call does, as far as its failing goes. */
export type DiskCall = "read" | "write" | "append" | "sync" | "file";

/**
 * How a call fails: nothing is done (EIO, ENOSPC, EROFS), a part is (a short write; only an append has parts), or all
 * of it and the disk says that it is not (an error after the fact, of which nobody can know).
 */
export type DiskFailure = "undone" | "torn" | "done";

/** A failure to come: that of call `at`, and with `onward` of every later one of these kinds. */
export interface PlannedFailure {
  readonly at: number;
  readonly how: DiskFailure;
  readonly onward: readonly DiskCall[];
}

/** The log is moved into files when it holds this many batches; half of them stay. */
const logMax = 512;

/** One disk, with its log and its files. */
export class SimDisk {
  readonly faults: DiskFaults = new DiskFaults();
  readonly latencies: SimLatencies;
  readonly rng: Rng;
  readonly stateFiles: Map<StateFileName, Uint8Array> = new Map();
  /** The write-ahead log, by number. */
  readonly segments: Map<number, LogSegment> = new Map();
  /** Segments whose removal is not durable, by number: a power cut may bring back those that went last. */
  readonly #removed: Map<number, LogSegment> = new Map();
  #files: SortedBytes = new SortedBytes();
  #log: LoggedBatch[] = [];
  /** Batches at the start of the log that are durable. */
  #synced = 0;
  /** Batches that have left the log, ever. */
  #moved = 0;
  /** Calls so far that may fail: reads, writes, syncs, state files; what a sweep counts by. */
  calls = 0;
  /** What is to fail, whatever is drawn. */
  planned: PlannedFailure | null = null;
  /** Told of each call as it begins. */
  onCall: ((call: number, kind: DiskCall) => void) | undefined;
  /** The life of a process that has it open: engine and state files of any other life are dead. */
  life = 0;
  #open = false;

  constructor(rng: Rng, latencies: SimLatencies = defaultLatencies) {
    this.rng = rng;
    this.latencies = latencies;
  }

  /** A new life begins, and with it the last one is over; returns its number. */
  begin(): number {
    this.life += 1;
    this.#open = true;
    return this.life;
  }

  #endLife(): void {
    this.life += 1;
    this.#open = false;
  }

  /** Everything the log and the files hold, as a process sees it that opens them now. */
  contents(): SortedBytes {
    const view = this.#files.copy();
    for (const batch of this.#log) for (const entry of batch.entries) view.apply(entry);
    return view;
  }

  /** A new segment of the write-ahead log. */
  addSegment(number: number): LogSegment {
    assert(!this.segments.has(number), "segments have numbers of their own");
    const segment = new LogSegment();
    this.segments.set(number, segment);
    return segment;
  }

  removeSegment(number: number): void {
    const segment = this.segments.get(number);
    if (segment === undefined) return;
    this.segments.delete(number);
    this.#removed.set(number, segment);
  }

  /** The segments whose removal a sync that starts now makes durable. */
  get removed(): readonly number[] {
    return [...this.#removed.keys()];
  }

  /** Their removal is durable. */
  forgetRemoved(numbers: readonly number[]): void {
    for (const number of numbers) this.#removed.delete(number);
  }

  /** A batch has been handed over; it counts as in flight until `applied`. */
  append(batch: LoggedBatch): void {
    this.#log.push(batch);
    if (this.#log.length < logMax) return;
    let count = 0;
    while (count < logMax / 2 && this.#log[count]?.applied === true) count += 1;
    for (const moved of this.#log.splice(0, count)) for (const entry of moved.entries) this.#files.apply(entry);
    this.#moved += count;
    this.#synced = Math.max(0, this.#synced - count);
  }

  /** A mark in the log behind the last batch that has reached the system: what a sync that starts now covers. */
  writtenMark(): number {
    let count = this.#log.length;
    while (count > 0 && this.#log[count - 1]?.applied === false) count -= 1;
    return this.#moved + count;
  }

  /** Everything before the mark is durable, and the sync marker with it. */
  syncedTo(mark: number, oldestSegment: number): void {
    this.#synced = Math.max(this.#synced, mark - this.#moved);
    const key = syncMarkerKey();
    const name = nameOf(key);
    // Of two syncs that overlap the later one's word stays.
    const told = Math.max(oldestSegment, oldestSegmentOf(this.#files.get(name)?.value ?? noBytes));
    this.#files.apply({ name, key, value: syncMarkerValue(told).slice() });
  }

  /** SIGKILL: what had reached the system stays, and a random part of what was in flight. */
  kill(): void {
    this.#endLife();
    let reached = 0;
    while (this.#log[reached]?.applied === true) reached += 1;
    this.#cut(reached);
  }

  /** Power loss: what was synced stays, and a random prefix of the rest; a torn last batch is no batch. */
  powerCut(): void {
    this.#endLife();
    this.#cut(this.#synced);
    this.#bringBack();
    for (const segment of this.segments.values()) segment.cut(this.rng.between(segment.synced, segment.length));
  }

  /** What was removed last is the first to be back: a file system's journal is cut off at its end. */
  #bringBack(): void {
    const removed = [...this.#removed];
    this.#removed.clear();
    if (removed.length === 0) return;
    for (const [number, segment] of removed.slice(this.rng.between(0, removed.length)))
      this.segments.set(number, segment);
  }

  #cut(kept: number): void {
    const length = this.rng.between(kept, this.#log.length);
    this.#log.length = length;
    for (const batch of this.#log) batch.applied = true;
    this.#synced = Math.min(this.#synced, length);
  }

  /** Takes a run of batches out of the middle of the log; false if the log is too short. No process may be alive. */
  tearHole(): boolean {
    assert(!this.#open, "a hole shows at the next start");
    if (this.#log.length < 3) return false;
    const from = this.rng.between(1, this.#log.length - 2);
    const count = this.rng.between(1, this.#log.length - 1 - from);
    this.#log.splice(from, count);
    this.#synced -= Math.min(count, Math.max(0, this.#synced - from));
    return true;
  }

  /** Flips one bit of one value among the keys of `from` <= key < `to`, at rest; its key, or null if there is none. */
  flipBit(from: string, to: string): Uint8Array | null {
    const entries: Entry[] = [];
    this.contents().walk(from, to, (entry) => entries.push(entry) > 0);
    const entry = entries.length === 0 ? undefined : this.rng.pick(entries);
    if (entry === undefined || entry.value === null || entry.value.length === 0) return null;
    const value = entry.value.slice();
    const bit = this.rng.below(value.length * 8);
    value[bit >>> 3] = (value[bit >>> 3] as number) ^ (1 << (bit & 7));
    entry.value = value;
    return entry.key;
  }

  /** A copy of all that has reached the system. */
  image(): DiskImage {
    const inFlight = this.#log.findIndex((batch) => !batch.applied);
    return {
      files: this.#files.copy(),
      log: inFlight < 0 ? [...this.#log] : this.#log.slice(0, inFlight),
      segments: new Map([...this.segments].map(([number, segment]) => [number, segment.content()])),
      stateFiles: new Map(this.stateFiles),
    };
  }

  /** The disk is one that holds what another one, or this one at an earlier time, held. No process may be alive. */
  putBack(image: DiskImage): void {
    this.wipe();
    this.#files = image.files.copy();
    this.#log = image.log.map(({ entries }) => ({ entries, applied: true }));
    this.#synced = this.#log.length;
    for (const [number, bytes] of image.segments) {
      const segment = this.addSegment(number);
      segment.append(bytes);
      segment.synced = segment.length;
    }
    for (const [name, bytes] of image.stateFiles) this.stateFiles.set(name, bytes);
  }

  /** The disk is replaced by an empty one. No process may be alive. */
  wipe(): void {
    this.loseStore();
    this.stateFiles.clear();
  }

  /** Engine and log are lost, the node's own small files are not. No process may be alive. */
  loseStore(): void {
    assert(!this.#open, "a disk is replaced while its node is down");
    this.#files.clear();
    this.#log = [];
    this.#synced = 0;
    this.segments.clear();
    this.#removed.clear();
  }

  /** A call begins that no drawn fault makes fail; how it fails all the same, or null. */
  begins(kind: DiskCall): DiskFailure | null {
    this.calls += 1;
    this.onCall?.(this.calls, kind);
    if (this.planned === null) return null;
    const { at, how, onward } = this.planned;
    return this.calls === at || (this.calls > at && onward.includes(kind)) ? how : null;
  }

  /** How the call that begins fails, or null: so many of a thousand do, as drawn, and what is planned. */
  fails(perMille: number, kind: DiskCall): DiskFailure | null {
    const drawn = this.rng.chance(perMille);
    return this.begins(kind) ?? (drawn ? "torn" : null);
  }

  /** A latency between the two, times the slowness. */
  delay(between: readonly [DurationUs, DurationUs]): DurationUs {
    return this.rng.between(between[0], between[1]) * this.faults.slowness;
  }
}
