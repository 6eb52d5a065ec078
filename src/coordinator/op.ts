/**
 * Op and OpTable: what a put and a get in flight have in common. An op is one object with plain fields and bit masks;
 * the table gives it an id, finds it when an answer echoes that id, keeps its deadline, and asserts that no effect
 * calls its core back before it returns.
 *
 * An op stays in the table until every slot has answered or the deadline passes, so its id is not given to another
 * while an answer may still be under way.
 */
import { assert } from "../base/assert.ts";
import { DeadlineQueue } from "../base/deadlines.ts";
import { errorTable, type Status, statusOk } from "../base/errors.ts";
import type { PartitionId } from "../base/ids.ts";
import { mark } from "../base/mark.ts";
import { Slab } from "../base/slab.ts";
import { after, type DurationUs, type Instant, instant, never } from "../base/time.ts";
import type { Quorum } from "./quorum.ts";
import { allSlots, ownSlots, slotsMax } from "./slots.ts";
import { causeOf } from "./tally.ts";

/** The walk over all ops for silent slots happens at most so often. */
const lookEveryUs: DurationUs = 10_000;

const noTargets = new Uint16Array(0);

/** A request in flight. `origin` is the node's own object, carried and never looked at. */
export class Op<O> {
  // The node's part, set before `begin`.
  origin: O;
  /** Owned: it outlives the frame it came in. */
  fullKey: Uint8Array;
  quorum: Quorum;
  hashHigh = 0;
  hashLow = 0;
  partition: PartitionId = 0 as PartitionId;
  /** The coordinator's own slot, or -1. */
  localSlot = -1;
  /** Entry i is the node of slot i; candidate fallbacks follow. A shared preference list where it will do: never changed. */
  targetNumbers: Uint16Array = noTargets;
  /** The owners in the order of their slots, and the pending member. Empty: they are `targetNumbers` itself. */
  ownerNumbers: Uint16Array = noTargets;
  /** How many entries of `targetNumbers` after the first slots may be asked in place of owners. */
  candidates = 0;
  /** Packed: slots with equal numbers are on one host. Holds for slots added later, too. */
  hostOf: number = ownSlots;
  /** Slots that are asked in place of an owner: a put's record is kept there as a hint, a get reads the hints. */
  fallbacks = 0;
  /**
   * While the list changes: the slot after the owners' (a put asks it with them, a get only in place of the replaced
   * owner), and the slot of the owner who is being replaced. Else -1.
   */
  pendingSlot = -1;
  replacedSlot = -1;
  /** Of the ring that the lists are from. */
  epoch = 0;
  /** This is the second attempt, on a newer ring: there is no third. */
  again = false;
  /** How long the request may have waited until the node read it. Carried, and never looked at. */
  waitedUs: DurationUs = 0;
  /** What is left of the client's time at `begin`. */
  timeoutUs: DurationUs = 0;

  // The coordinator's part.
  id = -1;
  /** How many slots there are: the owners, the pending member if it is asked, fallbacks added so far. */
  targets = 0;
  /** Packed: whom each slot counts for. */
  standsFor: number = ownSlots;
  started: Instant = instant(0);
  /** When the coordinator answers and forgets, whatever came. */
  deadline: Instant = instant(0);
  /** When a replica may stop: earlier, so that its answer can still be of use. The node sends what is left of it. */
  replicaDeadline: Instant = instant(0);
  /** How long a slot may say nothing before something is done about it. */
  silenceUs: DurationUs = 0;
  /** When the coordinator next looks for silent slots. */
  lookAt: Instant = instant(0);
  /** Slots that were asked and have not answered. */
  awaiting = 0;
  /** Slots that said nothing for so long. They may still answer. */
  silent = 0;
  /** Slots asked so lately that the next look spares them. */
  fresh = 0;
  /** Slots that were added while the op ran. */
  added = 0;
  failed = 0;
  replied = false;
  /** 0, the status that all failed slots gave, or `mixedCauses`. */
  cause = 0;
  /** Of the latest failure: the replica's own words. */
  lastStatus: Status = statusOk;
  lastMessage = "";
  /** The epoch of a ring newer than `epoch` of which a replica has told, or 0. */
  staleEpoch = 0;
  /** The answer to the client; the message is empty on success. */
  status: Status = statusOk;
  message = "";

  constructor(origin: O, fullKey: Uint8Array, quorum: Quorum) {
    this.origin = origin;
    this.fullKey = fullKey;
    this.quorum = quorum;
  }
}

/** What both coordinators tell the node about the way to its peers; each call is one effect. */
export interface RouteEffects<T> {
  /**
   * A slot that is not this node's own has answered with `status`, `latencyUs` after it was asked; -1: that says nothing
   * of the way there, because it had to sync first, or was not asked with the others. Also called, with the status that
   * the node gave, for what the node could not even send; not called in `onTargetLost`.
   */
  heard(now: Instant, op: T, slot: number, status: Status, latencyUs: DurationUs): void;
  /** A slot that is not this node's own has said nothing for `op.silenceUs`. At most once per op and slot. */
  silent(now: Instant, op: T, slot: number): void;
  /**
   * A replica refused the op because its ring is newer: fetch the ring of that `epoch` or a later one. If the op is
   * refused for it, `mayTryAgain` says so at its `reply`.
   */
  staleRing(now: Instant, epoch: number): void;
}

/** The slots that have been silent since the last look: from now on noted as such, and the node is told of them. */
export function takeSilent<T extends Op<unknown>>(now: Instant, op: T, effects: RouteEffects<T>): number {
  const quiet = op.awaiting & ~(op.silent | op.fresh);
  op.silent |= quiet;
  op.fresh = 0;
  for (let slot = 0; slot < op.targets; slot += 1) {
    if ((quiet & (1 << slot)) !== 0 && slot !== op.localSlot) effects.silent(now, op, slot);
  }
  return quiet;
}

/** Notes what the client is about to be answered. */
export function noteAnswer(op: Op<unknown>, status: Status, message: string): void {
  assert(!op.replied, "an op is answered once");
  op.replied = true;
  op.status = status;
  op.message = message;
}

/** Whether a replica's refusal is due to a ring newer than the op's: notes its epoch the first time. */
export function findsStale(op: Op<unknown>, status: Status, epoch: number): boolean {
  if (status !== errorTable.WRONG_OWNER.wire || epoch <= Math.max(op.epoch, op.staleEpoch)) return false;
  mark("op.stale-ring");
  op.staleEpoch = epoch;
  return true;
}

/** What a full coordinator answers. */
export const fullMessage = "too many requests are in flight on this node";

/** Notes that a slot failed and why. */
export function failSlot(op: Op<unknown>, slot: number, status: Status, message: string): void {
  assert(status !== statusOk, "a failure has a status");
  op.failed |= 1 << slot;
  op.cause = causeOf(op.cause, status);
  op.lastStatus = status;
  op.lastMessage = message;
}

/** How many owners are asked: the quorum's n, or what the preference list has if that is less. */
export function firstSlots(op: Op<unknown>): number {
  return Math.min(op.quorum.n, op.targetNumbers.length);
}

/** Limits of one coordinator. */
export interface OpTableOptions {
  /**
   * How many ops may be in flight, 1..65,536. Those that were answered and still wait for a straggler count: with one
   * silent peer it takes rate x timeout. More costs memory (each op holds its record); fewer refuses work.
   */
  readonly opsMax: number;
  /** How long before the client's deadline a replica's ends; at most half of the client's time is taken. */
  readonly replicaMarginUs: DurationUs;
  /**
   * How long a slot may say nothing; at most a quarter of the client's time is waited. Less sends more hints to fallbacks
   * for nodes that were only slow; more makes a put whose owner hangs wait longer for its fallback.
   */
  readonly silenceUs: DurationUs;
}

/** The ops of one coordinator. */
export class OpTable<T extends Op<unknown>> {
  readonly #ops: Slab<T>;
  readonly #deadlines = new DeadlineQueue();
  #nextLook: Instant = never;
  readonly #replicaMarginUs: DurationUs;
  readonly #silenceUs: DurationUs;
  #inside = false;

  constructor(options: OpTableOptions) {
    assert(options.replicaMarginUs >= 0, "a margin is not negative");
    assert(options.silenceUs > 0, "a silence takes time");
    this.#ops = new Slab(options.opsMax);
    this.#replicaMarginUs = options.replicaMarginUs;
    this.#silenceUs = options.silenceUs;
  }

  get size(): number {
    return this.#ops.size;
  }

  get full(): boolean {
    return this.#ops.full;
  }

  /** Every event of the core begins with this and ends with `leave`. */
  enter(): void {
    assert(!this.#inside, "an effect called its core back");
    this.#inside = true;
  }

  leave(): void {
    this.#inside = false;
  }

  /** Takes an op in with its first slots: id, deadlines. The table is not full. */
  admit(now: Instant, op: T, targets: number): void {
    assert(op.id < 0, "an op is begun once");
    assert(targets >= 1 && targets <= slotsMax, "an op has 1 to 8 targets");
    assert(targets + op.candidates <= op.targetNumbers.length, "there are as many candidates as are counted");
    assert(op.pendingSlot < op.targetNumbers.length, "the pending member is one of the targets");
    assert(op.pendingSlot < 0 || op.replacedSlot >= 0, "a pending member replaces an owner");
    assert(op.localSlot < targets, "the local slot is one of the targets");
    assert((op.fallbacks & ~allSlots(targets)) === 0, "a fallback is one of the targets");
    op.targets = targets;
    if (op.ownerNumbers.length === 0) op.ownerNumbers = op.targetNumbers;
    op.id = this.#ops.add(op);
    op.started = now;
    op.deadline = this.#deadlines.push(now, op.id, op.timeoutUs);
    op.replicaDeadline = after(now, op.timeoutUs - Math.min(this.#replicaMarginUs, op.timeoutUs >>> 1));
    op.silenceUs = Math.max(1, Math.min(this.#silenceUs, op.timeoutUs >>> 2));
    this.watch(now, op);
  }

  /** Has `forEachSilent` find the op if it is still here after a silence; the deadline is looked at anyway. */
  watch(now: Instant, op: T): void {
    const at = after(now, op.silenceUs);
    op.lookAt = at < op.deadline ? at : never;
    if (op.lookAt < this.#nextLook) this.#nextLook = op.lookAt;
  }

  /** Gives an op that is still here a new deadline. */
  extend(now: Instant, op: T, timeout: DurationUs): void {
    op.deadline = this.#deadlines.push(now, op.id, timeout);
  }

  /** The op with this id, unless it has left. */
  find(id: number): T | undefined {
    return this.#ops.get(id);
  }

  /** The op leaves; its id finds nothing from here on. */
  remove(op: T): void {
    this.#ops.remove(op.id);
  }

  /** The next op whose deadline has come; call until undefined, removing or extending each. */
  nextExpired(now: Instant): T | undefined {
    for (let id = this.#deadlines.expired(now); id >= 0; id = this.#deadlines.expired(now)) {
      const op = this.#ops.get(id);
      // An entry outlives an op that finished early or was extended, and its id may serve a later op by now.
      if (op !== undefined && op.deadline <= now) return op;
    }
    return undefined;
  }

  /**
   * Visits the ops that should be looked at for silent slots; the visitor may remove the op, or watch it again. Silence is
   * rare and ops are many, so this walks over all of them now and then instead of queueing each.
   */
  forEachSilent(now: Instant, visit: (op: T) => void): void {
    if (now < this.#nextLook) return;
    this.#nextLook = never;
    let next: Instant = never;
    this.#ops.forEach((op) => {
      if (op.lookAt <= now) {
        op.lookAt = never;
        if (op.awaiting !== 0) visit(op);
      }
      if (op.lookAt < next) next = op.lookAt;
    });
    if (next !== never) this.#nextLook = Math.max(next, now + lookEveryUs) as Instant;
  }

  nextDeadline(): Instant {
    if (this.#ops.size === 0) return never;
    return Math.min(this.#deadlines.next(), this.#nextLook) as Instant;
  }

  /** Visits every op; the visitor may remove it. A cold path. */
  forEach(visit: (op: T) => void): void {
    this.#ops.forEach(visit);
  }
}
