/**
 * What nodes say to each other about the next ring, as plain data: ring is below wire, so `wire/ring-messages.ts` turns
 * these into frames and back. A decree is the question which ring has a certain epoch; each has ballots of its own
 * (single-decree Paxos). Every message carries the stamp of its sender, so each is also a digest.
 */
import type { Hash64 } from "../base/hash.ts";
import type { NodeNumber } from "../base/ids.ts";
import type { Ring } from "./ring.ts";

/** A ring with the bytes that it was chosen in: they are what is hashed, kept and sent on. */
export interface EncodedRing {
  readonly ring: Ring;
  /** Immutable. */
  readonly bytes: Uint8Array;
  readonly hash: Hash64;
}

/** A proposer's try at a decree: ordered by round, then node number. Round 0 is before all of them. */
export interface Ballot {
  /** u32. */
  readonly round: number;
  readonly node: number;
}

/** Before every ballot. */
export const noBallot: Ballot = { round: 0, node: 0 };

/** Negative, zero or positive. */
export function compareBallots(a: Ballot, b: Ballot): number {
  return a.round === b.round ? a.node - b.node : a.round - b.round;
}

/** What an acceptor has accepted in one decree. */
export interface AcceptedRing {
  readonly ballot: Ballot;
  readonly bytes: Uint8Array;
}

/** Where a node stands. `epoch` and `votes` are on its disk: of one node, (epoch, votes) never goes back. */
export interface RingStamp {
  readonly epoch: number;
  readonly hashHigh: number;
  readonly hashLow: number;
  /** How many votes it has cast; u32. */
  readonly votes: number;
  /** Drawn at each start: it tells a restart from a late message. */
  readonly life: number;
}

/** Which decree: the ring of epoch `target`, to follow the one of epoch `base`. */
export interface Decree {
  readonly base: number;
  readonly target: number;
  /** Members that an operator declared lost for good, ascending; empty but in a recovery. They have no vote. */
  readonly lost: readonly NodeNumber[];
}

/**
 * Why a vote is refused: a higher ballot was promised; a recovery is under way; it votes no more (an alarm, or its
 * votes were lost); you are distrusted, for your votes went back; somebody declared lost has answered it; another set
 * of lost members was agreed to.
 */
export type RefusalReason = "promised" | "recovering" | "silent" | "rolled-back" | "not-lost" | "other-lost";

/** By number in the schema's `RingRefusalReason`, less one: 0 there is "not said". */
export const refusalReasons: readonly RefusalReason[] = [
  "promised",
  "recovering",
  "silent",
  "rolled-back",
  "not-lost",
  "other-lost",
];

/** Only the stamp: "this is where I am". */
export interface RingDigestMessage {
  readonly kind: "digest";
}
/** "Send me your ring if it is newer, and your stamp if not." */
export interface RingPullMessage {
  readonly kind: "pull";
}
/** A ring that was chosen: a fact. */
export interface RingChosenMessage {
  readonly kind: "chosen";
  readonly bytes: Uint8Array;
}
/** "Take part in nothing below this ballot, and tell me what you accepted." */
export interface RingPrepareMessage extends Decree {
  readonly kind: "prepare";
  readonly ballot: Ballot;
}
/** The promise, and what was accepted before. */
export interface RingPromiseMessage {
  readonly kind: "promise";
  readonly target: number;
  readonly ballot: Ballot;
  readonly accepted: AcceptedRing | null;
  /** In a recovery: what was accepted for the epoch after `base` by the usual rounds. */
  readonly acceptedNext: AcceptedRing | null;
}
/** "Accept this ring." */
export interface RingAcceptMessage extends Decree {
  readonly kind: "accept";
  readonly ballot: Ballot;
  readonly bytes: Uint8Array;
}
/** It is accepted, and on disk. */
export interface RingAcceptedMessage {
  readonly kind: "accepted";
  readonly target: number;
  readonly ballot: Ballot;
}
/** No, and why. */
export interface RingRefusalMessage {
  readonly kind: "refusal";
  readonly target: number;
  /** The one refused. */
  readonly ballot: Ballot;
  readonly reason: RefusalReason;
  /** The highest promised. */
  readonly promised: Ballot;
}

/** What a message says besides its stamp. */
export type RingMessageBody =
  | RingDigestMessage
  | RingPullMessage
  | RingChosenMessage
  | RingPrepareMessage
  | RingPromiseMessage
  | RingAcceptMessage
  | RingAcceptedMessage
  | RingRefusalMessage;

/** One message between two nodes. Its bytes are never changed. */
export type RingMessage = RingMessageBody & { readonly stamp: RingStamp };

/** How far ahead a recovery's epoch lies, so that those left behind cannot have reached it. */
export const recoveryStep: number = 1 << 20;
