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
import { type Status, statusOk } from "../base/errors.ts";
import type { PartitionId } from "../base/ids.ts";
import { Slab } from "../base/slab.ts";
import { after, type DurationUs, type Instant, instant } from "../base/time.ts";
import type { Quorum } from "./quorum.ts";
import { allSlots, causeOf, distinctHosts, slotsMax } from "./tally.ts";

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
  /** A preference list of the bucket's n: entry i is the node of slot i. Shared, never changed. */
  targetNumbers: Uint16Array = noTargets;
  hostOf: number = distinctHosts;
  fallbacks = 0;
  /** What is left of the client's time at `begin`. */
  timeoutUs: DurationUs = 0;

  // The coordinator's part.
  id = -1;
  /** How many slots there are: the quorum's n, or what the preference list has if that is less. */
  targets = 0;
  started: Instant = instant(0);
  /** When the coordinator answers and forgets, whatever came. */
  deadline: Instant = instant(0);
  /** When a replica may stop: earlier, so that its answer can still be of use. The node sends what is left of it. */
  replicaDeadline: Instant = instant(0);
  /** Slots that were asked and have not answered. */
  awaiting = 0;
  failed = 0;
  replied = false;
  /** 0, the status that all failed slots gave, or `mixedCauses`. */
  cause = 0;
  /** Of the latest failure: the replica's own words. */
  lastStatus: Status = statusOk;
  lastMessage = "";
  /** The answer to the client; the message is empty on success. */
  status: Status = statusOk;
  message = "";

  constructor(origin: O, fullKey: Uint8Array, quorum: Quorum) {
    this.origin = origin;
    this.fullKey = fullKey;
    this.quorum = quorum;
  }
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

/** Limits of one coordinator. */
export interface OpTableOptions {
  /**
   * How many ops may be in flight, 1..65,536. Those that were answered and still wait for a straggler count: with one
   * silent peer it takes rate x timeout. More costs memory (each op holds its record); fewer refuses work.
   */
  readonly opsMax: number;
  /** How long before the client's deadline a replica's ends; at most half of the client's time is taken. */
  readonly replicaMarginUs: DurationUs;
}

/** The ops of one coordinator. */
export class OpTable<T extends Op<unknown>> {
  readonly #ops: Slab<T>;
  readonly #deadlines = new DeadlineQueue();
  readonly #replicaMarginUs: DurationUs;
  #inside = false;

  constructor(options: OpTableOptions) {
    assert(options.replicaMarginUs >= 0, "a margin is not negative");
    this.#ops = new Slab(options.opsMax);
    this.#replicaMarginUs = options.replicaMarginUs;
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

  /** Takes an op in: slots, id, deadlines. The table is not full. */
  admit(now: Instant, op: T): void {
    assert(op.id < 0, "an op is begun once");
    op.targets = Math.min(op.quorum.n, op.targetNumbers.length);
    assert(op.targets >= 1 && op.targets <= slotsMax, "an op has 1 to 8 targets");
    assert(op.localSlot < op.targets, "the local slot is one of the targets");
    assert((op.fallbacks & ~allSlots(op.targets)) === 0, "a fallback is one of the targets");
    op.id = this.#ops.add(op);
    op.started = now;
    op.deadline = this.#deadlines.push(now, op.id, op.timeoutUs);
    op.replicaDeadline = after(now, op.timeoutUs - Math.min(this.#replicaMarginUs, op.timeoutUs >>> 1));
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

  nextDeadline(): Instant {
    return this.#deadlines.next();
  }

  /** Visits every op; the visitor may remove it. A cold path. */
  forEach(visit: (op: T) => void): void {
    this.#ops.forEach(visit);
  }
}
