/**
 * Again: the one retry of an op that was refused because replicas already have a newer ring. At `reply` the node asks
 * `mayTryAgain`; instead of answering it waits for that ring, until the deadline at the most, fills a fresh op's lists
 * in from it and begins that one; whatever comes of it is the answer.
 *
 * A put keeps its dot and its record: nothing is minted twice, the sealed bytes are merely sent to the new lists. So
 * the second attempt needs neither the value nor that this node is still one of the targets.
 */
import { assert } from "../base/assert.ts";
import { statusOk } from "../base/errors.ts";
import type { Instant } from "../base/time.ts";
import { GetOp } from "./get.ts";
import type { Op } from "./op.ts";
import { PutOp } from "./put.ts";

/** Whether a refused op may succeed on a ring of `op.staleEpoch` or later: false for the second attempt. */
export function mayTryAgain(now: Instant, op: Op<unknown>): boolean {
  return !op.again && op.status !== statusOk && op.staleEpoch > op.epoch && op.deadline > now;
}

/** The put once more, with what is left of its time. The node fills in the slots, the epoch and `localSlot` (or -1). */
export function putAgain<O>(now: Instant, op: PutOp<O>): PutOp<O> {
  assert(op.prepared, "only replicas that were sent the record can have a newer ring");
  const next = new PutOp(op.origin, op.fullKey, op.quorum);
  carry(now, op, next);
  next.durability = op.durability;
  next.context = op.context;
  next.contextOwn = op.contextOwn;
  next.requestId = op.requestId;
  next.tombstone = op.tombstone;
  next.overwrite = op.overwrite;
  next.second = op.second;
  next.sealed = op.sealed;
  next.version = op.version;
  next.own = op.own;
  return next;
}

/** The get once more, with what is left of its time. The node fills in the slots, the epoch and `localSlot`. */
export function getAgain<O>(now: Instant, op: GetOp<O>): GetOp<O> {
  const next = new GetOp(op.origin, op.fullKey, op.quorum);
  carry(now, op, next);
  return next;
}

function carry<O>(now: Instant, op: Op<O>, next: Op<O>): void {
  next.hashHigh = op.hashHigh;
  next.hashLow = op.hashLow;
  next.partition = op.partition;
  next.again = true;
  next.timeoutUs = op.deadline - now;
}
