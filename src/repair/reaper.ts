/**
 * Reaper: forgets what nobody needs any more: tombstones, and entries of versions whose actors write no more. Nothing goes
 * because time has passed. It goes by certificate: every owner holds the same, synced, and every member of the ring has
 * answered that it keeps no hint and no copy of the key besides; silence is not a "no". Then there is no older record of
 * the key anywhere that could come back once the tombstone is gone.
 *
 * The first owner of a partition does it for all. It reads its records through, page by page; what has stayed as it is for
 * the least age is asked about in two phases, as many keys at once as a page has: `prepare`, answered by every member when
 * what it says rests on stable storage, and `commit`, to the owners. Nobody remembers anything in between: a commit names the
 * record that is to go, and a record that has changed since stays. A commit that an owner misses leaves a tombstone there,
 * which comes back to the others and goes another time.
 *
 * The age only has to exceed the life of a write on its way between two nodes; nothing else depends on it.
 */
import { assert } from "../base/assert.ts";
import { canary } from "../base/canary.ts";
import { Hash64, hashKey } from "../base/hash.ts";
import type { NodeNumber, PartitionId } from "../base/ids.ts";
import { mark } from "../base/mark.ts";
import { after, type DurationUs, type Instant, instant, never } from "../base/time.ts";
import type { Ring } from "../ring/ring.ts";
import type { RecordPage } from "../storage/store-events.ts";
import type { ReapReply } from "../wire/gen/codecs.ts";
import { keysPerReapMax } from "../wire/limits.ts";
import type { TreeOf } from "./leaf-list.ts";
import { type Candidate, candidateOf, markOf } from "./reap-candidate.ts";
import { type ReapQuestion, ReapRound } from "./reap-round.ts";
import { ReapVerdict } from "./reap-verdict.ts";
import { Sightings } from "./sightings.ts";

/** Longest wait for an answer: syncs at the other side included. */
const patienceUs = 10_000_000;
const creditsMax = 64;
/** What is remembered at once: with an age of an hour, some seventy deletes per second and node. */
const sightingsMax = 262_144;

/** What a reaper asks of the node around it. None may call the reaper. */
export interface ReaperEffects {
  /** Reads a page of the partition's records (`Store.scanRecords`); `onScanned` follows. */
  scan(now: Instant, id: number, partition: number, cursor: Uint8Array | null): void;
  /** Asks a member, this node included, what stands against it (REAP_PREPARE); `onPrepared`. */
  prepare(now: Instant, id: number, member: NodeNumber, request: ReapQuestion): void;
  /** Has an owner do it (REAP_COMMIT); `onCommitted`. */
  commit(now: Instant, id: number, owner: NodeNumber, request: ReapQuestion): void;
  /** Whether dots are minted under this actor at this node. */
  inUse(partition: number, actorHigh: number, actorLow: number): boolean;
}

/** What a `Reaper` is built from. */
export interface ReaperOptions {
  readonly effects: ReaperEffects;
  readonly me: NodeNumber;
  readonly ring: Ring;
  readonly treeOf: TreeOf;
  /** How long something has been seen unchanged before it is asked about: longer than any write is on its way. */
  readonly ageUs: DurationUs;
}

/** Counted over the life of one `Reaper`. */
export class ReaperCounters {
  passes = 0;
  /** Tombstones and versions looked at, in all passes. */
  candidates = 0;
  /** Asked about, and something stood against it. */
  hindered = 0;
  /** Forgotten at every owner: tombstones, and entries of versions. */
  tombstones = 0;
  entries = 0;
}

/** One per node. */
export class Reaper {
  readonly counters: ReaperCounters = new ReaperCounters();
  readonly #effects: ReaperEffects;
  readonly #me: NodeNumber;
  readonly #treeOf: TreeOf;
  readonly #ageUs: DurationUs;
  readonly #sightings: Sightings = new Sightings(sightingsMax);
  readonly #hash: Hash64 = new Hash64();
  readonly #mark: Hash64 = new Hash64();
  #ring: Ring;
  /** The partition being read, or -1 between two passes. */
  #partition = -1;
  #cursor: Uint8Array | null = null;
  /** The scan under way, or 0. */
  #awaited = 0;
  /** What the last page holds that is old enough, by n; asked about before the next page is read. */
  #ready: { readonly n: number; readonly keys: Candidate[] }[] = [];
  #round: ReapRound | null = null;
  #credits = 0;
  #ids = 0;
  #passAt: Instant;
  #inside = false;

  constructor(options: ReaperOptions) {
    this.#effects = options.effects;
    this.#me = options.me;
    this.#treeOf = options.treeOf;
    this.#ageUs = options.ageUs;
    this.#ring = options.ring;
    this.#passAt = instant(0);
  }

  /** It could go on and has no credit. */
  get starved(): boolean {
    if (this.#credits > 0 || this.#awaited !== 0 || this.#round !== null) return false;
    return this.#partition >= 0 || this.#ready.length > 0;
  }

  /** Pays for `count` steps: a page read, or a round of questions. */
  grant(now: Instant, count: number): void {
    this.#enter();
    this.#credits = Math.min(creditsMax, this.#credits + count);
    this.#leave(now);
  }

  /** What was asked in an older ring says nothing in this one. */
  onRing(now: Instant, ring: Ring): void {
    this.#enter();
    this.#ring = ring;
    this.#round = null;
    this.#ready = [];
    this.#leave(now);
  }

  /** Whether this node decides for (partition, n). */
  leads(partition: number, n: number): boolean {
    return this.#ring.preferenceList(partition as PartitionId, n)[0] === this.#me;
  }

  /** How long this node has seen the record of a key, which could be forgotten, as it is; -1: it does not know one. */
  ageOf(now: Instant, high: number, low: number): DurationUs {
    return this.#sightings.ageOf(now, high, low);
  }

  /** The page of a scan; null: it could not be read. */
  onScanned(now: Instant, id: number, page: RecordPage | null): void {
    this.#enter();
    if (id === this.#awaited) {
      this.#awaited = 0;
      if (page !== null) this.#look(now, page);
      this.#cursor = page?.cursor ?? null;
      if (this.#cursor === null) this.#nextPartition(this.#partition + 1);
    }
    this.#leave(now);
  }

  /** A member's word; null: it did not answer, or refused. */
  onPrepared(now: Instant, id: number, member: NodeNumber, reply: ReapReply | null): void {
    this.#enter();
    const round = this.#round;
    if (round?.id === id && !round.committing && round.onPrepared(member, reply)) this.#commit(now, round);
    this.#leave(now);
  }

  /** An owner has forgotten it, or not. */
  onCommitted(now: Instant, id: number, owner: NodeNumber, reply: ReapReply | null): void {
    this.#enter();
    const round = this.#round;
    if (round?.id === id && round.committing && round.onCommitted(owner, reply)) this.#finish(round);
    this.#leave(now);
  }

  tick(now: Instant): void {
    this.#enter();
    const round = this.#round;
    if (round !== null && round.deadline <= now) {
      mark("reap.silence");
      round.onSilence();
      if (round.committing) this.#finish(round);
      else this.#giveUp(round.request.keys.length);
    }
    if (this.#partition < 0 && this.#passAt <= now) {
      this.#passAt = after(now, Math.max(1, Math.floor(this.#ageUs / 2)));
      this.#nextPartition(0);
    }
    this.#leave(now);
  }

  nextTick(): Instant {
    if (this.#round !== null) return this.#round.deadline;
    return this.#partition < 0 ? this.#passAt : never;
  }

  #enter(): void {
    assert(!this.#inside, "an effect must not call the reaper");
    this.#inside = true;
  }

  #leave(now: Instant): void {
    if (this.#credits > 0 && this.#awaited === 0 && this.#round === null) this.#step(now);
    this.#inside = false;
  }

  #step(now: Instant): void {
    const next = this.#ready.shift();
    if (next !== undefined) this.#prepare(now, next.n, next.keys);
    else if (this.#partition >= 0) {
      this.#credits -= 1;
      this.#ids += 1;
      this.#awaited = this.#ids;
      this.#effects.scan(now, this.#ids, this.#partition, this.#cursor);
    }
  }

  /** The next partition that this node decides about; the pass is over when there is none. */
  #nextPartition(from: number): void {
    this.#cursor = null;
    for (let partition = from; partition < this.#ring.partitions; partition += 1) {
      if (!this.#ring.listSizes.some((n) => this.leads(partition, n))) continue;
      this.#partition = partition;
      return;
    }
    this.#partition = -1;
    this.counters.passes += 1;
  }

  #look(now: Instant, page: RecordPage): void {
    const partition = this.#partition;
    const inUse = (high: number, low: number): boolean => this.#effects.inUse(partition, high, low);
    const byN: Map<number, Candidate[]> = new Map();
    for (const [i, fullKey] of page.fullKeys.entries()) {
      const n = this.#treeOf(fullKey);
      if (!this.leads(partition, n)) continue;
      const candidate = candidateOf(fullKey, page.records[i] as Uint8Array, inUse);
      if (candidate === null) continue;
      this.counters.candidates += 1;
      if (!this.#isOld(now, candidate)) continue;
      const keys = byN.get(n) ?? [];
      byN.set(n, keys);
      keys.push(candidate);
    }
    for (const [n, keys] of byN) {
      for (let at = 0; at < keys.length; at += keysPerReapMax) {
        this.#ready.push({ n, keys: keys.slice(at, at + keysPerReapMax) });
      }
    }
  }

  #isOld(now: Instant, candidate: Candidate): boolean {
    hashKey(candidate.fullKey, this.#hash);
    markOf(candidate, this.#mark);
    const { high, low } = this.#hash;
    const seenUs = this.#sightings.see(now, high, low, this.#mark.high, this.#mark.low, 4 * this.#ageUs);
    return seenUs >= this.#ageUs || canary("reap-at-once");
  }

  #prepare(now: Instant, n: number, keys: readonly Candidate[]): void {
    const partition = this.#partitionOf(keys[0] as Candidate);
    const { epoch } = this.#ring;
    if (!this.leads(partition, n) || this.#ring.pendingOf(partition, n) !== undefined) {
      mark("reap.transfer-pending");
      this.counters.hindered += keys.length;
      return;
    }
    const list = this.#ring.preferenceList(partition, n);
    const owners = Array.from(list.subarray(0, Math.min(n, list.length))) as NodeNumber[];
    const members = this.#ring.members.filter(({ status }) => status !== "left").map(({ number }) => number);
    const asked = canary("reap-at-once") ? [this.#me] : canary("reap-asks-owners-only") ? owners : members;
    this.#credits -= 1;
    this.#ids += 1;
    const request = { epoch, partition, n, keys };
    this.#round = new ReapRound(this.#ids, request, asked, owners, after(now, patienceUs));
    for (const member of asked) this.#effects.prepare(now, this.#ids, member, request);
  }

  #partitionOf(candidate: Candidate): PartitionId {
    hashKey(candidate.fullKey, this.#hash);
    return this.#ring.partitionOf(this.#hash.high);
  }

  #commit(now: Instant, round: ReapRound): void {
    const hindered = round.certify();
    this.counters.hindered += hindered;
    if (round.request.keys.length === 0) {
      this.#round = null;
      return;
    }
    round.deadline = after(now, patienceUs);
    for (const owner of round.owners) this.#effects.commit(now, round.id, owner, round.request);
  }

  #finish(round: ReapRound): void {
    this.#round = null;
    for (const [i, { entries }] of round.request.keys.entries()) {
      if (round.verdictOf(i) !== ReapVerdict.clear) mark("reap.half-done");
      else if (entries.length > 0) this.counters.entries += entries.length / 3;
      else this.counters.tombstones += 1;
    }
  }

  #giveUp(count: number): void {
    this.#round = null;
    this.counters.hindered += count;
  }
}
