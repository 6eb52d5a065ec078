/**
 * Scrub: whether the live Merkle trees say what is stored, one partition at a time. It finds what no comparison of trees
 * can: a leaf that lies, and a record that cannot be read. After a hole in the log it is what makes the trees true again
 * before they are compared.
 *
 * The partition is read once, and its sums held against the live leaves. Writes go on meanwhile, so a leaf that does not
 * fit is only a suspect, and is proven by itself: all batches that the live leaf knows of have been written, the leaf's
 * records are read, and the leaf has not changed since. (A write that came between has changed it, for a causal hash
 * never comes back.) A suspect that changed is looked at again. So the old tree stays in use all the time, and a leaf
 * changes only on proof.
 *
 * Every page costs a credit from outside; whoever grants them makes this the last of the node's concerns.
 */
import { assert } from "../base/assert.ts";
import { Hash64, hashKey } from "../base/hash.ts";
import { mark } from "../base/mark.ts";
import type { DurationUs, Instant } from "../base/time.ts";
import { after, instant, never } from "../base/time.ts";
import { leafOfHash, leavesPerTree, partitionBitsOf } from "../storage/keys.ts";
import type { RecordPage } from "../storage/store-events.ts";
import { hashOfRecord } from "./held-record.ts";
import type { TreeOf } from "./leaf-list.ts";
import type { LeafSource } from "./merkle-tree.ts";
import { noLeaves } from "./merkle-tree.ts";

/** How often a suspect may have changed under the eyes of a routine scrub before it is left to the next one. */
const attemptsMax = 16;
/** How often a wait for a batch is looked at. */
const pollUs = 5_000;
const creditsMax = 1024;
const nMax = 255;

/** A leaf that was proven wrong. */
export interface WrongLeaf {
  readonly n: number;
  readonly partition: number;
  readonly leaf: number;
  /** The live leaf XOR what its records add up to: the leaf must change by it. */
  readonly deltaHigh: number;
  readonly deltaLow: number;
  /** Somebody knew that it might be wrong: `rebuildLeaf`. */
  readonly expected: boolean;
}

/** The end of a partition's scrub. */
export interface ScrubResult {
  readonly partition: number;
  /** Every leaf was found right, or was corrected: the trees of the partition are true. */
  readonly complete: boolean;
  /** Why it was given up, or null. */
  readonly error: string | null;
  readonly records: number;
  readonly unreadable: number;
  readonly leavesChecked: number;
  readonly leavesCorrected: number;
}

/** What a scrub asks of the node around it. */
export interface ScrubEffects {
  /** Reads a page of records (`Store.scanRecords`), of one leaf, or with `leaf` -1 of the whole partition; `onScanned` follows, never inside the call. */
  scan(now: Instant, id: number, partition: number, leaf: number, cursor: Uint8Array | null): void;
  /** A leaf is wrong: change it, at once, before anything else is written (`Store.leaves.correct`), and report it. */
  correct(now: Instant, wrong: WrongLeaf): void;
  /** A record cannot be read: fetch it from the other owners. From here on the leaf does not count it. */
  unreadable(now: Instant, partition: number, fullKey: Uint8Array): void;
  /** A partition, or the leaves of it that were asked for, is through. */
  scrubbed(now: Instant, result: ScrubResult): void;
}

/** What a scrub knows of the store's batches (`Store` has both). */
export interface Batches {
  /** The newest batch that the leaves know of. */
  readonly batchNumber: number;
  /** The newest batch that a scan finds. */
  readonly writtenBatch: number;
}

/** What a `Scrub` is built from. */
export interface ScrubOptions {
  readonly effects: ScrubEffects;
  /** The store's leaves. */
  readonly leaves: LeafSource;
  readonly batches: Batches;
  readonly treeOf: TreeOf;
  /** Q. */
  readonly partitions: number;
  /** A partition is read again when its last scrub is so long ago; default a week. Shorter: finds damage sooner, reads more. */
  readonly roundUs?: DurationUs;
}

/** Counted over the life of one `Scrub`. */
export class ScrubCounters {
  partitions = 0;
  records = 0;
  unreadable = 0;
  leavesCorrected = 0;
  /** Suspects that had changed while they were read. */
  leavesChanged = 0;
}

interface Suspect {
  readonly leaf: number;
  attempts: number;
}

class Job {
  readonly partition: number;
  /** The trees must come out true: suspects are looked at until they hold still. */
  readonly rebuild: boolean;
  /** Sums of the partition's records by N; null: not, or no longer, to be added up. */
  sums: Map<number, Uint32Array> | null = null;
  /** Not one leaf of it alone. */
  readonly whole: boolean;
  suspects: Suspect[] = [];
  error: string | null = null;
  records = 0;
  unreadable = 0;
  checked = 0;
  corrected = 0;
  unproven = 0;

  /** `leaf` -1: the whole partition. */
  constructor(partition: number, rebuild: boolean, leaf: number) {
    this.partition = partition;
    this.rebuild = rebuild;
    this.whole = leaf < 0;
    if (this.whole) this.sums = new Map();
    else this.suspects.push({ leaf, attempts: 0 });
  }
}

/** The proof of one suspect: the live leaf when it began, and what its records add up to so far; pairs of words by N. */
class Proof {
  readonly suspect: Suspect;
  readonly live: Uint32Array;
  readonly sums: Uint32Array = new Uint32Array(2 * (nMax + 1));
  readonly batch: number;

  constructor(suspect: Suspect, live: Uint32Array, batch: number) {
    this.suspect = suspect;
    this.live = live;
    this.batch = batch;
  }
}

/** One partition at a time. */
export class Scrub {
  readonly counters: ScrubCounters = new ScrubCounters();
  readonly #options: ScrubOptions;
  readonly #effects: ScrubEffects;
  readonly #bits: number;
  readonly #roundUs: DurationUs;
  readonly #hash: Hash64 = new Hash64();
  /** When each partition that is scrubbed in turn was through, least recently first. */
  #due: Map<number, Instant> = new Map();
  /**
   * Brings them to the front one by one, and sees those that go to the end meanwhile. A search from the start of the map
   * would pass the empty places of all that have gone there.
   */
  #line: MapIterator<[number, Instant]> = this.#due.entries();
  /** The first of them, which every settling of the node asks for; -1: there is none. */
  #first = -1;
  #firstAt: Instant = never;
  /** Asked for, to be done first. */
  #wanted: Job[] = [];
  #job: Job | null = null;
  #proof: Proof | null = null;
  #cursor: Uint8Array | null = null;
  #credits = 0;
  /** The scan in flight, or -1. */
  #awaited = -1;
  #ids = 0;
  #seen: Instant = instant(0);
  #inside = false;

  constructor(options: ScrubOptions) {
    this.#options = options;
    this.#effects = options.effects;
    this.#bits = partitionBitsOf(options.partitions);
    this.#roundUs = options.roundUs ?? 604_800_000_000;
  }

  /** It could go on and has no credit. */
  get starved(): boolean {
    if (this.#awaited >= 0 || this.#credits > 0) return false;
    return this.#job !== null || this.#wanted.length > 0 || this.#dueNow() !== null;
  }

  /** The partitions that this node holds and scrubs in turn: not those in transfer. Forgets the others. */
  update(now: Instant, partitions: readonly number[]): void {
    this.#enter();
    this.#hold(new Set(partitions));
    const job = this.#job;
    if (job !== null && !job.rebuild && !this.#due.has(job.partition)) this.#forget();
    this.#leave(now);
  }

  /** What is new comes first: it was never scrubbed. What stays keeps its place. */
  #hold(partitions: ReadonlySet<number>): void {
    const before = this.#due;
    const fresh = [...partitions].filter((p) => !before.has(p));
    if (fresh.length === 0 && partitions.size === before.size) return;
    this.#due = new Map();
    for (const p of fresh) this.#due.set(p, instant(-1));
    for (const [p, at] of before) if (partitions.has(p)) this.#due.set(p, at);
    this.#line = this.#due.entries();
    this.#nextFirst();
  }

  /** Makes the trees of these partitions true, before any other: `scrubbed` says when each is. */
  rebuild(now: Instant, partitions: readonly number[]): void {
    this.#enter();
    for (const partition of partitions) this.#wanted.push(new Job(partition, true, -1));
    this.#leave(now);
  }

  /** Makes one leaf true: after a record that could not be read was overwritten. */
  rebuildLeaf(now: Instant, partition: number, leaf: number): void {
    assert(leaf >= 0 && leaf < leavesPerTree, "leaf index out of range");
    this.#enter();
    this.#wanted.push(new Job(partition, true, leaf));
    this.#leave(now);
  }

  /** Pays for `count` pages. */
  grant(now: Instant, count: number): void {
    this.#enter();
    this.#credits = Math.min(creditsMax, this.#credits + count);
    this.#leave(now);
  }

  tick(now: Instant): void {
    this.#enter();
    this.#leave(now);
  }

  /** When `tick` is due. */
  nextTick(): Instant {
    if (this.#awaited >= 0) return never;
    if (this.#job !== null) return this.#proof === null ? never : after(this.#seen, pollUs);
    return this.#first < 0 || this.#firstAt < 0 ? never : after(this.#firstAt, this.#roundUs);
  }

  /** The page of a scan, or why it cannot be read. */
  onScanned(now: Instant, id: number, page: RecordPage | null, error: string | null): void {
    this.#enter();
    if (id === this.#awaited) {
      this.#awaited = -1;
      const job = this.#job as Job;
      if (page === null || error !== null) {
        job.error = error ?? "a page cannot be read";
        this.#end(now, job);
      } else this.#onPage(now, job, page);
    }
    this.#leave(now);
  }

  #enter(): void {
    assert(!this.#inside, "an effect must not call the scrub");
    this.#inside = true;
  }

  #leave(now: Instant): void {
    this.#seen = now;
    while (this.#awaited < 0 && this.#credits > 0 && this.#step(now));
    this.#inside = false;
  }

  #step(now: Instant): boolean {
    const job = this.#job ?? this.#next();
    if (job === null) return false;
    this.#job = job;
    if (job.sums !== null) return this.#scan(now, job, -1);
    const proof = this.#proof ?? this.#beginProof(job);
    if (this.#options.batches.writtenBatch < proof.batch) return false;
    return this.#scan(now, job, proof.suspect.leaf);
  }

  #next(): Job | null {
    const wanted = this.#wanted.shift();
    if (wanted !== undefined) return wanted;
    const partition = this.#dueNow();
    return partition === null ? null : new Job(partition, false, -1);
  }

  #dueNow(): number | null {
    if (this.#first < 0) return null;
    return this.#firstAt < 0 || after(this.#firstAt, this.#roundUs) <= this.#seen ? this.#first : null;
  }

  #nextFirst(): void {
    const [first, at] = this.#line.next().value ?? [-1, never];
    this.#first = first;
    this.#firstAt = at;
  }

  #scan(now: Instant, job: Job, leaf: number): boolean {
    this.#credits -= 1;
    this.#ids += 1;
    this.#awaited = this.#ids;
    this.#effects.scan(now, this.#ids, job.partition, leaf, this.#cursor);
    return false;
  }

  #onPage(now: Instant, job: Job, page: RecordPage): void {
    this.#cursor = page.cursor;
    const proof = this.#proof;
    if (proof === null) this.#sumPage(now, job, page);
    else this.#provePage(now, job, proof, page);
    if (page.cursor !== null) return;
    if (proof === null) this.#suspect(job);
    else this.#judge(now, job, proof);
    if (this.#proof === null && job.suspects.length === 0) this.#end(now, job);
  }

  #sumPage(now: Instant, job: Job, page: RecordPage): void {
    const sums = job.sums as Map<number, Uint32Array>;
    job.records += page.fullKeys.length;
    for (const fullKey of page.unreadable) this.#report(now, job, fullKey);
    for (let i = 0; i < page.fullKeys.length; i += 1) {
      const fullKey = page.fullKeys[i] as Uint8Array;
      const n = this.#options.treeOf(fullKey);
      let words = sums.get(n);
      if (words === undefined) {
        words = new Uint32Array(2 * leavesPerTree);
        sums.set(n, words);
      }
      hashKey(fullKey, this.#hash);
      const leaf = leafOfHash(this.#hash.high, this.#bits);
      if (!this.#add(words, leaf, page.records[i] as Uint8Array, fullKey)) this.#report(now, job, fullKey);
    }
  }

  #report(now: Instant, job: Job, fullKey: Uint8Array): void {
    mark("scrub.unreadable");
    job.unreadable += 1;
    this.#effects.unreadable(now, job.partition, fullKey);
  }

  /** Adds a record to pair `at`; false: its bytes are no record. */
  #add(words: Uint32Array, at: number, sealed: Uint8Array, fullKey: Uint8Array): boolean {
    const hash = hashOfRecord(sealed, fullKey);
    if (hash === null) return false;
    words[2 * at] = (words[2 * at] as number) ^ hash.high;
    words[2 * at + 1] = (words[2 * at + 1] as number) ^ hash.low;
    return true;
  }

  /** Leaves whose sums are not what the live trees say. */
  #suspect(job: Job): void {
    const sums = job.sums as Map<number, Uint32Array>;
    let wrong: Uint8Array | null = null;
    for (let n = 1; n <= nMax; n += 1) {
      const live = this.#options.leaves.wordsOf(n, job.partition) ?? noLeaves;
      const sum = sums.get(n) ?? noLeaves;
      if (live === sum) continue;
      for (let at = 0; at < live.length; at += 1) {
        if (live[at] === sum[at]) continue;
        wrong ??= new Uint8Array(leavesPerTree);
        wrong[at >>> 1] = 1;
      }
    }
    job.checked += leavesPerTree;
    job.sums = null;
    if (wrong === null) return;
    for (let leaf = 0; leaf < leavesPerTree; leaf += 1) if (wrong[leaf] === 1) job.suspects.push({ leaf, attempts: 0 });
  }

  #live(partition: number, leaf: number): Uint32Array {
    const words = new Uint32Array(2 * (nMax + 1));
    for (let n = 1; n <= nMax; n += 1) {
      const live = this.#options.leaves.wordsOf(n, partition);
      if (live === undefined) continue;
      words[2 * n] = live[2 * leaf] as number;
      words[2 * n + 1] = live[2 * leaf + 1] as number;
    }
    return words;
  }

  #beginProof(job: Job): Proof {
    const suspect = job.suspects.shift() as Suspect;
    const live = this.#live(job.partition, suspect.leaf);
    this.#proof = new Proof(suspect, live, this.#options.batches.batchNumber);
    this.#cursor = null;
    return this.#proof;
  }

  #provePage(now: Instant, job: Job, { sums }: Proof, page: RecordPage): void {
    // Those of a whole partition have been reported with its sums.
    if (!job.whole) for (const fullKey of page.unreadable) this.#report(now, job, fullKey);
    for (let i = 0; i < page.fullKeys.length; i += 1) {
      const fullKey = page.fullKeys[i] as Uint8Array;
      this.#add(sums, this.#options.treeOf(fullKey), page.records[i] as Uint8Array, fullKey);
    }
  }

  /** The suspect's records are read: it is right, wrong, or has changed meanwhile. */
  #judge(now: Instant, job: Job, { suspect, live, sums }: Proof): void {
    this.#proof = null;
    const { partition } = job;
    const current = this.#live(partition, suspect.leaf);
    for (let at = 0; at < live.length; at += 1) {
      if (current[at] === live[at]) continue;
      mark("scrub.leaf-changed");
      this.counters.leavesChanged += 1;
      suspect.attempts += 1;
      if (job.rebuild || suspect.attempts < attemptsMax) job.suspects.push(suspect);
      else job.unproven += 1;
      return;
    }
    let wrong = false;
    for (let n = 1; n <= nMax; n += 1) {
      const deltaHigh = ((live[2 * n] as number) ^ (sums[2 * n] as number)) >>> 0;
      const deltaLow = ((live[2 * n + 1] as number) ^ (sums[2 * n + 1] as number)) >>> 0;
      if ((deltaHigh | deltaLow) === 0) continue;
      mark("scrub.leaf-wrong");
      wrong = true;
      this.#effects.correct(now, { n, partition, leaf: suspect.leaf, deltaHigh, deltaLow, expected: !job.whole });
    }
    if (!wrong) return;
    job.corrected += 1;
    this.counters.leavesCorrected += 1;
  }

  /** Leaves the partition in work, and the page on its way. */
  #forget(): void {
    this.#job = null;
    this.#proof = null;
    this.#cursor = null;
    this.#awaited = -1;
  }

  #end(now: Instant, job: Job): void {
    this.#forget();
    const { partition, error, records, unreadable, checked, corrected } = job;
    this.counters.partitions += 1;
    this.counters.records += records;
    this.counters.unreadable += unreadable;
    // To the end of the line, whatever came of it: a partition that cannot be read must not hold up the others.
    if (job.whole && this.#due.delete(partition)) {
      this.#due.set(partition, now);
      if (partition === this.#first) this.#nextFirst();
    }
    const complete = error === null && job.unproven === 0;
    const result = { partition, complete, error, records, unreadable };
    this.#effects.scrubbed(now, { ...result, leavesChecked: checked, leavesCorrected: corrected });
  }
}
