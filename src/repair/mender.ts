/**
 * Mender: stored records whose checksum fails are fetched from the other owners and written anew.
 *
 * A damaged record is never "not found": until it is mended, who asks for it gets an error, and the other owners make up
 * the quorum. So that nothing acknowledged is forgotten by being mended, *every* other owner must have answered, with its
 * record, with "none", or that its own copy is damaged too: what they hold together takes the place of what was here. If
 * one does not answer, or none has the key, the record stays as it is, reported, and is tried again, ever more seldom. A
 * dead owner whom the operator has given up is not asked: its removal ends when trees are equal, after the mending.
 *
 * A damaged hint is a copy that is lost: what the owners hold, but for its target, takes its place and goes home like any
 * other hint. If they hold nothing, what it held may be kept by other fallbacks; here it is lost, told, and deleted.
 *
 * A few records at a time, each paid for with a credit; no more are kept than `jobsMax`: what is left out is found again,
 * by its next reader or by the scrub. What the record's leaf counted is unknown: whoever is told `mended` makes it true.
 */
import { assert } from "../base/assert.ts";
import { canary } from "../base/canary.ts";
import { Hash64, hashKey } from "../base/hash.ts";
import type { NodeNumber } from "../base/ids.ts";
import { mark } from "../base/mark.ts";
import type { DurationUs, Instant } from "../base/time.ts";
import { after, never } from "../base/time.ts";
import { checkRecord, mergeSealed } from "../version/record.ts";
import { hashOfRecord } from "./held-record.ts";

/** Damaged records that are kept in mind. */
const jobsMax = 4096;
/** Those that are being mended. */
const activeMax = 8;
const creditsMax = 64;
const answerTimeoutUs: DurationUs = 10_000_000;
const retryLeastUs: DurationUs = 1_000_000;
const retryMostUs: DurationUs = 60_000_000;

/** What mending asks of the node around it. Each `id` is answered later, never inside the call. */
export interface MendEffects {
  /** Reads the own record, or what is kept for `target` where that is not 0; `onRecord` follows. */
  readRecord(now: Instant, id: number, fullKey: Uint8Array, target: number): void;
  /** Whose word is needed, the other owners'; null: this node holds it no more. */
  othersOf(fullKey: Uint8Array, target: number): readonly NodeNumber[] | null;
  /** Asks another owner for its record; `onFetched` follows. */
  fetch(now: Instant, id: number, peer: NodeNumber, fullKey: Uint8Array): void;
  /**
   * Writes the record, synced, over one that cannot be read (`ReplicaOp.mends`); null: deletes the damaged hint.
   * `onWritten` follows. Bytes are borrowed.
   */
  overwrite(now: Instant, id: number, fullKey: Uint8Array, target: number, sealed: Uint8Array | null): void;
  /** The record can be read again: its leaf is to be made true. `lost`: it was a hint, and nothing took its place. */
  mended(now: Instant, fullKey: Uint8Array, target: number, lost: boolean): void;
  /** It cannot be mended now; told at the first attempt. */
  stays(now: Instant, fullKey: Uint8Array, why: string): void;
}

/** Counted over the life of one `Mender`. */
export class MendCounters {
  found = 0;
  mended = 0;
  /** Of these, hints whose record no owner has. */
  lost = 0;
  /** Attempts that came to nothing. */
  failed = 0;
  /** Found while too many were kept in mind. */
  leftOut = 0;
}

class Job {
  readonly name: string;
  readonly fullKey: Uint8Array;
  /** For whom the record is kept; 0: it is the own one. */
  readonly target: number;
  failures = 0;
  dueAt: Instant;
  /** The id of the attempt under way; 0: none. */
  attempt = 0;
  /** Owners that have not answered yet. */
  open = 0;
  merged: Uint8Array | null = null;

  constructor(name: string, fullKey: Uint8Array, target: number, dueAt: Instant) {
    this.name = name;
    this.fullKey = fullKey;
    this.target = target;
    this.dueAt = dueAt;
  }
}

/** One per node. */
export class Mender {
  readonly counters: MendCounters = new MendCounters();
  readonly #effects: MendEffects;
  /** By the hash of the key and the target. */
  readonly #jobs: Map<string, Job> = new Map();
  /** By attempt. */
  readonly #active: Map<number, Job> = new Map();
  readonly #hash: Hash64 = new Hash64();
  #ids = 0;
  #credits = activeMax;
  /** When a job is due, or an attempt has lasted too long. */
  #nextAt: Instant = never;
  #inside = false;

  constructor(effects: MendEffects) {
    this.#effects = effects;
  }

  /** Damaged records that are known and not mended yet. */
  get size(): number {
    return this.#jobs.size;
  }

  /** It could go on and has no credit. */
  get starved(): boolean {
    return this.#credits === 0 && this.#jobs.size > this.#active.size;
  }

  /** A record was found damaged; whether that is news. Copies the key. Only enqueues: no effect is called. */
  found(now: Instant, fullKey: Uint8Array, target: number): boolean {
    hashKey(fullKey, this.#hash);
    const name = `${this.#hash.high}/${this.#hash.low}/${target}`;
    if (this.#jobs.has(name) || canary("skip-mending")) return false;
    if (this.#jobs.size >= jobsMax) {
      mark("mender.full");
      this.counters.leftOut += 1;
      return false;
    }
    this.counters.found += 1;
    this.#jobs.set(name, new Job(name, fullKey.slice(), target, now));
    this.#nextAt = now;
    return true;
  }

  /** Somebody answers again: what has failed is tried at once. */
  onPeerUp(now: Instant): void {
    for (const job of this.#jobs.values()) if (job.attempt === 0) job.dueAt = now;
    if (this.#jobs.size > 0) this.#nextAt = now;
  }

  /** Pays for `count` attempts. */
  grant(now: Instant, count: number): void {
    this.#credits = Math.min(creditsMax, this.#credits + count);
    this.tick(now);
  }

  /** Gives up attempts that have lasted too long and begins those that are due. */
  tick(now: Instant): void {
    this.#enter();
    for (const job of [...this.#active.values()]) if (job.dueAt <= now) this.#fail(now, job, "no answer in time");
    this.#nextAt = never;
    for (const job of this.#jobs.values()) {
      if (job.attempt === 0 && job.dueAt <= now && this.#active.size < activeMax && this.#credits > 0) {
        this.#begin(now, job);
      }
      const waits = job.attempt === 0 && job.dueAt <= now;
      if (!waits && job.dueAt < this.#nextAt) this.#nextAt = job.dueAt;
    }
    this.#inside = false;
  }

  /** When `tick` is due by itself. */
  nextTick(): Instant {
    return this.#nextAt;
  }

  #enter(): void {
    assert(!this.#inside, "an effect must not call the mender");
    this.#inside = true;
  }

  #begin(now: Instant, job: Job): void {
    this.#credits -= 1;
    this.#ids += 1;
    job.attempt = this.#ids;
    job.dueAt = after(now, answerTimeoutUs);
    job.merged = null;
    this.#active.set(job.attempt, job);
    this.#effects.readRecord(now, job.attempt, job.fullKey, job.target);
  }

  /** The own record as it is now; null without an error: it is gone, and with it the damage. */
  onRecord(now: Instant, id: number, sealed: Uint8Array | null, error: string | null): void {
    this.#enter();
    const job = this.#active.get(id);
    if (job !== undefined && error !== null) this.#ask(now, job);
    // The object buffer has it still: the disk is to have it again.
    else if (job?.target === 0 && sealed !== null) this.#effects.overwrite(now, id, job.fullKey, 0, sealed);
    else if (job !== undefined) this.#end(now, job);
    this.#inside = false;
  }

  #ask(now: Instant, job: Job): void {
    const others = this.#effects.othersOf(job.fullKey, job.target);
    if (others === null) this.#end(now, job);
    else if (others.length === 0) this.#replace(now, job, "there is no other owner");
    else {
      job.open = others.length;
      for (const peer of others) this.#effects.fetch(now, job.attempt, peer, job.fullKey);
    }
  }

  /** What another owner holds, or null for nothing that can be read; with an error it cannot say. Bytes are borrowed. */
  onFetched(now: Instant, id: number, sealed: Uint8Array | null, error: string | null): void {
    this.#enter();
    const job = this.#active.get(id);
    if (job !== undefined) this.#fetched(now, job, sealed, error);
    this.#inside = false;
  }

  #fetched(now: Instant, job: Job, sealed: Uint8Array | null, error: string | null): void {
    const sound = sealed === null || (checkRecord(sealed) === null && hashOfRecord(sealed, job.fullKey) !== null);
    if (error !== null || !sound) {
      this.#fail(now, job, error ?? "another owner sent what is no record");
      return;
    }
    if (sealed !== null) job.merged = job.merged === null ? sealed.slice() : mergeSealed(job.merged, sealed).slice();
    job.open -= 1;
    if (job.open > 0 && !(canary("mend-from-first") && job.merged !== null)) return;
    this.#replace(now, job, "no other owner has it");
  }

  /** What others hold is known: it is written, if there is any. */
  #replace(now: Instant, job: Job, nothing: string): void {
    if (job.merged === null && job.target === 0) this.#fail(now, job, nothing);
    else this.#effects.overwrite(now, job.attempt, job.fullKey, job.target, job.merged);
  }

  /** The record is on stable storage; or an error. */
  onWritten(now: Instant, id: number, error: string | null): void {
    this.#enter();
    const job = this.#active.get(id);
    if (job !== undefined && error !== null) this.#fail(now, job, error);
    else if (job !== undefined) {
      mark("mender.mended");
      const lost = job.target !== 0 && job.merged === null;
      this.counters.mended += 1;
      if (lost) this.counters.lost += 1;
      this.#end(now, job);
      this.#effects.mended(now, job.fullKey, job.target, lost);
    }
    this.#inside = false;
  }

  #leave(now: Instant, job: Job): void {
    this.#active.delete(job.attempt);
    job.attempt = 0;
    this.#nextAt = now;
  }

  #end(now: Instant, job: Job): void {
    this.#leave(now, job);
    this.#jobs.delete(job.name);
  }

  #fail(now: Instant, job: Job, why: string): void {
    mark("mender.failed");
    this.counters.failed += 1;
    this.#leave(now, job);
    job.dueAt = after(now, Math.min(retryMostUs, retryLeastUs * 2 ** Math.min(job.failures, 6)));
    job.failures += 1;
    if (job.failures === 1) this.#effects.stays(now, job.fullKey, why);
  }
}
