/**
 * What an operator (or the node itself) asked of the consensus: a ring to be chosen, or a recovery without members that
 * are lost for good. One at a time; its outcome follows from the ring that comes next.
 */
import { assert } from "../base/assert.ts";
import { type Status, statusOk, wireOf } from "../base/errors.ts";
import type { NodeNumber } from "../base/ids.ts";
import type { Instant } from "../base/time.ts";
import { type Decree, type EncodedRing, recoveryStep } from "./consensus-messages.ts";
import { majorityOf } from "./consensus-round.ts";
import type { Ring } from "./ring.ts";

/** How a request ended; `message` is for people. */
export interface Outcome {
  readonly status: Status;
  readonly message: string;
}

/** A request under way. */
export interface RingRequest {
  readonly token: number;
  /** The ring to be chosen; null: a recovery, which makes its ring from what the others answer. */
  readonly wanted: EncodedRing | null;
  /** Ascending; empty unless it is a recovery. */
  readonly lost: readonly NodeNumber[];
  readonly target: number;
  /** Nothing is asked of anybody before: a recovery waits whether a lost member speaks. */
  readonly notBefore: Instant;
  readonly deadline: Instant;
  /** Whether its ring was sent to be accepted: from then on it may be chosen, whatever else is heard. */
  offered: boolean;
}

/** All who vote on the ring after this one: those that have not left, ascending. */
export function votersOf(ring: Ring): readonly NodeNumber[] {
  return ring.members.filter((member) => member.status !== "left").map((member) => member.number);
}

/** Who votes in a decree about the successor of `ring`. */
export function votersIn(decree: Decree, ring: Ring): readonly NodeNumber[] {
  return votersOf(ring).filter((number) => !decree.lost.includes(number));
}

/** The decree by which a request, or an acceptor that must know how it ended, follows `ring`. */
export function decreeAfter(ring: Ring, lost: readonly NodeNumber[]): Decree {
  const target = ring.epoch + (lost.length > 0 ? recoveryStep : 1);
  assert(target <= 0xffff_ffff, "epochs are used up");
  return { base: ring.epoch, target, lost };
}

/** Whether the decree is one about the successor of `ring`, with voters of its own. */
export function isDecreeAfter(decree: Decree, ring: Ring): boolean {
  if (decree.base !== ring.epoch) return false;
  if (decree.lost.length === 0) return decree.target === ring.epoch + 1;
  return decree.target === ring.epoch + recoveryStep && recoveryFlaw(ring, decree.lost) === null;
}

/** Why these members cannot be declared lost; null if they can. */
export function recoveryFlaw(ring: Ring, lost: readonly NodeNumber[]): string | null {
  const voters = votersOf(ring);
  if (lost.length === 0) return "no lost member is named";
  for (const [i, number] of lost.entries()) {
    if (!voters.includes(number)) return `node ${number} is no member of the ring`;
    if (i > 0 && number <= (lost[i - 1] as number)) return `node ${number} is named twice, or out of order`;
  }
  const left = voters.length - lost.length;
  if (left === 0) return "nobody would be left";
  if (left >= majorityOf(voters.length))
    return `${left} of ${voters.length} members are a majority: remove the lost ones`;
  return null;
}

/** How the request ended now that `chosen` is the ring; null: it goes on from this ring. */
export function outcomeOf(request: RingRequest, chosen: EncodedRing): Outcome | null {
  if (request.wanted === null) return recoveryOutcome(request.lost, chosen.ring);
  const epoch = chosen.ring.epoch;
  if (epoch < request.target) return null;
  if (epoch > request.target && request.offered) {
    const message = `the ring is at epoch ${epoch} already, and whether this change was chosen on the way is not known`;
    return { status: wireOf("DEADLINE_EXCEEDED"), message };
  }
  const { hash } = request.wanted;
  const own = epoch === request.target && hash.high === chosen.hash.high && hash.low === chosen.hash.low;
  if (own) return { status: statusOk, message: "" };
  return { status: wireOf("BASE_EPOCH_CHANGED"), message: `another change was chosen for epoch ${request.target}` };
}

function recoveryOutcome(lost: readonly NodeNumber[], chosen: Ring): Outcome | null {
  if (lost.every((number) => chosen.member(number)?.status === "left")) return { status: statusOk, message: "" };
  const flaw = recoveryFlaw(chosen, lost);
  return flaw === null ? null : { status: wireOf("BASE_EPOCH_CHANGED"), message: flaw };
}
