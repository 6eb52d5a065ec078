/**
 * Replica: one node's copy of the records, and the only place that changes one (Dynamo 4.4, 4.5).
 * Client puts, read repair, hints, and later transfer and anti-entropy all end here: one home for merging.
 *
 *   put, write:  take the key -> read what is held -> add a dot, or merge -> store.write -> written: pass the key on
 *   hints:       the same over the key's hints (hint-ops.ts)
 *   forget:      the same; what goes is gone everywhere (repair/reaper.ts)
 *   read:        object buffer, else the store; takes no key
 *
 * A key is held from before the read until the store shows the write, so that no two changes of it start from the same
 * record. Where the object buffer takes the write that is at once: all changes of a key that come in a turn are then
 * one append to the log and one write of the engine. Puts that wait for one key share one write (put-ops.ts), and where
 * its record is dear the first of a turn waits for the others. Minting dots and starting the local write are one step:
 * nothing comes between them. Before it mints, a node looks at *all* it holds for the key, record and hints, because a
 * new dot seems to cover every older one of its actor ("Continuity"); whoever shows us a dot of ours that we do not hold
 * makes us a new actor.
 *
 * Not here: who the replicas are and how many must answer (coordinator), group commit and caching (storage).
 */

import { assert } from "../base/assert.ts";
import { canary } from "../base/canary.ts";
import { Durability } from "../base/durability.ts";
import { type Status, wireOf } from "../base/errors.ts";
import { Hash64 } from "../base/hash.ts";
import { mark } from "../base/mark.ts";
import { copyBytes } from "../base/pool.ts";
import { Slab } from "../base/slab.ts";
import type { Instant } from "../base/time.ts";
import { type StoredHint, type StoreWrite, SyncMode, storeBusy, storeDamaged } from "../storage/store.ts";
import { openRecord, sealRecord } from "../version/record.ts";
import { SealedChange } from "../version/sealed-change.ts";
import { causalHash, SiblingSet } from "../version/sibling-set.ts";
import type { Actors } from "./actors.ts";
import { BusyKeys } from "./busy-keys.ts";
import { Continuity } from "./continuity.ts";
import { restOf } from "./forget.ts";
import { HintOps, hintFor, muchRoom } from "./hint-ops.ts";
import type { HybridClock } from "./hybrid-clock.ts";
import { canShareWrite, diskFull, expire, isGathered, PutOps } from "./put-ops.ts";
import { ReplicaKind, type ReplicaOp, ReplicaPhase } from "./replica-op.ts";
import type { ReplicaEffects, ReplicaOptions, ReplicaStore } from "./replica-options.ts";
import { DiskRoom } from "./replica-options.ts";
import { opened, readChange } from "./sealed.ts";
import { recordWriteOf, syncModeOf } from "./store-write-of.ts";

export type { HintRoom } from "./hint-ops.ts";
export { ReplicaKind, ReplicaOp } from "./replica-op.ts";
export type { ReplicaEffects, ReplicaOptions, ReplicaStore } from "./replica-options.ts";

const invalidArgument = wireOf("INVALID_ARGUMENT");
const overloaded = wireOf("OVERLOADED");
const malformed = "the incoming record is malformed";
const storageFailed = wireOf("STORAGE_FAILED");

/** One node's records, as something that is put to, merged into and read. */
export class Replica<O> {
  readonly #effects: ReplicaEffects<O>;
  readonly #store: ReplicaStore;
  readonly #actors: Actors;
  readonly #clock: HybridClock;
  readonly #continuity: Continuity;
  readonly #ops: Slab<ReplicaOp<O>>;
  readonly #busy: BusyKeys<ReplicaOp<O>> = new BusyKeys();
  readonly #putOps: PutOps;
  readonly #hintOps: HintOps;
  /** Puts that hold their keys until the turn ends. */
  #gathering: ReplicaOp<O>[] = [];
  readonly #waitersMax: number;
  readonly #diskRoom: () => DiskRoom;
  readonly #hashBefore: Hash64 = new Hash64();
  readonly #hashAfter: Hash64 = new Hash64();
  readonly #sent: SealedChange = new SealedChange(this.#hashBefore, this.#hashAfter);
  #inside = false;

  constructor(options: ReplicaOptions<O>) {
    this.#effects = options.effects;
    this.#store = options.store;
    this.#actors = options.actors;
    this.#clock = options.clock;
    this.#continuity = new Continuity(options.actors, (now, partition) => this.#effects.amnesia(now, partition));
    this.#ops = new Slab(options.busyMax);
    this.#hintOps = new HintOps(options.actors, options.hintRoom ?? muchRoom);
    this.#diskRoom = options.diskRoom ?? (() => DiskRoom.enough);
    this.#putOps = new PutOps(options, this.#continuity, this.#hintOps, this.#diskRoom);
    this.#waitersMax = options.waitersMax;
  }

  /** Ops that wait for a key or for the store. */
  get inFlight(): number {
    return this.#ops.size;
  }

  /** Mints a dot for the op's value and starts the local write: `prepared` and `done`, or only `done` with an error. */
  put(now: Instant, op: ReplicaOp<O>): void {
    assert(op.kind === ReplicaKind.put, "put takes a put");
    this.#change(now, op);
  }

  /** Merges the op's record into the stored one; never refused for how much the result holds. */
  write(now: Instant, op: ReplicaOp<O>): void {
    assert(op.kind === ReplicaKind.write && op.sealed !== null, "write takes a record");
    this.#change(now, op);
  }

  /** Merges the op's record into the hint for its target, OVERLOADED without room; or deletes that hint. */
  changeHint(now: Instant, op: ReplicaOp<O>): void {
    assert(op.kind === ReplicaKind.keepHint || op.kind === ReplicaKind.dropHint, "changeHint keeps or drops a hint");
    assert(op.kind === ReplicaKind.dropHint || op.sealed !== null, "a hint that is kept has a record");
    this.#change(now, op);
  }

  /** Forgets the record, or entries of its version, if they are what the op says: `op.removed`. */
  forget(now: Instant, op: ReplicaOp<O>): void {
    assert(op.kind === ReplicaKind.forget, "forget takes a forget");
    this.#change(now, op);
  }

  /** Reads the record, or with `readHints` the key's hints, as it is: it does not wait for changes under way. */
  read(now: Instant, op: ReplicaOp<O>): void {
    assert(op.kind === ReplicaKind.read || op.kind === ReplicaKind.readHints, "read takes a read");
    this.#enter();
    if (op.deadline <= now) this.#expire(now, op);
    else this.#read(now, op);
    this.#leave();
  }

  #read(now: Instant, op: ReplicaOp<O>): void {
    const ofHints = op.kind === ReplicaKind.readHints;
    const sealed = ofHints ? undefined : this.#store.lookup(op.fullKey, op.hashHigh, op.hashLow);
    if (sealed !== undefined || (ofHints && !this.#store.mayHoldHints(op.hashLow))) {
      op.sealed = sealed ?? null;
      this.#finish(now, op);
    } else if (this.#ops.full) this.#fail(now, op, overloaded, "too many requests wait for the store");
    else {
      op.id = this.#ops.add(op);
      if (ofHints) this.#askHints(now, op);
      else this.#askRecord(now, op);
    }
  }

  #change(now: Instant, op: ReplicaOp<O>): void {
    assert(op.durability !== Durability.bucket, "the durability is resolved");
    this.#enter();
    if (this.#ops.full) this.#fail(now, op, overloaded, "too many requests wait for the store");
    else if (this.#busy.take(op.hashHigh, op.hashLow)) {
      op.id = this.#ops.add(op);
      if (this.#begin(now, op)) this.#passOn(now, op);
    } else if (this.#busy.waiting >= this.#waitersMax) {
      this.#fail(now, op, overloaded, "too many requests wait for their key");
    } else {
      op.keepBytes();
      op.id = this.#ops.add(op);
      op.phase = ReplicaPhase.key;
      this.#busy.wait(op.hashHigh, op.hashLow, op);
    }
    this.#leave();
  }

  /** Gives the key to its next waiter, and on and on while they need nothing of the store. */
  #passOn(now: Instant, op: ReplicaOp<O>): void {
    for (;;) {
      const next = this.#busy.pass(op.hashHigh, op.hashLow);
      if (next === null) return;
      next.keyUs = now - next.begunAt;
      if (!this.#begin(now, next)) return;
    }
  }

  // From here to the store's answers: a method that returns a boolean works for an op that holds its key, and says
  // whether the key can be passed on: the op is finished, or the store shows what it has written.

  #begin(now: Instant, op: ReplicaOp<O>): boolean {
    if (op.deadline <= now) return this.#expire(now, op);
    if (op.kind > ReplicaKind.put && op.kind !== ReplicaKind.forget) return this.#beginHint(now, op);
    const stored = this.#store.lookup(op.fullKey, op.hashHigh, op.hashLow);
    if (stored !== undefined) return this.#onRecord(now, op, stored);
    if (op.copied && this.#store.leaves.isBare(op.partition, op.hashHigh)) return this.#onRecord(now, op, null);
    op.keepBytes();
    this.#askRecord(now, op);
    return false;
  }

  #beginHint(now: Instant, op: ReplicaOp<O>): boolean {
    if (!this.#store.mayHoldHints(op.hashLow)) return this.#onHints(now, op, []);
    op.keepBytes();
    this.#askHints(now, op);
    return false;
  }

  #askHints(now: Instant, op: ReplicaOp<O>): void {
    op.phase = ReplicaPhase.hints;
    this.#store.readHints(now, op.fullKey, op.hashHigh, op.hashLow, op.id);
  }

  #askRecord(now: Instant, op: ReplicaOp<O>): void {
    op.phase = ReplicaPhase.record;
    this.#store.read(now, op.fullKey, op.hashHigh, op.hashLow, op.id);
  }

  /** `stored` may be a view that the next call on the store takes away. */
  #onRecord(now: Instant, op: ReplicaOp<O>, stored: Uint8Array | null): boolean {
    if (op.kind === ReplicaKind.forget) return this.#forget(now, op, stored);
    if (stored !== null && isGathered(op, stored)) return this.#gather(op);
    if (op.mends && stored === null) return this.#end(now, op);
    if (op.kind === ReplicaKind.write && stored !== null && !this.#store.mayHoldHints(op.hashLow)) {
      return this.#mergeBytes(now, op, stored);
    }
    const mine = stored === null ? SiblingSet.empty : opened(stored);
    if (mine === null) return this.#unreadable(now, op);
    if (!this.#store.mayHoldHints(op.hashLow) || !this.#needsHints(op, mine)) return this.#apply(now, op, mine, mine);
    op.stored = stored === null ? null : copyBytes(stored);
    op.keepBytes();
    this.#askHints(now, op);
    return false;
  }

  /** Keeps the key until the end of the turn: the puts of it that come meanwhile wait, and share one write. */
  #gather(op: ReplicaOp<O>): boolean {
    op.keepBytes();
    op.gathered = true;
    this.#gathering.push(op);
    this.#effects.wantTurnEnd();
    return false;
  }

  /** The end of a turn in which `wantTurnEnd` was called: the puts that were gathered. */
  endTurn(now: Instant): void {
    if (this.#gathering.length === 0) return;
    this.#enter();
    const gathered = this.#gathering;
    this.#gathering = [];
    for (const op of gathered) if (this.#begin(now, op)) this.#passOn(now, op);
    this.#leave();
  }

  /** A put mints from all that this node holds; a merge needs the hints only to tell a lost dot from one kept there. */
  #needsHints(op: ReplicaOp<O>, mine: SiblingSet): boolean {
    if (op.kind === ReplicaKind.put) return !canary("mint-without-hints");
    const incoming = opened(op.sealed as Uint8Array);
    return incoming !== null && this.#continuity.showsMore(op.partition, incoming.version, mine.version);
  }

  /** `damaged`: one of them is, and the op takes the place of a damaged hint. */
  #onHints(now: Instant, op: ReplicaOp<O>, hints: readonly StoredHint[], damaged: boolean = false): boolean {
    if (op.kind > ReplicaKind.put) {
      const write = damaged ? this.#hintOps.mend(now, op, hints) : this.#hintOps.decide(now, op, hints);
      return write === null ? this.#end(now, op) : this.#send(now, op, write);
    }
    op.hint = hintFor(op.target, hints);
    const mine = op.stored === null ? SiblingSet.empty : openRecord(op.stored);
    let held = mine;
    for (const hint of hints) {
      const set = opened(hint.sealed);
      if (set === null) return this.#unreadable(now, op);
      held = held.merge(set);
    }
    return this.#apply(now, op, mine, held);
  }

  /** `mine` is the stored record; `held` is that merged with the key's hints, where they matter. */
  #apply(now: Instant, op: ReplicaOp<O>, mine: SiblingSet, held: SiblingSet): boolean {
    return op.kind === ReplicaKind.put ? this.#put(now, op, mine, held) : this.#merge(now, op, mine, held);
  }

  /** Adds a put's write, and those of the puts of its key that wait behind it: one seal and one write for them all. */
  #put(now: Instant, op: ReplicaOp<O>, mine: SiblingSet, held: SiblingSet): boolean {
    let after = held;
    let first: ReplicaOp<O> | null = null;
    let last: ReplicaOp<O> | null = null;
    for (let next: ReplicaOp<O> | null = op; next !== null; next = this.#takeCompanion(now, op)) {
      const set = this.#putOps.add(now, next, after);
      if (set === null) {
        this.#finish(now, next);
        continue;
      }
      if (last === null) first = next;
      else last.companion = next;
      if (last === null || !canary("shared-put-lost")) after = set;
      last = next;
    }
    return first === null || this.#issuePuts(now, first, mine, after);
  }

  /** The next waiter of the key if it is a put that can share the write of `op`, which holds the key for it. */
  #takeCompanion(now: Instant, op: ReplicaOp<O>): ReplicaOp<O> | null {
    if (this.#busy.waiting === 0) return null;
    const next = this.#busy.next(op.hashHigh, op.hashLow);
    if (next === null || !canShareWrite(op, next)) return null;
    mark("replica.put.shared");
    this.#busy.pass(op.hashHigh, op.hashLow);
    next.keyUs = now - next.begunAt;
    return next;
  }

  #issuePuts(now: Instant, first: ReplicaOp<O>, before: SiblingSet, after: SiblingSet): boolean {
    const sealed = sealRecord(after);
    const shown = this.#issue(now, first, sealed, before, after);
    for (let op: ReplicaOp<O> | null = first; op !== null; op = op.companion) {
      op.sealed = sealed;
      this.#effects.prepared(now, op);
    }
    return shown;
  }

  #merge(now: Instant, op: ReplicaOp<O>, mine: SiblingSet, held: SiblingSet): boolean {
    const sealed = op.sealed as Uint8Array;
    const incoming = opened(sealed);
    if (incoming === null || incoming.isEmpty) return this.#fail(now, op, invalidArgument, malformed);
    if (mine.isEmpty && this.#diskRoom() === DiskRoom.none) return this.#fail(now, op, overloaded, diskFull);
    this.#continuity.check(now, op.partition, incoming.version, held.version);
    this.#clock.observe(incoming.stamp);
    const after = mine.merge(incoming);
    if (after === mine) return this.#keepAsIs(now, op, sealRecord(mine));
    const bytes = after !== incoming ? sealRecord(after) : op.kept ? sealed : copyBytes(sealed);
    return this.#issue(now, op, bytes, mine, after);
  }

  /** `#merge` for the common case, without opening either record: mostly one of the two is the result as it is. */
  #mergeBytes(now: Instant, op: ReplicaOp<O>, stored: Uint8Array): boolean {
    const { partition } = op;
    const incoming = op.sealed as Uint8Array;
    const high = this.#actors.actorHigh(partition);
    const change = readChange(this.#sent, stored, incoming, op.fullKey, high, this.#actors.actorLow(partition));
    if (change === null) {
      if (opened(stored) === null) return this.#unreadable(now, op);
      return this.#fail(now, op, invalidArgument, malformed);
    }
    const { merged, showsMore, stamp } = change;
    this.#clock.observe(stamp);
    if (showsMore) this.#continuity.lose(now, partition);
    if (merged === stored) return this.#keepAsIs(now, op, stored);
    return this.#write(now, op, merged !== incoming || op.kept ? merged : copyBytes(incoming));
  }

  /**
   * Nothing else of what goes is left anywhere, so the actor stays: there is no copy that a later dot could cover. A
   * record that is not what was certified stays as it is.
   */
  #forget(now: Instant, op: ReplicaOp<O>, stored: Uint8Array | null): boolean {
    const mine = stored === null ? SiblingSet.empty : opened(stored);
    if (mine === null) return this.#unreadable(now, op);
    const rest = restOf(mine, op);
    if (rest === null) return this.#end(now, op);
    mark(rest.isEmpty ? "replica.reaped" : "replica.pruned");
    op.removed = true;
    causalHash(mine, op.fullKey, this.#hashBefore);
    causalHash(rest, op.fullKey, this.#hashAfter);
    return this.#write(now, op, rest.isEmpty ? copyBytes(stored as Uint8Array) : sealRecord(rest), rest.isEmpty);
  }

  /**
   * The merge changed nothing. What the asker wants of the disk may still be owed: nobody remembers whether the record
   * was synced, and while anything is acknowledged from memory alone it may be this key. Then it is written again.
   */
  #keepAsIs(now: Instant, op: ReplicaOp<O>, stored: Uint8Array): boolean {
    const written = op.durability === Durability.buffered && this.#store.dirtyBytes === 0;
    if (written || op.durability === Durability.memory) return this.#end(now, op);
    mark("replica.written-again");
    this.#hashAfter.high = this.#hashBefore.high;
    this.#hashAfter.low = this.#hashBefore.low;
    return this.#write(now, op, copyBytes(stored));
  }

  /** Starts the local write of `sealed`, which holds `after`, over `before`. The bytes stay untouched from here on. */
  #issue(now: Instant, op: ReplicaOp<O>, sealed: Uint8Array, before: SiblingSet, after: SiblingSet): boolean {
    if (op.target !== 0) return this.#send(now, op, this.#hintOps.writeOf(op, sealed));
    causalHash(before, op.fullKey, this.#hashBefore);
    causalHash(after, op.fullKey, this.#hashAfter);
    return this.#write(now, op, sealed);
  }

  /** Hands `sealed` to the store; the causal hashes of before and after have been made. */
  #write(now: Instant, op: ReplicaOp<O>, sealed: Uint8Array, forgotten: boolean = false): boolean {
    const write = recordWriteOf(op, sealed, this.#hashBefore, this.#hashAfter);
    write.forgotten = forgotten;
    return this.#send(now, op, write);
  }

  #send(now: Instant, op: ReplicaOp<O>, write: StoreWrite): boolean {
    op.phase = ReplicaPhase.written;
    op.shown = this.#store.write(now, write);
    return op.shown;
  }

  #unanswered(now: Instant, op: ReplicaOp<O>, error: string): boolean {
    if (error === storeBusy) return this.#fail(now, op, overloaded, error);
    if (error === storeDamaged && op.mends) return this.#mend(now, op);
    return this.#unreadable(now, op, error === storeDamaged ? error : undefined);
  }

  /**
   * What the other owners hold takes the place of a damaged record, which may have held dots of ours that nobody else
   * knows: the partition has a new actor before anything is minted over it. What the key's leaf counted is unknown too.
   */
  #mend(now: Instant, op: ReplicaOp<O>): boolean {
    const sealed = op.sealed as Uint8Array;
    const set = opened(sealed);
    if (set === null) return this.#fail(now, op, invalidArgument, malformed);
    mark("replica.mended");
    if (!canary("mend-keeps-actor")) this.#actors.renew(now, op.partition);
    return this.#issue(now, op, sealed, SiblingSet.empty, set);
  }

  /** Nobody knows what the stored record held, own dots included: nothing is minted over it, nor written. */
  #unreadable(now: Instant, op: ReplicaOp<O>, why: string = "the stored record cannot be read"): boolean {
    mark("replica.unreadable");
    return this.#fail(now, op, storageFailed, why);
  }

  /** The store's answer to `read`: the record (the replica's from here on), null for none, or why it cannot be read. */
  onStoreRead(now: Instant, token: number, sealed: Uint8Array | null, error: string | null): void {
    const op = this.#answered(token, ReplicaPhase.record);
    if (op.kind === ReplicaKind.read) {
      op.sealed = sealed;
      if (error === null) this.#finish(now, op);
      else this.#unanswered(now, op, error);
    } else if (error === null ? this.#onRecord(now, op, sealed) : this.#unanswered(now, op, error)) {
      this.#passOn(now, op);
    }
    this.#leave();
  }

  /** The store's answer to `readHints`: all hints of the key, or why they cannot be read. */
  onStoreHints(now: Instant, token: number, hints: readonly StoredHint[], error: string | null): void {
    const op = this.#answered(token, ReplicaPhase.hints);
    const mends = error === storeDamaged && op.mends && op.target !== 0;
    const why = error === storeDamaged ? "a hint cannot be read" : error;
    const finished = why === null || mends ? this.#onHints(now, op, hints, mends) : this.#unanswered(now, op, why);
    if (finished && op.kind !== ReplicaKind.readHints) this.#passOn(now, op);
    this.#leave();
  }

  /** The write is applied: it reached the operating system or, if it asked for no more, the object buffer. */
  onStoreWritten(now: Instant, token: number): void {
    const op = this.#answered(token, ReplicaPhase.written);
    if (syncModeOf(op.durability) === SyncMode.none) this.#finish(now, op);
    else op.phase = ReplicaPhase.synced;
    if (!op.shown) this.#passOn(now, op);
    this.#leave();
  }

  /** The write is on stable storage. */
  onStoreSynced(now: Instant, token: number): void {
    const op = this.#answered(token, ReplicaPhase.synced);
    op.durable = true;
    this.#finish(now, op);
    this.#leave();
  }

  /** The op that the store answers, which waits for just this. */
  #answered(token: number, phase: ReplicaPhase): ReplicaOp<O> {
    const op = this.#ops.get(token);
    assert(op !== undefined && op.phase === phase, "the store answers what it was asked, once");
    this.#enter();
    return op;
  }

  #expire(now: Instant, op: ReplicaOp<O>): boolean {
    expire(op);
    return this.#end(now, op);
  }

  #fail(now: Instant, op: ReplicaOp<O>, status: Status, message: string): boolean {
    op.status = status;
    op.message = message;
    return this.#end(now, op);
  }

  #end(now: Instant, op: ReplicaOp<O>): boolean {
    this.#finish(now, op);
    return true;
  }

  /** Ends an op, and after it those that share its write, as it ended. */
  #finish(now: Instant, op: ReplicaOp<O>): void {
    const { durable } = op;
    for (let next: ReplicaOp<O> | null = op; next !== null; ) {
      const companion: ReplicaOp<O> | null = next.companion;
      if (next.id >= 0) this.#ops.remove(next.id);
      next.phase = ReplicaPhase.idle;
      next.durable = durable;
      next.stored = null;
      next.hint = null;
      next.companion = null;
      this.#effects.done(now, next);
      next = companion;
    }
  }

  #enter(): void {
    assert(!this.#inside, "an effect of the replica has called the replica");
    this.#inside = true;
  }

  #leave(): void {
    this.#inside = false;
  }
}
