/**
 * TransferTable: what the state machines of one node's transfers share: the ring, both kinds of entries, the questions
 * under way, and saving. What a node may say aloud only when it is on stable storage waits for a gate: `save` numbers
 * the state, and `isDurable` tells whether that number has been reached.
 */
import { assert } from "../base/assert.ts";
import { type NodeNumber, noNode, type PartitionId } from "../base/ids.ts";
import { mark } from "../base/mark.ts";
import type { Rng } from "../base/rng.ts";
import { after, type DurationUs, type Instant, never } from "../base/time.ts";
import type { PendingTransfer, Ring } from "../ring/ring.ts";
import type { TransfersFile } from "../wire/gen/codecs.ts";
import { Pace, retryDelay } from "./pace.ts";
import { Synced } from "./synced.ts";
import {
  isLost,
  type ReadRule,
  type ReplicaProgress,
  readRule,
  replicaKey,
  type Transfer,
  type TransferState,
  type TransferWait,
  type WriteRule,
  writeRule,
} from "./transfer.ts";
import type { TransferConfig, TransferEffects } from "./transfer-effects.ts";
import { fileOf, transferOf } from "./transfer-file.ts";

/** The write rule stands in the bits from here on. */
const writeShift = 2;
const ruleMask = 3;
/** No rule has all bits. */
const undecided = 255;

/** Fences tell what the newest ring has moved, and only that ring's: with one in between, anything may have. */
function movedSince(before: Ring, ring: Ring): PartitionId[] {
  const moved: PartitionId[] = [];
  const follows = ring.epoch === before.epoch + 1;
  for (let p = 0; p < ring.partitions; p += 1) {
    if (!follows || ring.fences[p] === ring.epoch) moved.push(p as PartitionId);
  }
  return moved;
}

/** What the table is built from. */
export interface TransferTableOptions {
  readonly me: NodeNumber;
  readonly ring: Ring;
  readonly effects: TransferEffects;
  readonly config: TransferConfig;
  readonly rng: Rng;
  readonly saved: TransfersFile | null;
}

/** Shared by the state machines; not for others. */
export class TransferTable {
  readonly me: NodeNumber;
  readonly effects: TransferEffects;
  readonly config: TransferConfig;
  readonly rng: Rng;
  readonly synced: Synced;
  /** By `replicaKey`: what this node is to own, or had begun to receive before it was cancelled. */
  readonly receiving: Map<number, Transfer> = new Map();
  /** By `replicaKey`: what this node gives or has given up. */
  readonly sending: Map<number, Transfer> = new Map();
  /** Bytes received. */
  readonly pace: Pace;
  /** Pages of deletions. */
  readonly deleting: Pace;
  ring: Ring;
  /** Some transfer may go on although nothing happened to it: set by whoever frees what others wait for. */
  wake = false;
  /** There may be an owner's replica that is not synced and that nobody has looked for. */
  lost = true;
  /** The partitions whose owners or pending member differ from those in the ring before; all, if that one was not here. */
  moved: readonly PartitionId[] = [];
  /** Those, and what the ring before that one had moved: by now nothing is on its way there any more. */
  movedLately: ReadonlySet<PartitionId> = new Set();
  /** All transfers of the ring, whoever takes part. */
  #pending: ReadonlyMap<number, PendingTransfer> = new Map();
  readonly #asked: Map<number, Transfer> = new Map();
  #nextToken = 1;
  /**
   * By n: the rules of each partition, so that a replica request costs one look-up. Each is decided when it is first asked
   * for after a change: a ring that moves many partitions must not stall whoever asks for one of them.
   */
  readonly #rules: (Uint8Array | undefined)[] = new Array<Uint8Array | undefined>(8).fill(undefined);
  /** Of the state, of the newest that must be saved, of the one being saved, and of the one on stable storage. */
  #version = 0;
  #needed = 0;
  #saving = 0;
  #durable = 0;
  #saveFrom: Instant = never;
  /** The question of the page being deleted, even if its transfer was given up meanwhile; 0: none. */
  #deleteToken = 0;
  #deleteKey = 0;

  constructor(options: TransferTableOptions) {
    this.me = options.me;
    this.ring = options.ring;
    this.effects = options.effects;
    this.config = options.config;
    this.rng = options.rng;
    this.pace = new Pace(options.config.bytesPerSecond);
    this.deleting = new Pace(options.config.bytesPerSecond);
    this.synced = new Synced(options.ring.partitions, options.saved?.synced ?? []);
    for (const saved of options.saved?.transfers ?? []) {
      if (saved.partition >= options.ring.partitions || saved.n < 1 || saved.n > 7) continue;
      const transfer = transferOf(saved);
      this.side(transfer).set(replicaKey(transfer.partition, transfer.n), transfer);
    }
  }

  /** The map that holds entries of this kind. */
  side(transfer: Transfer): Map<number, Transfer> {
    return transfer.sending ? this.sending : this.receiving;
  }

  /** Whether there is no entry: as it is nearly always. */
  get isEmpty(): boolean {
    return this.receiving.size === 0 && this.sending.size === 0;
  }

  /** Every entry: first what is received, then what is given up. */
  *all(): IterableIterator<Transfer> {
    yield* this.receiving.values();
    yield* this.sending.values();
  }

  /** Takes a newer ring (or the first); the entries are the caller's to settle, then `refreshMoved`. */
  takeRing(ring: Ring): void {
    const movedBefore = this.moved;
    this.moved = movedSince(this.ring, ring);
    this.movedLately = new Set([...this.moved, ...movedBefore]);
    this.ring = ring;
    const pending = new Map<number, PendingTransfer>();
    for (const transfer of ring.transfers()) pending.set(replicaKey(transfer.partition, transfer.n), transfer);
    this.#pending = pending;
  }

  /** The transfer that the ring lists for this replica. */
  pendingOf(partition: number, n: number): PendingTransfer | undefined {
    return this.#pending.get(replicaKey(partition, n));
  }

  /** All that the ring lists. */
  pendingTransfers(): Iterable<PendingTransfer> {
    return this.#pending.values();
  }

  /** Whether the ring lists this very transfer. */
  isListed(name: { readonly id: number; readonly since: number }, partition: number, n: number): boolean {
    const pending = this.pendingOf(partition, n);
    return pending?.id === name.id && this.ring.fences[partition] === name.since;
  }

  /** The owners of the replica today. */
  owners(partition: PartitionId, n: number): readonly NodeNumber[] {
    return [...this.ring.preferenceList(partition, n).subarray(0, n)] as NodeNumber[];
  }

  /** Whether the operator has given this member up: it leaves, and it is dead. */
  isLost(number: NodeNumber): boolean {
    return isLost(this.ring, number, this.effects);
  }

  // Questions.

  /** Names the question that the transfer is about to ask; it has no other one. */
  ask(transfer: Transfer, deadline: Instant = never): number {
    assert(transfer.token === 0, "one question of a transfer at a time");
    const token = this.nextToken();
    this.#asked.set(token, transfer);
    transfer.token = token;
    transfer.deadline = deadline;
    return token;
  }

  /** A token that no other question has. */
  nextToken(): number {
    const token = this.#nextToken;
    this.#nextToken = token === 0xffff_ffff ? 1 : token + 1;
    return token;
  }

  /** The transfer whose question this answers; undefined: it was given up meanwhile. */
  answered(token: number): Transfer | undefined {
    const transfer = this.#asked.get(token);
    if (transfer !== undefined) this.forget(transfer);
    return transfer;
  }

  /** The transfer that a token belongs to; the question stays open. */
  askedBy(token: number): Transfer | undefined {
    return this.#asked.get(token);
  }

  /** Gives up the question under way: its answer finds nothing. */
  forget(transfer: Transfer): void {
    this.#asked.delete(transfer.token);
    transfer.token = 0;
    transfer.deadline = never;
  }

  /** Waits for that reason and tries again `us` later. */
  retry(now: Instant, transfer: Transfer, wait: TransferWait, us: DurationUs): void {
    transfer.wait = wait;
    transfer.retryAt = after(now, us);
  }

  /** Like `retry`, longer after each failure. */
  backOff(now: Instant, transfer: Transfer, wait: TransferWait): void {
    transfer.attempts += 1;
    const { retryLeastUs, retryMostUs } = this.config;
    this.retry(now, transfer, wait, retryDelay(transfer.attempts, retryLeastUs, retryMostUs, this.rng));
  }

  /** Whether the pace allows nothing yet: the transfer tries again when it may. */
  waitsForPace(now: Instant, transfer: Transfer, pace: Pace): boolean {
    if (!pace.paused && pace.readyAt <= now) return false;
    transfer.wait = pace.paused ? "paused" : "rate";
    transfer.retryAt = pace.paused ? after(now, this.config.pollUs) : pace.readyAt;
    return true;
  }

  /** Begins a state: nothing is waited for. */
  enter(transfer: Transfer, state: TransferState): void {
    transfer.state = state;
    transfer.wait = "none";
    transfer.peer = noNode;
    transfer.attempts = 0;
    transfer.retryAt = 0 as Instant;
    this.refresh(transfer.partition, transfer.n);
  }

  /** Adds an entry, in the place of any other of the same replica and kind. */
  add(transfer: Transfer): void {
    const key = replicaKey(transfer.partition, transfer.n);
    const side = this.side(transfer);
    const former = side.get(key);
    if (former !== undefined) this.drop(former);
    side.set(key, transfer);
    this.refresh(transfer.partition, transfer.n);
  }

  /** Forgets an entry; answers on their way to it find nothing. */
  drop(transfer: Transfer): void {
    this.forget(transfer);
    const key = replicaKey(transfer.partition, transfer.n);
    const side = this.side(transfer);
    assert(side.get(key) === transfer, "the entry is the table's");
    side.delete(key);
    transfer.state = "done";
    this.wake = true;
    this.refresh(transfer.partition, transfer.n);
  }

  // Deletions: the store takes one page at a time.

  /** Asks for the deletion of a page if it is time and none is under way; 0: it waits. */
  askDeletion(now: Instant, transfer: Transfer): number {
    const { deleting, config } = this;
    if (this.#deleteToken !== 0) {
      transfer.wait = "deleting";
      return 0;
    }
    if (this.waitsForPace(now, transfer, deleting)) return 0;
    deleting.take(now, config.deleteCostBytes);
    transfer.wait = "none";
    this.#deleteToken = this.ask(transfer);
    this.#deleteKey = replicaKey(transfer.partition, transfer.n);
    return this.#deleteToken;
  }

  /** The page is done; the store takes the next one. */
  endDeletion(token: number): void {
    assert(token === this.#deleteToken, "one page of a deletion at a time");
    this.#deleteToken = 0;
    this.wake = true;
  }

  /** Whether a page of this replica is being deleted, for whatever reason. */
  isDeleting(partition: number, n: number): boolean {
    return this.#deleteToken !== 0 && this.#deleteKey === replicaKey(partition, n);
  }

  // Saving.

  /**
   * The state as it is now must be on stable storage, and is to be so before anything else happens: it is saved when this
   * event ends. Returns its number, for a gate.
   */
  save(now: Instant): number {
    this.#needed = this.#saveBy(now);
    return this.#needed;
  }

  /** The same for what may wait a little for others: so long that saves take no more than their part of the rate. */
  saveSoon(now: Instant): number {
    const { saveCostBytes, saveWaitMostUs } = this.config;
    this.#needed = this.#saveBy(after(now, Math.min(saveWaitMostUs, this.pace.timeOf(saveCostBytes))));
    return this.#needed;
  }

  /** What a start that does not find it does again, or finds out again: it goes with the next save, or is one in a while. */
  saveLater(now: Instant): void {
    this.#saveBy(after(now, this.config.saveLaterUs));
  }

  #saveBy(at: Instant): number {
    this.#version += 1;
    if (at < this.#saveFrom) this.#saveFrom = at;
    return this.#version;
  }

  /** When what is not saved yet is to be: all transfers are one file, so whatever comes first takes the rest along. */
  get saveAt(): Instant {
    return this.#saving === 0 ? this.#saveFrom : never;
  }

  /** Saves what waits for it, if it is time. */
  saveDue(now: Instant): void {
    if (this.saveAt > now) return;
    this.#saveFrom = never;
    this.#saving = this.#version;
    this.effects.persist(now, fileOf(this.all(), this.synced), this.#saving);
  }

  /** The state of that number is on stable storage; a later one may follow. */
  onPersisted(token: number): void {
    assert(token === this.#saving, "what was saved is what was to be saved");
    this.#durable = token;
    this.#saving = 0;
    this.wake = true;
  }

  /** Whether all that must be on stable storage is. */
  get saved(): boolean {
    return this.#durable >= this.#needed;
  }

  /** Whether the state of that number is on stable storage. */
  isDurable(gate: number): boolean {
    return this.#durable >= gate;
  }

  // Rules.

  /** What becomes of a replica read now. */
  readRule(partition: PartitionId, n: number): ReadRule {
    return (this.#rule(partition, n) & ruleMask) as ReadRule;
  }

  /** What becomes of a replica write now. */
  writeRule(partition: PartitionId, n: number): WriteRule {
    return (this.#rule(partition, n) >>> writeShift) as WriteRule;
  }

  #rule(partition: PartitionId, n: number): number {
    const rule = this.#rules[n]?.[partition] as number | undefined;
    return rule === undefined || rule === undecided ? this.#decide(partition, n) : rule;
  }

  #decide(partition: PartitionId, n: number): number {
    const progress = this.progressOf(partition, n);
    const read = readRule(this.ring, partition, n, this.me, progress);
    const rule = read | (writeRule(this.ring, partition, n, this.me, progress) << writeShift);
    let rules = this.#rules[n];
    if (rules === undefined) {
      rules = new Uint8Array(this.ring.partitions).fill(undecided);
      this.#rules[n] = rules;
    }
    rules[partition] = rule;
    return rule;
  }

  /** Has the rules of a replica decided anew: after any change of its entries, its `synced`, or what is durable. */
  refresh(partition: number, n: number): void {
    const rules = this.#rules[n];
    if (rules !== undefined) rules[partition] = undecided;
  }

  /** After an n has been taken up. */
  forgetRules(n: number): void {
    this.#rules[n] = undefined;
  }

  /** After a new ring: the rules of what it moves. */
  refreshMoved(): void {
    for (const n of this.#rules.keys()) {
      if (this.ring.listSizes.includes(n)) for (const p of this.moved) this.refresh(p, n);
      else this.#rules[n] = undefined;
    }
  }

  /** What this node knows of its replica. */
  progressOf(partition: PartitionId, n: number): ReplicaProgress {
    const key = replicaKey(partition, n);
    const receiving = this.receiving.get(key);
    const sending = this.sending.get(key);
    return {
      synced: this.synced.has(partition, n),
      closed: sending?.state === "confirmed",
      cleared: receiving?.cleared === true,
      reopening: sending?.state === "reopening",
    };
  }

  /** The replica may lack something. */
  loseSynced(now: Instant, partition: PartitionId, n: number): void {
    if (!this.synced.clear(partition, n)) return;
    this.lost = true;
    mark("transfers.synced-lost");
    const receiving = this.receiving.get(replicaKey(partition, n));
    if (receiving?.state === "confirmed") {
      receiving.verified = [];
      receiving.storeSynced = false;
      this.enter(receiving, "catching-up");
    }
    this.refresh(partition, n);
    this.save(now);
    this.wake = true;
  }
}
