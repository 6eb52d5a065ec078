/**
 * PutOps: what a put makes of all that a replica holds of its key: its dot, and the set with its write in it, or why it
 * is refused. Decides, and writes nothing.
 *
 * Puts of one key that wait for each other share a write: each has its own dot, and all are sealed, logged and sent as
 * one record (`isGathered` tells when the first of a turn waits for the others). Unshared, a burst of puts with one
 * context, each of which leaves a sibling, costs its square: k records of up to k values each.
 */
import { equalBytes } from "../base/bytes.ts";
import { type Status, wireOf } from "../base/errors.ts";
import { mark } from "../base/mark.ts";
import type { Instant } from "../base/time.ts";
import { sealedBytes } from "../version/record.ts";
import type { SiblingSet } from "../version/sibling-set.ts";
import type { Dot } from "../version/version-vector.ts";
import type { Actors } from "./actors.ts";
import type { Continuity } from "./continuity.ts";
import { type HintOps, noHintRoom } from "./hint-ops.ts";
import type { HybridClock } from "./hybrid-clock.ts";
import { ReplicaKind, type ReplicaOp } from "./replica-op.ts";
import { DiskRoom, type ReplicaOptions, recordBytesMaxDefault } from "./replica-options.ts";
import { Retries } from "./retries.ts";

const expired = wireOf("EXPIRED");
const overloaded = wireOf("OVERLOADED");
const tooManySiblings = wireOf("TOO_MANY_SIBLINGS");
/** Why a node whose disk is nearly full refuses. */
export const diskFull = "the disk is nearly full: this node takes no new keys";

/** From this many siblings on a put is marked: the application does not merge what it reads. */
const siblingsWarn = 8;
/** A record is dear to write again if it is so many times the write that is added, which counts for this much at the least. */
const dearTimes = 4;
const writeBytesLeast = 128;

function refuse(op: ReplicaOp<unknown>, status: Status, message: string): null {
  op.status = status;
  op.message = message;
  return null;
}

/** The op's time was over before its turn came. */
export function expire(op: ReplicaOp<unknown>): null {
  mark("replica.expired");
  return refuse(op, expired, "the deadline had passed when the turn came");
}

/** Whether an op whose key holds this record is a put that waits for others of its key until the turn ends. */
export function isGathered(op: ReplicaOp<unknown>, stored: Uint8Array): boolean {
  if (op.kind !== ReplicaKind.put || op.gathered || op.target !== 0) return false;
  return stored.length > dearTimes * (op.value.length + writeBytesLeast);
}

/** Whether a waiter for the lock of a put's key is a put that can share its write. Two keys may have one lock. */
export function canShareWrite(op: ReplicaOp<unknown>, next: ReplicaOp<unknown>): boolean {
  if (next.kind !== ReplicaKind.put || op.target !== 0 || next.target !== 0) return false;
  return op.durability === next.durability && op.n === next.n && equalBytes(op.fullKey, next.fullKey);
}

/** The decisions about one replica's puts. */
export class PutOps {
  readonly #actors: Actors;
  readonly #clock: HybridClock;
  readonly #continuity: Continuity;
  readonly #hintOps: HintOps;
  readonly #retries: Retries;
  readonly #keepRecentFor: number;
  readonly #recordBytesMax: number;
  readonly #diskRoom: () => DiskRoom;

  constructor(options: ReplicaOptions<unknown>, continuity: Continuity, hintOps: HintOps, diskRoom: () => DiskRoom) {
    const {
      actors,
      clock,
      keepRecentForSeconds,
      retriesMax = 65_536,
      recordBytesMax = recordBytesMaxDefault,
    } = options;
    this.#actors = actors;
    this.#clock = clock;
    this.#continuity = continuity;
    this.#hintOps = hintOps;
    this.#retries = new Retries({ entriesMax: retriesMax, window: keepRecentForSeconds * 1_000_000 });
    this.#keepRecentFor = keepRecentForSeconds;
    this.#recordBytesMax = recordBytesMax;
    this.#diskRoom = diskRoom;
  }

  /**
   * `held`, which is all that this node holds of the key, with the op's write in it, and the context of the op's reply;
   * or `held` itself if this is a retry of a write that it holds. Null: refused, and `op.status` says why.
   */
  add(now: Instant, op: ReplicaOp<unknown>, held: SiblingSet): SiblingSet | null {
    if (op.deadline <= now) return expire(op);
    const { context, contextOwn, requestId, hashHigh, hashLow } = op;
    const shown = contextOwn === null ? context : context.with(contextOwn.dot);
    this.#continuity.check(now, op.partition, shown, held.version);
    const known = this.#retries.dotIn(now, held, requestId, hashHigh, hashLow);
    if (known !== undefined) {
      mark("replica.retry");
      if (!this.#hintOps.fits(op, sealedBytes(held))) return refuse(op, overloaded, noHintRoom);
      op.noteSeen(held, known);
      return held;
    }
    if (held.isEmpty && this.#diskRoom() !== DiskRoom.enough) return refuse(op, overloaded, diskFull);
    if (this.#actors.exhausted(op.partition)) {
      mark("replica.lease-exhausted");
      return refuse(op, overloaded, "the next counter lease is still being saved");
    }
    return this.#mint(now, op, held);
  }

  /** A put that is refused here has used up a counter: no record ever shows it, so nobody misses it. */
  #mint(now: Instant, op: ReplicaOp<unknown>, held: SiblingSet): SiblingSet | null {
    const { partition, context, contextOwn: own, requestId, value, tombstone, second } = op;
    const counter = this.#actors.mint(now, partition);
    const dot: Dot = {
      actorHigh: this.#actors.actorHigh(partition),
      actorLow: this.#actors.actorLow(partition),
      counter,
    };
    const keepRecentFor = this.#keepRecentFor;
    const stamp = op.lww ? this.#clock.next(held.stamp) : 0;
    const after = held.put({ context, own, dot, requestId, value, tombstone, second, stamp, keepRecentFor });
    const count = after.weight;
    if (count > op.siblingsMax) return refuse(op, tooManySiblings, "the key would have too many siblings");
    if (count >= siblingsWarn) mark("replica.many-siblings");
    const bytes = sealedBytes(after);
    if (bytes > this.#recordBytesMax) {
      return refuse(op, tooManySiblings, "the key's siblings would be too large together");
    }
    if (!this.#hintOps.fits(op, bytes)) return refuse(op, overloaded, noHintRoom);
    this.#retries.add(now, requestId, op.hashHigh, op.hashLow, dot);
    op.noteSeen(after, dot);
    return after;
  }
}
