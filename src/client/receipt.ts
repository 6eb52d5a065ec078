/**
 * Receipt: what an answer tells of how it came about: who acknowledged, as what, and where the time went. The coordinator
 * measures the latter (`metrics/phases.ts`); what it did not tell (a multi-get, a get that the client coordinated, an
 * older node) is left out.
 */
import type { NodeNumber } from "../base/ids.ts";
import { Resolver, type ResolverName, resolverName } from "../base/resolver.ts";
import type { DurationUs } from "../base/time.ts";
import { Phases, PhaseWord } from "../metrics/phases.ts";
import type { Ring } from "../ring/ring.ts";
import { ackNode, ackSlot, isDurableAck, isFallbackAck } from "../wire/ack-word.ts";

/** One replica that answered in time. */
export interface Ack {
  /** The node's name. */
  readonly node: string;
  readonly role: "owner" | "fallback";
  /** Whether it had synced the write to its disk before it answered. */
  readonly durable: boolean;
  readonly times?: AckTimes;
}

/** Where the time of one replica went. */
export interface AckTimes {
  /** When it had answered, from when the coordinator began to work on the request; what the rest does not fill was the way. */
  readonly answeredMs: number;
  /** Until its process came to the request, and as long as that stood still meanwhile. */
  readonly loopMs: number;
  /** For other changes of the same key. */
  readonly keyMs: number;
  /** Until its store had done the work, syncs included. */
  readonly storageMs: number;
}

/** Where the time of a call went. */
export interface ReceiptTimes {
  /** In the last attempt, at the coordinator. */
  readonly coordinatorMs: number;
  /** In the last attempt, on the way there and back. What is left of `elapsedMs` was waiting. */
  readonly wireMs: number;
  /** What the request waited, at the most, until the coordinator began to work on it. */
  readonly queueMs?: number;
  /** As long as the coordinator's process stood still while it worked on the request. */
  readonly stoodMs?: number;
  /** What the garbage collector took of those two, as far as it was known when the answer left. */
  readonly gcMs?: number;
}

/** Who did what, and where the time went. */
export interface Receipt {
  /** The name of the node that coordinated; of a get that the client coordinated itself: "". */
  readonly coordinator: string;
  readonly coordination: "node" | "client";
  readonly acks: readonly Ack[];
  /** The node whose answer completed the operation, one of `acks`. */
  readonly completedBy?: string;
  /** From the call to its answer. */
  readonly elapsedMs: number;
  readonly times: ReceiptTimes;
  /** Whether a get with these numbers may miss an acknowledged put (r + w <= n). */
  readonly stalePossible: boolean;
  /** `lww`: the bucket's last write wins, and concurrent ones are lost. */
  readonly resolver: ResolverName;
  /** The node that was asked, where it had to pass a write on to an owner. */
  readonly forwardedBy?: string;
  readonly attempts: number;
  /** Something was asked twice because it was late: the get of a second owner, or its large record of a second replica. */
  readonly hedged: boolean;
  /** The ring's epoch at the coordinator. */
  readonly epoch: number;
}

/** Where the time of one request went, as the client saw it. */
export interface Timing {
  readonly totalUs: DurationUs;
  /** Of the attempt that was answered. */
  readonly attemptUs: DurationUs;
  readonly attempts: number;
  /** Whether a second node was asked because the first was late. */
  readonly hedged: boolean;
}

/** What all replies say about how they came about. */
export interface ReceiptFields {
  readonly epoch: number;
  readonly coordinator: number;
  readonly elapsedUs: number;
  readonly forwardedBy?: number;
  readonly stalePossible: boolean;
  readonly lww: boolean;
  readonly acks: readonly number[];
  readonly hedged?: boolean;
  readonly phases?: readonly number[];
}

/** The receipt in a reply. */
export function receiptOf(ring: Ring, timing: Timing, reply: ReceiptFields): Receipt {
  const phases = new Phases(reply.phases ?? []);
  const forwardedBy = reply.forwardedBy ?? 0;
  const completing = reply.acks.find((ack) => ackSlot(ack) >= 0 && ackSlot(ack) === phases.completing);
  return {
    coordinator: reply.coordinator === 0 ? "" : nameOf(ring, reply.coordinator),
    coordination: reply.coordinator === 0 ? "client" : "node",
    acks: reply.acks.map((ack) => ackOf(ring, ack, phases)),
    ...(completing === undefined ? {} : { completedBy: nameOf(ring, ackNode(completing)) }),
    elapsedMs: timing.totalUs / 1000,
    times: timesOf(timing, reply.elapsedUs, phases),
    stalePossible: reply.stalePossible,
    resolver: resolverName(reply.lww ? Resolver.lww : Resolver.siblings),
    ...(forwardedBy === 0 ? {} : { forwardedBy: nameOf(ring, forwardedBy) }),
    attempts: timing.attempts,
    hedged: timing.hedged || reply.hedged === true,
    epoch: reply.epoch,
  };
}

function nameOf(ring: Ring, number: number): string {
  const name = ring.member(number as NodeNumber)?.name ?? "";
  return name === "" ? `node ${number}` : name;
}

function timesOf(timing: Timing, elapsedUs: DurationUs, phases: Phases): ReceiptTimes {
  const ends = { coordinatorMs: elapsedUs / 1000, wireMs: Math.max(0, timing.attemptUs - elapsedUs) / 1000 };
  if (phases.slots === 0) return ends;
  const ms = (place: number): number => phases.word(place) / 1000;
  return { ...ends, queueMs: ms(PhaseWord.waited), stoodMs: ms(PhaseWord.held), gcMs: ms(PhaseWord.gc) };
}

function ackOf(ring: Ring, ack: number, phases: Phases): Ack {
  const slot = ackSlot(ack);
  const answeredUs = slot < 0 || slot >= phases.slots ? -1 : phases.answered(slot);
  return {
    node: nameOf(ring, ackNode(ack)),
    role: isFallbackAck(ack) ? "fallback" : "owner",
    durable: isDurableAck(ack),
    ...(answeredUs < 0 ? {} : { times: ackTimesOf(answeredUs, phases, slot) }),
  };
}

function ackTimesOf(answeredUs: DurationUs, phases: Phases, slot: number): AckTimes {
  return {
    answeredMs: answeredUs / 1000,
    loopMs: phases.loopUs(slot) / 1000,
    keyMs: phases.keyUs(slot) / 1000,
    storageMs: phases.storageUs(slot) / 1000,
  };
}
