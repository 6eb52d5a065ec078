/**
 * Tally: whether a request has what it needs, cannot get it any more, or must wait. Pure decisions over small integers
 * and bit masks (one bit per slot), after Riak's `riak_kv_put_core`; the coordinators keep the masks and act.
 *
 * Every requirement (w, pw, dw, distinct hosts; w and pw again in the new list while a list changes)
 * is the same question asked of other slots, and the verdicts are ordered so that the worst of them is the request's.
 */
import { assert } from "../base/assert.ts";
import { canary } from "../base/canary.ts";
import { errorTable, type Status } from "../base/errors.ts";
import type { Quorum } from "./quorum.ts";
import { allSlots, countSlots, ownersOf, ownSlots, packedAt, slotsFor, slotsMax } from "./slots.ts";

/** Ordered: over several requirements the largest one holds. */
export type Verdict = 0 | 1 | 2;

export const Verdict: Readonly<{
  /** Enough said yes. */
  met: 0;
  /** Too few have said anything. */
  waiting: 1;
  /** Too many said no. */
  impossible: 2;
}> = { met: 0, waiting: 1, impossible: 2 };

/** The verdict on one requirement: of `asked` slots, `ok` said yes and `failed` said no; `required` must say yes. */
export function decide(asked: number, required: number, ok: number, failed: number): Verdict {
  assert(ok + failed <= asked, "more answers than questions");
  if (ok >= required) return Verdict.met;
  return asked - failed < required ? Verdict.impossible : Verdict.waiting;
}

/** How many hosts the slots in `mask` are on; `hostOf` packed, as in `ownSlots`. */
export function countHosts(mask: number, hostOf: number): number {
  return countSlots(ownersOf(mask, hostOf));
}

/** By host: the owner that it counts for, or -1. Used and left within one count. */
const ownerAt = new Int8Array(slotsMax);

/**
 * How many owners hold the write if the slots in `mask` do, no host counting for two: a fallback counts for the owner
 * it stands for, an owner and its fallback together are one, and so are an owner and a fallback on one host. It is the
 * largest matching of owners and hosts (augmenting paths; at most 8 of each).
 */
export function countOwners(mask: number, standsFor: number, hostOf: number): number {
  if (hostOf === ownSlots) return countSlots(ownersOf(mask, standsFor));
  ownerAt.fill(-1);
  let owners = 0;
  for (let owner = 0; owner < slotsMax; owner += 1) {
    if (place(owner, mask, standsFor, hostOf, 0)) owners += 1;
  }
  return owners;
}

/** Finds the owner a host that is not in the mask `tried`, moving others where that helps; false if there is none. */
function place(owner: number, mask: number, standsFor: number, hostOf: number, tried: number): boolean {
  let closed = tried;
  for (let slot = 0; slot < slotsMax; slot += 1) {
    if ((mask & (1 << slot)) === 0 || packedAt(standsFor, slot) !== owner) continue;
    const host = packedAt(hostOf, slot);
    if ((closed & (1 << host)) !== 0) continue;
    closed |= 1 << host;
    const other = ownerAt[host] as number;
    if (other >= 0 && !place(other, mask, standsFor, hostOf, closed)) continue;
    ownerAt[host] = owner;
    return true;
  }
  return false;
}

/** What a decision looks at: an op has these fields. All masks are disjoint where the words say so. */
export interface Asked {
  readonly quorum: Quorum;
  /** How many slots there are. */
  readonly targets: number;
  /** The host of each slot, packed. */
  readonly hostOf: number;
  /** The owner that each slot counts for, packed. */
  readonly standsFor: number;
  /** Slots whose target is a fallback, not an owner. */
  readonly fallbacks: number;
  /** Slots that will not answer yes. */
  readonly failed: number;
}

/** A put as its decision sees it. */
export interface AskedPut extends Asked {
  /** The slot of the pending member, or -1: the new list has it in place of the owner in `replacedSlot`. */
  readonly pendingSlot: number;
  readonly replacedSlot: number;
  /** Slots that hold the write. */
  readonly acked: number;
  /** Slots that hold it on disk. */
  readonly durable: number;
  /** Slots that were to sync and did not: they may have acked, but count no more towards dw. */
  readonly unsynced: number;
}

/** A get as its decision sees it. */
export interface AskedGet extends Asked {
  /** Slots that said what they hold, be it nothing. */
  readonly answered: number;
}

/** The slots that count in the list of today's owners: all but the pending member's and those that stand for it. */
export function oldList(put: AskedPut): number {
  const all = allSlots(put.targets);
  return put.pendingSlot < 0 ? all : all & ~slotsFor(put.targets, put.standsFor, put.pendingSlot);
}

/** The slots that count in the list after the change: all but the replaced owner's and those that stand for it. */
export function newList(put: AskedPut): number {
  const all = allSlots(put.targets);
  return put.pendingSlot < 0 ? all : all & ~slotsFor(put.targets, put.standsFor, put.replacedSlot);
}

/** The verdict on a put: w and pw in the old list and in the new one, dw and the hosts over all. */
export function decidePut(put: AskedPut): Verdict {
  const { quorum, acked } = put;
  let verdict = decideList(put, oldList(put), acked, quorum.w, quorum.pw);
  if (put.pendingSlot >= 0 && !canary("ignore-new-list")) {
    verdict = worse(verdict, decideList(put, newList(put), acked, quorum.w, quorum.pw));
  }
  if (quorum.hostConfirms > 0) verdict = worse(verdict, decideHosts(put, acked));
  if (quorum.dw === 0) return verdict;
  return worse(verdict, decideSlots(put, allSlots(put.targets), quorum.dw, put.durable, put.failed | put.unsynced));
}

/** The verdict on a get: r, pr and the hosts together. A pending member that was asked counts for whom it replaces. */
export function decideGet(get: AskedGet): Verdict {
  const { quorum, answered } = get;
  const r = canary("read-below-r") ? 1 : quorum.r;
  const verdict = decideList(get, allSlots(get.targets), answered, r, quorum.pr);
  return quorum.hostConfirms > 0 ? worse(verdict, decideHosts(get, answered)) : verdict;
}

function decideList(asked: Asked, list: number, ok: number, required: number, ofOwners: number): Verdict {
  const owners = list & ~asked.fallbacks;
  const verdict = decideSlots(asked, asked.quorum.strict ? owners : list, required, ok, asked.failed);
  if (ofOwners === 0) return verdict;
  return worse(verdict, decideSlots(asked, owners, ofOwners, ok, asked.failed));
}

function decideSlots(asked: Asked, slots: number, required: number, ok: number, failed: number): Verdict {
  const { standsFor, hostOf } = asked;
  const held = countOwners(slots & ok, standsFor, hostOf);
  // What is impossible matters only while it is not met, and counting twice is half of the cost.
  if (held >= required) return Verdict.met;
  return decide(countOwners(slots & (ok | ~failed), standsFor, hostOf), required, held, 0);
}

function decideHosts(asked: Asked, ok: number): Verdict {
  const all = allSlots(asked.targets);
  const hosts = countHosts(all, asked.hostOf);
  // A host has failed when no slot on it can answer yes any more.
  const live = countHosts(all & ~asked.failed, asked.hostOf);
  return decide(hosts, asked.quorum.hostConfirms, countHosts(ok, asked.hostOf), hosts - live);
}

function worse(a: Verdict, b: Verdict): Verdict {
  return a > b ? a : b;
}

/** `causeOf` when the failed slots gave different reasons. */
export const mixedCauses = -1;

/** The one reason of all failures so far (0: none yet), after one more. */
export function causeOf(cause: number, status: Status): number {
  return cause === 0 || cause === status ? status : mixedCauses;
}

/** The status of a request whose quorum cannot be met: a shared cause that the client can act on, or that it was not met. */
export function refusalOf(cause: number): Status {
  if (cause === errorTable.OVERLOADED.wire || cause === errorTable.WRONG_OWNER.wire) return cause;
  return errorTable.QUORUM_NOT_MET.wire;
}
