/**
 * Replica: one node's copy of the records, and the only place that changes one (Dynamo 4.4, 4.5; mechanisms.md 3.3).
 * Client puts, read repair, and later hint delivery, transfer and anti-entropy all end here: one home for merging.
 *
 *   put, write:  take the key -> read what is held -> add a dot, or merge -> store.write -> written: pass the key on
 *   read:        object buffer, else the store; takes no key
 *
 * A key is held from before the read until the write is applied, so that no two changes of it start from the same
 * record. Minting a dot and starting the local write are one step: nothing comes between them. Before it mints, a node
 * looks at *all* it holds for the key, record and hints, because a new dot seems to cover every older one of its actor
 * ("Continuity"); whoever shows us a dot of ours that we do not hold makes us a new actor.
 *
 * Not here: who the replicas are and how many must answer (coordinator), group commit and caching (storage).
 */
import { assert } from "../base/assert.ts";
import { Durability } from "../base/durability.ts";
import { type Status, wireOf } from "../base/errors.ts";
import { Hash64 } from "../base/hash.ts";
import { mark } from "../base/mark.ts";
import { copyBytes } from "../base/pool.ts";
import { Slab } from "../base/slab.ts";
import type { Instant } from "../base/time.ts";
import { type Store, type StoredHint, StoreWrite, SyncMode } from "../storage/store.ts";
import { mergeSealed, openRecord, RecordError, sealRecord, versionOfSealed } from "../version/record.ts";
import { causalHashOfSealed } from "../version/sealed-causal-hash.ts";
import { causalHash, SiblingSet } from "../version/sibling-set.ts";
import type { Dot, VersionVector } from "../version/version-vector.ts";
import { contextBytesMax, frameBytesMax } from "../wire/limits.ts";
import type { Actors } from "./actors.ts";
import { BusyKeys } from "./busy-keys.ts";
import { ReplicaKind, type ReplicaOp, ReplicaPhase } from "./replica-op.ts";
import { Retries } from "./retries.ts";

export { ReplicaKind, ReplicaOp } from "./replica-op.ts";

/** From this many siblings on a put is marked: the application does not merge what it reads. */
export const siblingsWarn = 8;
/** Bytes of a frame that are not its record: a context, a full key and small fields, with room to spare. */
const frameRestBytes = contextBytesMax + 16 * 1024;

const invalidArgument = wireOf("INVALID_ARGUMENT");
const expired = wireOf("EXPIRED");
const overloaded = wireOf("OVERLOADED");
const storageFailed = wireOf("STORAGE_FAILED");
const tooManySiblings = wireOf("TOO_MANY_SIBLINGS");

/** What a replica asks of the node around it. Each may be called inside any call on the replica, and none may make one. */
export interface ReplicaEffects<O> {
  /**
   * A put has its dot, `op.sealed` and `op.version`, and the local write is under way: send the record to the others.
   * Exactly once per put that succeeds, before its `done`. So does a retry of a known put, with the record as it is.
   */
  prepared(now: Instant, op: ReplicaOp<O>): void;
  /** The op is finished: `op.status` is 0 or an error. Exactly once per op. */
  done(now: Instant, op: ReplicaOp<O>): void;
  /** Somebody knew a dot of ours that we do not hold: history was lost, and the partition has a new actor. */
  amnesia(now: Instant, partition: number): void;
}

/** What a replica uses of its store. */
export type ReplicaStore = Pick<Store, "lookup" | "read" | "readHints" | "write" | "hintTotal" | "dirtyBytes">;

/** What a `Replica` is built from. */
export interface ReplicaOptions<O> {
  readonly effects: ReplicaEffects<O>;
  readonly store: ReplicaStore;
  readonly actors: Actors;
  /** Ops waiting for their key, of all keys together; above it OVERLOADED. Higher: longer queues on hot keys. */
  readonly waitersMax: number;
  /** Ops waiting for a key or for the store, 1..65,536; above it OVERLOADED. */
  readonly busyMax: number;
  /** How long a superseded write is named in `recent`, and a put known as a retry: twice the longest deadline. */
  readonly keepRecentForSeconds: number;
  /** Puts known as retries, a power of two; default 65,536. Higher: more writes later a retry is still known; 52 bytes each. */
  readonly retriesMax?: number;
  /** A put that would leave a larger record is refused; default: what fits into a frame of the default size. */
  readonly recordBytesMax?: number;
}

/** One node's records, as something that is put to, merged into and read. */
export class Replica<O> {
  readonly #effects: ReplicaEffects<O>;
  readonly #store: ReplicaStore;
  readonly #actors: Actors;
  readonly #ops: Slab<ReplicaOp<O>>;
  readonly #busy: BusyKeys<ReplicaOp<O>> = new BusyKeys();
  readonly #retries: Retries;
  readonly #waitersMax: number;
  readonly #keepRecentFor: number;
  readonly #recordBytesMax: number;
  readonly #hashBefore: Hash64 = new Hash64();
  readonly #hashAfter: Hash64 = new Hash64();
  #inside = false;

  constructor(options: ReplicaOptions<O>) {
    this.#effects = options.effects;
    this.#store = options.store;
    this.#actors = options.actors;
    this.#ops = new Slab(options.busyMax);
    const entriesMax = options.retriesMax ?? 65_536;
    this.#retries = new Retries({ entriesMax, window: options.keepRecentForSeconds * 1_000_000 });
    this.#waitersMax = options.waitersMax;
    this.#keepRecentFor = options.keepRecentForSeconds;
    this.#recordBytesMax = options.recordBytesMax ?? frameBytesMax - frameRestBytes;
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

  /** Reads the record as it is: it does not wait for changes under way. */
  read(now: Instant, op: ReplicaOp<O>): void {
    assert(op.kind === ReplicaKind.read, "read takes a read");
    this.#enter();
    if (op.deadline <= now) this.#expire(now, op);
    else this.#read(now, op);
    this.#leave();
  }

  #read(now: Instant, op: ReplicaOp<O>): void {
    const sealed = this.#store.lookup(op.fullKey, op.hashHigh, op.hashLow);
    if (sealed !== undefined) {
      op.sealed = sealed;
      this.#finish(now, op);
    } else if (this.#ops.full) this.#fail(now, op, overloaded, "too many requests wait for the store");
    else {
      op.id = this.#ops.add(op);
      this.#askRecord(now, op);
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
      this.#keepBytes(op);
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
      if (next === null || !this.#begin(now, next)) return;
    }
  }

  // From here to the store's answers: a method that returns a boolean works for an op that holds its key, and says
  // whether the op is finished and the key can be passed on.

  #begin(now: Instant, op: ReplicaOp<O>): boolean {
    if (op.deadline <= now) return this.#expire(now, op);
    const stored = this.#store.lookup(op.fullKey, op.hashHigh, op.hashLow);
    if (stored !== undefined) return this.#onRecord(now, op, stored);
    this.#keepBytes(op);
    this.#askRecord(now, op);
    return false;
  }

  #askRecord(now: Instant, op: ReplicaOp<O>): void {
    op.phase = ReplicaPhase.record;
    this.#store.read(now, op.fullKey, op.hashHigh, op.hashLow, op.id);
  }

  /** `stored` may be a view that the next call on the store takes away. */
  #onRecord(now: Instant, op: ReplicaOp<O>, stored: Uint8Array | null): boolean {
    if (op.kind === ReplicaKind.write && stored !== null && this.#store.hintTotal === 0) {
      return this.#mergeBytes(now, op, stored);
    }
    const mine = stored === null ? SiblingSet.empty : opened(stored);
    if (mine === null) return this.#unreadable(now, op);
    if (this.#store.hintTotal === 0 || !this.#needsHints(op, mine)) return this.#apply(now, op, mine, mine);
    op.stored = stored === null ? null : copyBytes(stored);
    this.#keepBytes(op);
    op.phase = ReplicaPhase.hints;
    this.#store.readHints(now, op.fullKey, op.hashHigh, op.hashLow, op.id);
    return false;
  }

  /** A put mints from all that this node holds; a merge needs the hints only to tell a lost dot from one kept there. */
  #needsHints(op: ReplicaOp<O>, mine: SiblingSet): boolean {
    if (op.kind === ReplicaKind.put) return true;
    const incoming = opened(op.sealed as Uint8Array);
    return incoming !== null && this.#knowsMore(op.partition, incoming.version, mine.version);
  }

  #onHints(now: Instant, op: ReplicaOp<O>, hints: readonly StoredHint[]): boolean {
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

  #put(now: Instant, op: ReplicaOp<O>, mine: SiblingSet, held: SiblingSet): boolean {
    if (op.deadline <= now) return this.#expire(now, op);
    const { context, contextOwn } = op;
    const shown = contextOwn === null ? context : context.with(contextOwn.dot);
    this.#noticeAmnesia(now, op.partition, shown, held.version);
    const known = this.#knownDot(now, op, held);
    if (known !== undefined) {
      mark("replica.retry");
      return this.#issuePut(now, op, sealRecord(held), mine, held, known);
    }
    if (this.#actors.exhausted(op.partition)) {
      mark("replica.lease-exhausted");
      return this.#fail(now, op, overloaded, "the next counter lease is still being saved");
    }
    return this.#mint(now, op, mine, held);
  }

  /** The dot of this very write if `held` reflects it: as a sibling, in `recent`, or so long ago that only `retries` knows. */
  #knownDot(now: Instant, op: ReplicaOp<O>, held: SiblingSet): Dot | undefined {
    const dots = held.dotsOf(op.requestId);
    if (dots !== undefined) return dots[0];
    const dot = this.#retries.find(now, op.requestId, op.hashHigh, op.hashLow);
    return dot !== undefined && held.version.covers(dot) ? dot : undefined;
  }

  /** A put that is refused here has used up a counter: no record ever shows it, so nobody misses it. */
  #mint(now: Instant, op: ReplicaOp<O>, mine: SiblingSet, held: SiblingSet): boolean {
    const counter = this.#actors.mint(now, op.partition);
    const actorHigh = this.#actors.actorHigh(op.partition);
    const actorLow = this.#actors.actorLow(op.partition);
    const dot = { actorHigh, actorLow, counter };
    const { context, contextOwn: own, requestId, value, tombstone, second } = op;
    const keepRecentFor = this.#keepRecentFor;
    const after = held.put({ context, own, dot, requestId, value, tombstone, second, keepRecentFor });
    const count = after.siblings.length;
    if (count > op.siblingsMax) return this.#fail(now, op, tooManySiblings, "the key would have too many siblings");
    if (count >= siblingsWarn) mark("replica.many-siblings");
    const sealed = sealRecord(after);
    if (sealed.length > this.#recordBytesMax) {
      return this.#fail(now, op, tooManySiblings, "the key's siblings would be too large together");
    }
    this.#retries.add(now, requestId, op.hashHigh, op.hashLow, dot);
    return this.#issuePut(now, op, sealed, mine, after, dot);
  }

  #issuePut(
    now: Instant,
    op: ReplicaOp<O>,
    sealed: Uint8Array,
    before: SiblingSet,
    after: SiblingSet,
    dot: Dot,
  ): boolean {
    this.#issue(now, op, sealed, before, after);
    op.sealed = sealed;
    if (op.overwrite) op.version = after.version;
    else {
      const seen = after.contextAfter(op.context, { dot, requestId: op.requestId });
      op.version = seen.version;
      op.own = seen.own;
    }
    this.#effects.prepared(now, op);
    return false;
  }

  #merge(now: Instant, op: ReplicaOp<O>, mine: SiblingSet, held: SiblingSet): boolean {
    const sealed = op.sealed as Uint8Array;
    const incoming = opened(sealed);
    if (incoming === null || incoming.isEmpty) {
      return this.#fail(now, op, invalidArgument, "the incoming record is malformed");
    }
    this.#noticeAmnesia(now, op.partition, incoming.version, held.version);
    const after = mine.merge(incoming);
    if (after === mine) return this.#keepAsIs(now, op, mine);
    const bytes = after !== incoming ? sealRecord(after) : op.kept ? sealed : copyBytes(sealed);
    this.#issue(now, op, bytes, mine, after);
    return false;
  }

  /** `#merge` for the common case, without opening either record: mostly one of the two is the result as it is. */
  #mergeBytes(now: Instant, op: ReplicaOp<O>, stored: Uint8Array): boolean {
    const incoming = op.sealed as Uint8Array;
    const merged = mergedBytes(stored, incoming);
    if (merged === null) {
      if (opened(stored) === null) return this.#unreadable(now, op);
      return this.#fail(now, op, invalidArgument, "the incoming record is malformed");
    }
    const shown = versionOfSealed(incoming);
    if (shown.size === 0) return this.#fail(now, op, invalidArgument, "the incoming record is empty");
    this.#noticeAmnesia(now, op.partition, shown, versionOfSealed(stored));
    if (merged === stored) return this.#keepAsIs(now, op, openRecord(stored));
    causalHashOfSealed(stored, op.fullKey, this.#hashBefore);
    causalHashOfSealed(merged, op.fullKey, this.#hashAfter);
    this.#write(now, op, merged !== incoming || op.kept ? merged : copyBytes(incoming));
    return false;
  }

  /**
   * The merge changed nothing. What the asker wants of the disk may still be owed: nobody remembers whether the record
   * was synced, and while anything is acknowledged from memory alone it may be this key. Then it is written again.
   */
  #keepAsIs(now: Instant, op: ReplicaOp<O>, mine: SiblingSet): boolean {
    const written = op.durability === Durability.buffered && this.#store.dirtyBytes === 0;
    if (written || op.durability === Durability.memory) {
      this.#finish(now, op);
      return true;
    }
    mark("replica.written-again");
    this.#issue(now, op, sealRecord(mine), mine, mine);
    return false;
  }

  /** Starts the local write of `sealed`, which holds `after`, over `before`. The bytes stay untouched from here on. */
  #issue(now: Instant, op: ReplicaOp<O>, sealed: Uint8Array, before: SiblingSet, after: SiblingSet): void {
    causalHash(before, op.fullKey, this.#hashBefore);
    causalHash(after, op.fullKey, this.#hashAfter);
    this.#write(now, op, sealed);
  }

  /** Hands `sealed` to the store; the causal hashes of before and after have been made. */
  #write(now: Instant, op: ReplicaOp<O>, sealed: Uint8Array): void {
    const write = new StoreWrite();
    write.fullKey = op.fullKey;
    write.hashHigh = op.hashHigh;
    write.hashLow = op.hashLow;
    write.n = op.n;
    write.partition = op.partition;
    write.sealed = sealed;
    write.deltaHigh = (this.#hashBefore.high ^ this.#hashAfter.high) >>> 0;
    write.deltaLow = (this.#hashBefore.low ^ this.#hashAfter.low) >>> 0;
    write.memory = op.durability === Durability.memory;
    write.sync = syncModeOf(op.durability);
    write.token = op.id;
    op.phase = ReplicaPhase.written;
    this.#store.write(now, write);
  }

  #knowsMore(partition: number, seen: VersionVector, held: VersionVector): boolean {
    const actorHigh = this.#actors.actorHigh(partition);
    const actorLow = this.#actors.actorLow(partition);
    return seen.counterOf(actorHigh, actorLow) > held.counterOf(actorHigh, actorLow);
  }

  #noticeAmnesia(now: Instant, partition: number, seen: VersionVector, held: VersionVector): void {
    if (!this.#knowsMore(partition, seen, held)) return;
    mark("replica.amnesia");
    this.#actors.renew(now, partition);
    this.#effects.amnesia(now, partition);
  }

  /** Nobody knows what the stored record held, own dots included: nothing is minted over it, nor written. */
  #unreadable(now: Instant, op: ReplicaOp<O>): boolean {
    mark("replica.unreadable");
    this.#actors.renew(now, op.partition);
    return this.#fail(now, op, storageFailed, "the stored record cannot be read");
  }

  /** The store's answer to `read`: the record (the replica's from here on), null for none, or why it cannot be read. */
  onStoreRead(now: Instant, token: number, sealed: Uint8Array | null, error: string | null): void {
    const op = this.#answered(token, ReplicaPhase.record);
    if (op.kind === ReplicaKind.read) {
      op.sealed = sealed;
      if (error === null) this.#finish(now, op);
      else this.#unreadable(now, op);
    } else if (error === null ? this.#onRecord(now, op, sealed) : this.#unreadable(now, op)) this.#passOn(now, op);
    this.#leave();
  }

  /** The store's answer to `readHints`: all hints of the key, or why they cannot be read. */
  onStoreHints(now: Instant, token: number, hints: readonly StoredHint[], error: string | null): void {
    const op = this.#answered(token, ReplicaPhase.hints);
    if (error === null ? this.#onHints(now, op, hints) : this.#unreadable(now, op)) this.#passOn(now, op);
    this.#leave();
  }

  /** The write is applied: it reached the operating system or, if it asked for no more, the object buffer. */
  onStoreWritten(now: Instant, token: number): void {
    const op = this.#answered(token, ReplicaPhase.written);
    if (syncModeOf(op.durability) === SyncMode.none) this.#finish(now, op);
    else op.phase = ReplicaPhase.synced;
    this.#passOn(now, op);
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

  /** Copies what the op borrows, because it outlives the call. */
  #keepBytes(op: ReplicaOp<O>): void {
    if (op.kept) return;
    op.kept = true;
    if (op.kind === ReplicaKind.write) op.sealed = copyBytes(op.sealed as Uint8Array);
    else {
      op.value = copyBytes(op.value);
      op.requestId = copyBytes(op.requestId);
    }
  }

  #expire(now: Instant, op: ReplicaOp<O>): boolean {
    mark("replica.expired");
    return this.#fail(now, op, expired, "the deadline had passed when the turn came");
  }

  #fail(now: Instant, op: ReplicaOp<O>, status: Status, message: string): boolean {
    op.status = status;
    op.message = message;
    this.#finish(now, op);
    return true;
  }

  #finish(now: Instant, op: ReplicaOp<O>): void {
    if (op.id >= 0) this.#ops.remove(op.id);
    op.phase = ReplicaPhase.idle;
    op.stored = null;
    this.#effects.done(now, op);
  }
  #enter(): void {
    assert(!this.#inside, "an effect of the replica has called the replica");
    this.#inside = true;
  }

  #leave(): void {
    this.#inside = false;
  }
}

/** The set in a sealed record, or null if the bytes are none. */
function opened(sealed: Uint8Array): SiblingSet | null {
  try {
    return openRecord(sealed);
  } catch (error) {
    if (error instanceof RecordError) return null;
    throw error;
  }
}

function syncModeOf(durability: Durability): SyncMode {
  if (durability === Durability.durable) return SyncMode.now;
  return durability === Durability.oneDurable ? SyncMode.designated : SyncMode.none;
}

/** The merge of two sealed records, or null if one of them is none. */
function mergedBytes(stored: Uint8Array, incoming: Uint8Array): Uint8Array | null {
  try {
    return mergeSealed(stored, incoming);
  } catch (error) {
    if (error instanceof RecordError) return null;
    throw error;
  }
}
