/**
 * LogReplay: at a start, what the write-ahead log holds is brought to the engine, which may have part of it already or
 * something later. Of each key only the newest entry of a segment matters, because every one holds all that its node knew
 * of the key; a segment at a time, so that no more than one is in memory. When all of it is in the engine and synced, the
 * segments can go. A key that was forgotten in a segment and written again has no older record than that.
 *
 * The engine knows the oldest segment that is needed (keys.ts: sync marker). A newest segment that ends early is torn:
 * nothing behind the tear was promised. An older one that has lost its end, a missing one, be it the oldest or the newest,
 * and a damaged record are holes: acknowledged writes may be lost, and the store says so. What is left is replayed all the
 * same. Segments that are not needed are left alone: a power cut may have brought them back.
 */

import { assert } from "../base/assert.ts";
import { equalBytes, noBytes } from "../base/bytes.ts";
import { canary } from "../base/canary.ts";
import { Hash64 } from "../base/hash.ts";
import { mark } from "../base/mark.ts";
import type { Instant } from "../base/time.ts";
import { checkRecord, mergeSealed, versionOfSealed } from "../version/record.ts";
import { causalHashOfSealed } from "../version/sealed-causal-hash.ts";
import { compareVersions } from "../version/version-vector.ts";
import { type Engine, type EngineBatch, lostPrefix } from "./engine.ts";
import { recordKey } from "./keys.ts";
import type { Leaves } from "./leaves.ts";
import { hasLogEnd, type LogEntry, readLogEntries, type WriteAheadLog } from "./write-ahead-log.ts";

/** Keys that are read, merged and written in one step: so many, or such as hold so many bytes, and one at least. */
const pageKeys = 256;
const pageBytes = 1024 * 1024;

/** What a replay found. */
export interface ReplayReport {
  /** Records written to the engine. */
  readonly records: number;
  /** Entries are missing, or a record that should take them cannot be read. */
  readonly hole: boolean;
  /** The number of the newest batch. */
  readonly batchNumber: number;
}

/** How a replay ends: one of the two, once. */
export interface ReplayEffects {
  replayed(now: Instant, report: ReplayReport): void;
  failed(now: Instant, reason: string): void;
}

const hashOfOne = new Hash64();
const hashOfOther = new Hash64();

/**
 * A key's record as its node left it: `logged` is its newest entry in the log, `stored` what the engine holds, which may
 * be earlier or later. Both are states of one replica, so where one covers the other it is the later one.
 */
export function replayed(fullKey: Uint8Array, stored: Uint8Array, logged: Uint8Array): Uint8Array {
  const order = compareVersions(versionOfSealed(logged), versionOfSealed(stored));
  if (order === "after") return logged;
  if (order === "before") return stored;
  causalHashOfSealed(stored, fullKey, hashOfOne);
  causalHashOfSealed(logged, fullKey, hashOfOther);
  if (hashOfOne.high === hashOfOther.high && hashOfOne.low === hashOfOther.low) return logged;
  return mergeSealed(stored, logged);
}

/** Whether the engine's record is the one that the log says was forgotten, or an earlier one; a later one stays. */
export function isForgotten(stored: Uint8Array, forgotten: Uint8Array): boolean {
  const order = compareVersions(versionOfSealed(stored), versionOfSealed(forgotten));
  return order === "equal" || order === "before";
}

/** What a segment says of a key: its newest entry, and the record last forgotten before it or by it, if any was. */
interface KeyEntry {
  readonly entry: LogEntry;
  readonly forgotten: Uint8Array | null;
}

/** One replay. */
export class LogReplay {
  readonly #log: WriteAheadLog;
  readonly #engine: Engine;
  readonly #leaves: Leaves;
  readonly #effects: ReplayEffects;
  #segments: readonly number[] = [];
  /** The oldest that is needed; 0: nobody knows. */
  #oldest = 0;
  /** Segments read so far. */
  #read = 0;
  /** The newest entry of each key in the segment at hand, and how many of them are done. */
  #entries: KeyEntry[] = [];
  #done = 0;
  /** What the engine holds for the keys of the page at hand. */
  #stored: (Uint8Array | null)[] = [];
  #waiting = 0;
  #records = 0;
  #hole = false;
  #batchNumber = 0;

  constructor(log: WriteAheadLog, engine: Engine, leaves: Leaves, effects: ReplayEffects) {
    this.#log = log;
    this.#engine = engine;
    this.#leaves = leaves;
    this.#effects = effects;
  }

  /**
   * Starts; one of the effects follows. `batchNumber`: of the newest batch that the engine has; `oldest`: the oldest
   * segment that it needs, 0 where it is of an earlier version and does not say.
   */
  begin(now: Instant, batchNumber: number, oldest: number): void {
    this.#batchNumber = batchNumber;
    this.#oldest = oldest;
    const found = this.#log.segments();
    this.#segments = found.filter((segment) => segment >= oldest);
    this.#hole = isMissing(found, this.#segments, oldest);
    this.#goOn(now);
  }

  /** Above all that there are, and not below what is needed: the next segment that is begun. */
  get next(): number {
    return Math.max(1, this.#oldest, (this.#log.segments().at(-1) ?? 0) + 1);
  }

  #goOn(now: Instant): void {
    const count = this.#segments.length - (canary("skip-last-segment") ? 1 : 0);
    while (this.#done === this.#entries.length && this.#read < count) {
      const flaw = this.#nextSegment();
      if (flaw === null) continue;
      this.#effects.failed(now, `cannot read the log: ${flaw}`);
      return;
    }
    if (this.#done < this.#entries.length) this.#nextPage();
    else if (this.#segments.length === 0) this.#report(now);
    // Also when the engine held all of it: nothing says that it has synced what it holds, and the segments are about to go.
    else this.#engine.sync(0, this.next);
  }

  #nextSegment(): string | null {
    const segment = this.#segments[this.#read] as number;
    this.#read += 1;
    const bytes = this.#log.read(segment);
    if (typeof bytes === "string") return bytes;
    const newest: Map<string, KeyEntry> = new Map();
    const end = readLogEntries(bytes, (entry) => {
      // An earlier entry of the key is worth more than a damaged one.
      if (checkRecord(entry.sealed) !== null) this.#hole = true;
      else {
        const name = nameOf(entry.fullKey);
        newest.set(name, { entry, forgotten: entry.forgotten ? entry.sealed : (newest.get(name)?.forgotten ?? null) });
      }
    });
    const isNewest = this.#read === this.#segments.length;
    if (end < bytes.length && !isNewest) this.#hole = true;
    if (this.#oldest > 0 && hasLogEnd(bytes) === isNewest) this.#hole = true;
    if (newest.size > 0) mark("store.log-replayed");
    this.#entries = [...newest.values()];
    this.#done = 0;
    return null;
  }

  #nextPage(): void {
    this.#stored = [];
    let bytes = 0;
    for (let i = this.#done; i < this.#entries.length && this.#stored.length < pageKeys && bytes < pageBytes; i += 1) {
      bytes += (this.#entries[i] as KeyEntry).entry.sealed.length;
      this.#stored.push(null);
    }
    const count = this.#stored.length;
    this.#waiting = count;
    for (let i = 0; i < count; i += 1) {
      const { fullKey, hashHigh, hashLow } = (this.#entries[this.#done + i] as KeyEntry).entry;
      this.#engine.get(recordKey(fullKey, hashHigh, hashLow), i);
    }
  }

  onGot(now: Instant, token: number, value: Uint8Array | null, error: string | null): void {
    const lost = error?.startsWith(lostPrefix) === true;
    if (error !== null && !lost) {
      this.#effects.failed(now, `cannot read a record that the log has changed: ${error}`);
      return;
    }
    this.#stored[token] = lost ? noBytes : value;
    this.#waiting -= 1;
    if (this.#waiting === 0) this.#writePage(now);
  }

  #writePage(now: Instant): void {
    const batch = this.#engine.batch();
    for (let i = 0; i < this.#stored.length; i += 1) {
      this.#replay(batch, this.#entries[this.#done + i] as KeyEntry, this.#stored[i] as Uint8Array | null);
    }
    this.#done += this.#stored.length;
    if (batch.bytes === 0) {
      this.#goOn(now);
      return;
    }
    this.#batchNumber += 1;
    this.#leaves.log(batch, this.#batchNumber);
    this.#engine.write(batch, this.#batchNumber);
  }

  /** Gives the engine the record as the log has it, and the leaf what follows; nothing, if it must not be touched. */
  #replay(batch: EngineBatch, { entry, forgotten }: KeyEntry, stored: Uint8Array | null): void {
    if (stored !== null && checkRecord(stored) !== null) {
      this.#hole = true;
      // The log has all of the key that this node had acknowledged: better than what nobody can read.
      if (!entry.forgotten) this.#replay(batch, { entry, forgotten }, null);
      return;
    }
    const goes = stored !== null && forgotten !== null && isForgotten(stored, forgotten);
    const base = goes || canary("replay-overwrites") ? null : stored;
    const next = entry.forgotten ? base : base === null ? entry.sealed : replayed(entry.fullKey, base, entry.sealed);
    if (next === stored || (next !== null && stored !== null && equalBytes(stored, next))) return;
    const before = new Hash64();
    const after = new Hash64();
    if (stored !== null) causalHashOfSealed(stored, entry.fullKey, before);
    if (next !== null) causalHashOfSealed(next, entry.fullKey, after);
    const deltaHigh = before.high ^ after.high;
    this.#leaves.apply(entry.n, entry.partition, entry.hashHigh, deltaHigh, before.low ^ after.low);
    const key = recordKey(entry.fullKey, entry.hashHigh, entry.hashLow);
    if (next === null) batch.del(key);
    else batch.put(key, next);
    this.#records += 1;
  }

  onWritten(now: Instant, error: string | null): void {
    if (error !== null) this.#effects.failed(now, `cannot write what the log has changed: ${error}`);
    else this.#goOn(now);
  }

  onSynced(now: Instant, error: string | null): void {
    assert(this.#done === this.#entries.length, "a replay syncs at its end");
    if (error !== null) this.#effects.failed(now, `cannot sync what the log has changed: ${error}`);
    else this.#report(now);
  }

  #report(now: Instant): void {
    this.#entries = [];
    this.#effects.replayed(now, { records: this.#records, hole: this.#hole, batchNumber: this.#batchNumber });
  }
}

/** Whether a segment of those that are needed is missing, as far as numbers tell. */
function isMissing(found: readonly number[], needed: readonly number[], oldest: number): boolean {
  const [first] = needed;
  // A start, or a clean stop, that ended between its last sync and the removal of what that made needless.
  if (first === undefined) return found.length > 0 && found.at(-1) !== oldest - 1;
  if (oldest > 0 && first !== oldest) return true;
  return needed.some((segment, i) => segment !== first + i);
}

/** A key's bytes as a string of their values. */
function nameOf(bytes: Uint8Array): string {
  let name = "";
  for (const byte of bytes) name += String.fromCharCode(byte);
  return name;
}
