/**
 * Forget: what is left of a record when a certified part of it goes. Who decides that a part is needed nowhere any more
 * is `repair/reaper.ts`; here it is only held against the record as it is at this moment, because a write may have come
 * between.
 */
import { Hash64 } from "../base/hash.ts";
import { causalHash, isDeleted, SiblingSet } from "../version/sibling-set.ts";
import type { ReplicaOp } from "./replica-op.ts";

const hash = new Hash64();

/** The record without what the op forgets, empty if all of it goes; null: it is not what was certified, and stays. */
export function restOf(mine: SiblingSet, op: ReplicaOp<unknown>): SiblingSet | null {
  if (op.entries.length > 0) return mine.without(op.entries);
  causalHash(mine, op.fullKey, hash);
  const same = hash.high === op.causalHigh && hash.low === op.causalLow;
  return same && isDeleted(mine) ? SiblingSet.empty : null;
}
