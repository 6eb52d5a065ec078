/**
 * Tally: whether a request has what it needs, cannot get it any more, or must wait. Pure decisions over small integers
 * and bit masks (one bit per slot), after Riak's `riak_kv_put_core`; the coordinators keep the masks and act.
 *
 * Every requirement (w, pw, dw, distinct hosts) is the same question asked of other slots, and the verdicts are ordered
 * so that the worst of them is the request's.
 */
import { assert } from "../base/assert.ts";
import { errorTable, type Status } from "../base/errors.ts";
import type { Quorum } from "./quorum.ts";

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

/** The most slots an op can have: they are the low 3 bits of a frame id. */
export const slotsMax = 8;

/** Each slot on a host of its own: three bits a slot, slot 0 lowest. */
export const distinctHosts = 0o76543210;

/** The verdict on one requirement: of `asked` slots, `ok` said yes and `failed` said no; `required` must say yes. */
export function decide(asked: number, required: number, ok: number, failed: number): Verdict {
  assert(ok + failed <= asked, "more answers than questions");
  if (ok >= required) return Verdict.met;
  return asked - failed < required ? Verdict.impossible : Verdict.waiting;
}

/** How many of the low 8 bits are set. */
export function countSlots(mask: number): number {
  const pairs = mask - ((mask >>> 1) & 0x55);
  const nibbles = (pairs & 0x33) + ((pairs >>> 2) & 0x33);
  return (nibbles + (nibbles >>> 4)) & 0x0f;
}

/** How many hosts the slots in `mask` are on; `hostOf` as in `distinctHosts`. */
export function countHosts(mask: number, hostOf: number): number {
  let hosts = 0;
  for (let slot = 0; slot < slotsMax; slot += 1) {
    if ((mask & (1 << slot)) !== 0) hosts |= 1 << ((hostOf >>> (3 * slot)) & 7);
  }
  return countSlots(hosts);
}

/** The mask of all slots below `targets`. */
export function allSlots(targets: number): number {
  return (1 << targets) - 1;
}

/** What a decision looks at: an op has these fields. All masks are disjoint where the words say so. */
export interface Asked {
  readonly quorum: Quorum;
  /** How many slots there are. */
  readonly targets: number;
  /** The host of each slot, as in `distinctHosts`. */
  readonly hostOf: number;
  /** Slots whose target is a fallback, not an owner. */
  readonly fallbacks: number;
  /** Slots that will not answer yes. */
  readonly failed: number;
}

/** A put as its decision sees it. */
export interface AskedPut extends Asked {
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

/** The verdict on a put: w, pw, dw and the hosts together. */
export function decidePut(put: AskedPut): Verdict {
  const { quorum } = put;
  const verdict = decideAnswers(put, put.acked, quorum.w, quorum.pw);
  if (quorum.dw === 0) return verdict;
  return worse(verdict, decideSlots(allSlots(put.targets), quorum.dw, put.durable, put.failed | put.unsynced));
}

/** The verdict on a get: r, pr and the hosts together. */
export function decideGet(get: AskedGet): Verdict {
  return decideAnswers(get, get.answered, get.quorum.r, get.quorum.pr);
}

function decideAnswers(asked: Asked, ok: number, required: number, ofOwners: number): Verdict {
  const { quorum, failed } = asked;
  const all = allSlots(asked.targets);
  const owners = all & ~asked.fallbacks;
  let verdict = decideSlots(quorum.strict ? owners : all, required, ok, failed);
  if (ofOwners > 0) verdict = worse(verdict, decideSlots(owners, ofOwners, ok, failed));
  if (quorum.hostConfirms > 0) verdict = worse(verdict, decideHosts(asked, all, ok));
  return verdict;
}

function decideSlots(slots: number, required: number, ok: number, failed: number): Verdict {
  return decide(countSlots(slots), required, countSlots(slots & ok), countSlots(slots & failed));
}

function decideHosts(asked: Asked, all: number, ok: number): Verdict {
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
