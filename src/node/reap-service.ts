/**
 * ReapService: this node as one that is asked whether something may be forgotten for good, and as an owner that forgets it
 * (repair/reaper.ts). What stands against it is read off the ring, the own record and the hints of the key; a "nothing does"
 * leaves only when it rests on stable storage: the own record must not be older after a power cut, nor a deleted hint or
 * copy be back.
 */
import { canary } from "../base/canary.ts";
import { bucketOf } from "../base/full-key.ts";
import { Hash64, hashKey } from "../base/hash.ts";
import type { PartitionId } from "../base/ids.ts";
import { mark } from "../base/mark.ts";
import { Slab } from "../base/slab.ts";
import { after, type DurationUs, type Instant } from "../base/time.ts";
import { ReadRule } from "../handoff/transfer.ts";
import type { Candidate } from "../repair/reap-candidate.ts";
import type { ReapQuestion } from "../repair/reap-round.ts";
import { ReapVerdict } from "../repair/reap-verdict.ts";
import type { Actors } from "../replica/actors.ts";
import { ReplicaKind, ReplicaOp } from "../replica/replica.ts";
import { openRecord } from "../version/record.ts";
import { causalHash, isDeleted } from "../version/sibling-set.ts";
import type { ReapReply } from "../wire/gen/codecs.ts";
import type { Environment } from "./environment.ts";
import { LocalRecords, type RecordAsker, type RunLocally } from "./local-records.ts";
import type { PartResources } from "./repairing.ts";
import type { ReplicaOrigin, ReplicaTask } from "./request.ts";
import type { NodeState } from "./state.ts";
import type { StoreAsker, StoreQuestions } from "./store-questions.ts";

/** Longest wait of a local op for its turn. */
const patienceUs: DurationUs = 10_000_000;
const asksMax = 512;
/** Reads of all asks: a record and the hints of each key. */
const readsMax = 2 * 64 * asksMax;
/** Reaped keys that are remembered, for people. */
const remembered = 4_096;

/** What the service stands on: the little of a node that its verdicts need, so that a model can be such a node too. */
export interface ReapGround {
  readonly shared: Pick<NodeState, "ring" | "number" | "epoch" | "readRule" | "metrics"> & {
    readonly env: Pick<Environment, "wallMs">;
  };
  readonly run: RunLocally;
  readonly questions: () => Pick<StoreQuestions, "settleLog">;
  readonly actors: () => Actors;
}

/** The same in a node, with what its other parts need. */
export type ReapResources = PartResources & ReapGround;

/** Takes an answer; null: there is too much under way. */
export type ReapDone = (reply: ReapReply | null) => void;

/** One request until its answer. */
class Ask {
  readonly request: ReapQuestion;
  readonly done: ReapDone;
  readonly verdicts: Uint8Array;
  /** Answers of the own store that are awaited. */
  open = 0;

  constructor(request: ReapQuestion, done: ReapDone) {
    this.request = request;
    this.done = done;
    this.verdicts = new Uint8Array(request.keys.length);
  }

  object(index: number, verdict: ReapVerdict): void {
    if (this.verdicts[index] === ReapVerdict.clear) this.verdicts[index] = verdict;
  }
}

/** A read for one key of an ask. */
interface Read {
  readonly ask: number;
  readonly index: number;
  readonly ofHints: boolean;
}

/** One key of a commit at the own replica. */
class Forgetting implements ReplicaTask {
  readonly #ended: (() => void)[];
  readonly #end: (op: ReplicaOp<ReplicaOrigin>) => void;

  constructor(ended: (() => void)[], end: (op: ReplicaOp<ReplicaOrigin>) => void) {
    this.#ended = ended;
    this.#end = end;
  }

  onReplicaDone(_now: Instant, op: ReplicaOp<ReplicaOrigin>): void {
    this.#ended.push(() => this.#end(op));
  }
}

export class ReapService implements RecordAsker, StoreAsker {
  readonly #resources: ReapGround;
  readonly #records: LocalRecords;
  readonly #asks: Slab<Ask> = new Slab(asksMax);
  readonly #reads: Slab<Read> = new Slab(readsMax);
  readonly #ended: (() => void)[] = [];
  readonly #hash: Hash64 = new Hash64();
  /** Key hash to the second in which its tombstone went, oldest first. */
  readonly #reaped: Map<string, number> = new Map();
  readonly #tombstones;
  readonly #pruned;

  constructor(resources: ReapGround) {
    this.#resources = resources;
    this.#records = new LocalRecords(resources.shared, resources.run);
    this.#tombstones = resources.shared.metrics.counter("tombstones_reaped");
    this.#pruned = resources.shared.metrics.counter("version_entries_pruned");
  }

  /** When this node forgot a tombstone of the key, in seconds since 1970; 0: not as far as it remembers. */
  reapedAt(high: number, low: number): number {
    return this.#reaped.get(`${high}/${low}`) ?? 0;
  }

  /** What this node knows against forgetting anything of (partition, n), whatever the key. */
  verdictOf({ epoch, partition, n }: ReapQuestion): ReapVerdict {
    const { ring, number } = this.#resources.shared;
    if (epoch !== ring.epoch || partition >= ring.partitions || !ring.listSizes.includes(n))
      return ReapVerdict.otherRing;
    if (ring.pendingOf(partition as PartitionId, n) !== undefined) return ReapVerdict.transferPending;
    if (!ring.isOwner(partition as PartitionId, n, number)) return ReapVerdict.clear;
    const rule = this.#resources.shared.readRule(partition as PartitionId, n);
    return rule === ReadRule.serve ? ReapVerdict.clear : ReapVerdict.unsynced;
  }

  /** What stands against it, key by key; told later, never inside the call. */
  prepare(now: Instant, request: ReapQuestion, done: ReapDone): void {
    const id = this.#open(request, done);
    if (id < 0) return;
    const ask = this.#asks.get(id) as Ask;
    const general = this.verdictOf(request);
    for (const [index, { fullKey }] of request.keys.entries()) {
      ask.object(index, general);
      if (!this.#belongs(fullKey, request)) ask.object(index, ReapVerdict.otherRing);
      if (ask.verdicts[index] !== ReapVerdict.clear) continue;
      ask.open += 2;
      this.#records.read(now, this, this.#reads.add({ ask: id, index, ofHints: false }), fullKey);
      this.#records.readHints(now, this, this.#reads.add({ ask: id, index, ofHints: true }), fullKey);
    }
    if (ask.open === 0) this.#ended.push(() => this.#answer(id));
  }

  /** The asks are bounded by a slab of their own, and so are their reads. */
  #open(request: ReapQuestion, done: ReapDone): number {
    if (!this.#asks.full) return this.#asks.add(new Ask(request, done));
    this.#ended.push(() => done(null));
    return -1;
  }

  #belongs(fullKey: Uint8Array, { partition, n }: ReapQuestion): boolean {
    const { ring } = this.#resources.shared;
    if (fullKey.length < 2) return false;
    hashKey(fullKey, this.#hash);
    return ring.partitionOf(this.#hash.high) === partition && ring.policyOf(bucketOf(fullKey)).n === n;
  }

  onRecord(now: Instant, id: number, sealed: Uint8Array | null, error: string | null): void {
    const read = this.#reads.get(id) as Read;
    this.#reads.remove(id);
    const ask = this.#asks.get(read.ask) as Ask;
    ask.object(read.index, error !== null ? ReapVerdict.unreadable : this.#judge(ask.request, read, sealed));
    ask.open -= 1;
    if (ask.open > 0) return;
    if (ask.verdicts.includes(ReapVerdict.clear)) this.#resources.questions().settleLog(now, this, read.ask);
    else this.#answer(read.ask);
  }

  #judge({ partition, n, keys }: ReapQuestion, { index, ofHints }: Read, sealed: Uint8Array | null): ReapVerdict {
    const { ring, number } = this.#resources.shared;
    if (ofHints) return sealed === null || canary("reap-ignores-hints") ? ReapVerdict.clear : ReapVerdict.hint;
    if (!ring.isOwner(partition as PartitionId, n, number))
      return sealed === null ? ReapVerdict.clear : ReapVerdict.copy;
    if (sealed === null) return ReapVerdict.differs;
    const { fullKey, entries, hashHigh, hashLow } = keys[index] as Candidate;
    const set = openRecord(sealed);
    if (entries.length > 0) return set.without(entries) === null ? ReapVerdict.differs : ReapVerdict.clear;
    causalHash(set, fullKey, this.#hash);
    const same = this.#hash.high === hashHigh && this.#hash.low === hashLow && isDeleted(set);
    return same ? ReapVerdict.clear : ReapVerdict.differs;
  }

  onMoved(): void {}

  /** What the answer rests on is on stable storage. */
  onStoreSynced(_now: Instant, id: number): void {
    this.#ended.push(() => this.#answer(id));
  }

  /** The ring may have changed since: the verdict is that of the moment in which it leaves. */
  #answer(id: number): void {
    const ask = this.#asks.get(id) as Ask;
    this.#asks.remove(id);
    const general = this.verdictOf(ask.request);
    for (let i = 0; i < ask.verdicts.length; i += 1) ask.object(i, general);
    const { partition } = ask.request;
    const { shared, actors } = this.#resources;
    const known = partition < shared.ring.partitions;
    ask.done({
      epoch: shared.epoch,
      verdicts: ask.verdicts,
      actorHigh: known ? actors().actorHigh(partition) : 0,
      actorLow: known ? actors().actorLow(partition) : 0,
    });
  }

  /** Everybody has answered: forgets what is still as it was; told later, never inside the call. */
  commit(now: Instant, request: ReapQuestion, done: ReapDone): void {
    const id = this.#open(request, done);
    if (id < 0) return;
    const ask = this.#asks.get(id) as Ask;
    const { ring, number } = this.#resources.shared;
    const general = this.verdictOf(request);
    const owns = general === ReapVerdict.clear && ring.isOwner(request.partition as PartitionId, request.n, number);
    for (const [index, key] of request.keys.entries()) {
      if (!owns) ask.object(index, general === ReapVerdict.clear ? ReapVerdict.otherRing : general);
      else if (!this.#belongs(key.fullKey, request)) ask.object(index, ReapVerdict.otherRing);
      else {
        ask.open += 1;
        this.#forget(now, id, index, key, request);
      }
    }
    if (ask.open === 0) this.#ended.push(() => this.#answer(id));
  }

  #forget(now: Instant, id: number, index: number, key: Candidate, { partition, n }: ReapQuestion): void {
    const task = new Forgetting(this.#ended, (op) => this.#onForgotten(id, index, op));
    const op = new ReplicaOp<ReplicaOrigin>(ReplicaKind.forget, task, key.fullKey.slice());
    hashKey(op.fullKey, this.#hash);
    op.hashHigh = this.#hash.high;
    op.hashLow = this.#hash.low;
    op.partition = partition;
    op.n = n;
    op.causalHigh = key.hashHigh;
    op.causalLow = key.hashLow;
    op.entries = key.entries;
    op.deadline = after(now, patienceUs);
    this.#resources.run(op);
  }

  #onForgotten(id: number, index: number, op: ReplicaOp<ReplicaOrigin>): void {
    const ask = this.#asks.get(id) as Ask;
    if (!op.removed) ask.object(index, ReapVerdict.differs);
    else if (op.entries.length > 0) this.#pruned.value += op.entries.length / 3;
    else this.#remember(op);
    ask.open -= 1;
    if (ask.open === 0) this.#answer(id);
  }

  #remember({ hashHigh, hashLow }: ReplicaOp<ReplicaOrigin>): void {
    mark("tomb.reap");
    this.#tombstones.value += 1;
    const name = `${hashHigh}/${hashLow}`;
    this.#reaped.delete(name);
    this.#reaped.set(name, Math.floor(this.#resources.shared.env.wallMs() / 1000));
    if (this.#reaped.size <= remembered) return;
    for (const oldest of this.#reaped.keys()) {
      this.#reaped.delete(oldest);
      return;
    }
  }

  /** Tells the answers that have gathered: no core and no store is on the stack now. */
  settle(now: Instant): void {
    this.#records.settle(now);
    while (this.#ended.length > 0) for (const end of this.#ended.splice(0)) end();
  }
}
