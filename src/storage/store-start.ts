/**
 * StoreStart: the boot scan. It checks the format stamp (or makes a new store), reads the batch numbers and tells
 * whether they form one gapless run, loads the Merkle leaves, first their own keys and then the batches' log, and
 * counts the hints.
 *
 * A torn log tail leaves a gapless run of batch numbers; a hole does not: the newest 65,536 numbers
 * must all be in their slots.
 */
import { assert } from "../base/assert.ts";
import type { Instant } from "../base/time.ts";
import { damagedStoreText, type Engine, lostPrefix, type Page } from "./engine.ts";
import type { HintTable } from "./hint-table.ts";
import type { KeyRange } from "./keys.ts";
import {
  batchSlots,
  formatKey,
  hintEntryOf,
  KeyKind,
  keyAfter,
  kindRange,
  leafOfKey,
  oldestSegmentOf,
  slotOfKey,
  u64Bytes,
  u64High,
  u64Low,
} from "./keys.ts";
import { isLogEntry, type Leaves } from "./leaves.ts";
import { LogReplay } from "./log-replay.ts";
import type { StartReport } from "./store-events.ts";
import type { WriteAheadLog } from "./write-ahead-log.ts";

/** The format this code writes: every disk key and value of keys.ts, and the sealed record. */
const storeFormat = 1;

const pageKeys = 4096;
const pageBytes = 1024 * 1024;
/** More than the format stamp and the sync marker take. */
const firstBytes = 1024;

/** How the boot scan ends: one of the two, once. */
export interface StartEffects {
  started(now: Instant, report: StartReport): void;
  failed(now: Instant, reason: string): void;
}

type Step = "stamp" | "create" | "sync" | "numbers" | "leaves" | "replay" | "hints" | "done";

/** One boot scan. */
export class StoreStart {
  readonly #engine: Engine;
  readonly #leaves: Leaves;
  readonly #logged: boolean;
  readonly #partitions: number;
  readonly #effects: StartEffects;
  #step: Step = "stamp";
  #created = false;
  #numbers = 0;
  #lowest = Number.MAX_SAFE_INTEGER;
  #newest = 0;
  #misplaced = false;
  #numbersHole = false;
  #logHole = false;
  /** The oldest segment of the log that the engine needs; 0: it does not say. */
  #oldestSegment = 0;
  readonly #replay: LogReplay | undefined;
  #log: { readonly number: number; readonly value: Uint8Array }[] = [];
  readonly #hints: HintTable;

  constructor(
    engine: Engine,
    log: WriteAheadLog | undefined,
    leaves: Leaves,
    hints: HintTable,
    partitions: number,
    effects: StartEffects,
  ) {
    this.#engine = engine;
    this.#leaves = leaves;
    this.#hints = hints;
    this.#partitions = partitions;
    this.#effects = effects;
    this.#logged = log !== undefined && log.segments().length > 0;
    if (log === undefined) return;
    this.#replay = new LogReplay(log, engine, leaves, {
      replayed: (_now, report) => {
        this.#newest = report.batchNumber;
        this.#logHole = report.hole || (this.#created && report.records > 0);
        this.#scanHints();
      },
      failed: (now, reason) => this.#fail(now, reason),
    });
  }

  /** The first segment of the log in this life, once `started` has been told. */
  get nextSegment(): number {
    return this.#replay?.next ?? 0;
  }

  /** Starts the scan; `started` or `failed` follows. */
  begin(): void {
    this.#engine.scan({ from: new Uint8Array([0]), to: new Uint8Array([0xff]), keysMax: 2, bytesMax: firstBytes }, 0);
  }

  #scan(range: KeyRange): void {
    this.#engine.scan({ from: range.from, to: range.to, keysMax: pageKeys, bytesMax: pageBytes }, 0);
  }

  onGot(now: Instant, id: number, value: Uint8Array | null, error: string | null): void {
    assert(this.#step === "replay", "only a replay reads records");
    this.#replay?.onGot(now, id, value, error);
  }

  onWritten(now: Instant, error: string | null): void {
    if (this.#step === "replay") {
      this.#replay?.onWritten(now, error);
      return;
    }
    assert(this.#step === "create", "the boot scan writes the stamp only");
    if (error !== null) {
      this.#fail(now, `cannot write the format stamp: ${error}`);
      return;
    }
    this.#step = "sync";
    this.#engine.sync(0, this.#oldestSegment);
  }

  onSynced(now: Instant, error: string | null): void {
    if (this.#step === "replay") {
      this.#replay?.onSynced(now, error);
      return;
    }
    assert(this.#step === "sync", "the boot scan syncs the stamp only");
    if (error !== null) this.#fail(now, `cannot sync the format stamp: ${error}`);
    else if (this.#replay === undefined) this.#finish(now);
    else this.#beginReplay(now);
  }

  onScanned(now: Instant, page: Page | null, error: string | null): void {
    if (page === null) {
      const lost = error?.startsWith(lostPrefix) === true;
      this.#fail(now, lost ? damagedStoreText(error) : `cannot read the store: ${error ?? "no reason given"}`);
      return;
    }
    switch (this.#step) {
      case "stamp":
        this.#onStamp(now, page);
        return;
      case "numbers":
        this.#onNumbers(page);
        this.#goOn(page, KeyKind.batchNumber, "leaves", KeyKind.leaf);
        return;
      case "leaves":
        this.#onLeaves(page);
        if (page.done) this.#onAllLeaves(now);
        else this.#nextPage(page, KeyKind.leaf);
        return;
      case "hints":
        this.#onHints(page);
        if (page.done) this.#finish(now);
        else this.#nextPage(page, KeyKind.hintList);
        return;
      default:
        assert(false, "the boot scan asked for no page");
    }
  }

  #nextPage(page: Page, kind: number): void {
    const last = page.keys[page.keys.length - 1];
    assert(last !== undefined, "a page that is not the last holds a key");
    this.#scan({ from: keyAfter(last), to: kindRange(kind).to });
  }

  #goOn(page: Page, kind: number, nextStep: Step, nextKind: number): void {
    if (!page.done) {
      this.#nextPage(page, kind);
      return;
    }
    this.#step = nextStep;
    this.#scan(kindRange(nextKind));
  }

  #onStamp(now: Instant, page: Page): void {
    const key = page.keys[0];
    const stamp = page.values[0];
    if (key === undefined || stamp === undefined) {
      this.#create();
      return;
    }
    if (key.length !== 1 || key[0] !== KeyKind.format || stamp.length !== 8) {
      this.#fail(now, "the store has no format stamp: it is not Ringtail's, or it is damaged");
      return;
    }
    if (page.keys[1]?.[0] === KeyKind.syncMarker) this.#oldestSegment = oldestSegmentOf(page.values[1] as Uint8Array);
    const format = u64High(stamp);
    const partitions = u64Low(stamp);
    if (format !== storeFormat) {
      this.#fail(now, `the store has format ${format}; this version of Ringtail reads format ${storeFormat} only`);
    } else if (partitions !== this.#partitions) {
      this.#fail(now, `the store was made for ${partitions} partitions, but the ring has ${this.#partitions}`);
    } else {
      this.#step = "numbers";
      this.#scan(kindRange(KeyKind.batchNumber));
    }
  }

  #create(): void {
    this.#created = true;
    this.#oldestSegment = 1;
    this.#step = "create";
    const batch = this.#engine.batch();
    batch.put(formatKey(), u64Bytes(storeFormat, this.#partitions));
    this.#engine.write(batch, 0);
  }

  #onNumbers(page: Page): void {
    for (let i = 0; i < page.keys.length; i += 1) {
      const value = page.values[i] as Uint8Array;
      const number = value.length >= 8 ? u64High(value) * 0x1_0000_0000 + u64Low(value) : 0;
      if (
        !isLogEntry(value) ||
        !Number.isSafeInteger(number) ||
        number % batchSlots !== slotOfKey(page.keys[i] as Uint8Array)
      ) {
        this.#misplaced = true;
        continue;
      }
      this.#log.push({ number, value });
      this.#numbers += 1;
      this.#lowest = Math.min(this.#lowest, number);
      this.#newest = Math.max(this.#newest, number);
    }
  }

  #onLeaves(page: Page): void {
    for (let i = 0; i < page.keys.length; i += 1) {
      const { n, partition, leaf } = leafOfKey(page.keys[i] as Uint8Array);
      const value = page.values[i] as Uint8Array;
      this.#leaves.load(n, partition, leaf, u64High(value), u64Low(value));
    }
  }

  #onAllLeaves(now: Instant): void {
    this.#applyLog();
    this.#numbersHole = this.#hole();
    if (this.#replay === undefined) this.#scanHints();
    else this.#beginReplay(now);
  }

  /** A log beside an engine that has just been made is what is left of one that is gone: what it holds is kept, and more is missing. */
  #beginReplay(now: Instant): void {
    this.#step = "replay";
    this.#replay?.begin(now, this.#newest, this.#oldestSegment);
  }

  #scanHints(): void {
    this.#step = "hints";
    this.#scan(kindRange(KeyKind.hintList));
  }

  /** Slots are in the order of a lap, the log is in the order of time. */
  #applyLog(): void {
    this.#log.sort((a, b) => a.number - b.number);
    for (const { number, value } of this.#log) this.#leaves.loadLog(number, value);
    this.#log = [];
  }

  #onHints(page: Page): void {
    for (let i = 0; i < page.keys.length; i += 1) {
      this.#hints.load(hintEntryOf(page.keys[i] as Uint8Array, page.values[i] as Uint8Array));
    }
  }

  /** Slots are distinct, so as many numbers as there should be, within one lap, are one gapless run. */
  #hole(): boolean {
    if (this.#misplaced || this.#numbers !== Math.min(this.#newest, batchSlots)) return true;
    return this.#newest > 0 && this.#newest - this.#lowest >= batchSlots;
  }

  #finish(now: Instant): void {
    this.#step = "done";
    this.#effects.started(now, {
      created: this.#created,
      hole: this.#numbersHole || this.#logHole,
      batchNumber: this.#newest,
      logged: this.#logged,
      leaves: this.#leaves.held,
      hints: this.#hints.total,
    });
  }

  #fail(now: Instant, reason: string): void {
    this.#step = "done";
    this.#effects.failed(now, reason);
  }
}
