/**
 * What the consensus (consensus.ts) asks of the node around it, and what it is made with. Apart from the core, since its
 * roles share it.
 */
import type { Status } from "../base/errors.ts";
import type { NodeId, NodeNumber } from "../base/ids.ts";
import type { Rng } from "../base/rng.ts";
import type { DurationUs, Instant } from "../base/time.ts";
import type { BallotMemory } from "./consensus-acceptor.ts";
import type { EncodedRing, RingMessage } from "./consensus-messages.ts";
import type { Ring } from "./ring.ts";

/** What the consensus asks of the node around it; each call is one effect. */
export interface RingProposalsEffects {
  /** Sends to a node that may be down, or unknown to this ring: lost messages are sent again. */
  send(now: Instant, to: NodeNumber, message: RingMessage): void;
  /** Puts the memory on stable storage (state file "ballot"); `onPersisted` follows. Saves are done in their order. */
  saveBallot(now: Instant, memory: BallotMemory, token: number): void;
  /** Puts a chosen ring on stable storage (state file "ring", these very bytes); `onPersisted` follows. */
  saveRing(now: Instant, ring: EncodedRing, token: number): void;
  /** The ring is chosen and on disk: act on it. Epochs rise, but may skip some. */
  chosen(now: Instant, ring: EncodedRing): void;
  /** This node has left, or is unknown, in the newer ring: it serves nothing any more, and starts empty under a new id. */
  fenced(now: Instant, ring: EncodedRing): void;
  /**
   * How `propose` or `recover` ended; exactly once for each, also within the call. `BASE_EPOCH_CHANGED`: another change was
   * chosen. `QUORUM_NOT_MET`: no majority, and nothing was changed. `DEADLINE_EXCEEDED`: it may still be chosen.
   */
  decided(now: Instant, token: number, status: Status, message: string): void;
  /** Alarm: `from` holds another ring of this node's epoch. This node votes and proposes no more until `resume`. */
  conflict(now: Instant, from: NodeNumber, epoch: number): void;
  /** Alarm: the votes of a node went back. If it is this one, it votes no more, not after a restart either. */
  rolledBack(now: Instant, number: NodeNumber): void;
}

/** Bytes and values of rings, from a higher floor. */
export interface RingBytesCodec {
  /** Throws `RingtailError` or another error if the bytes are no ring. The bytes stay the caller's. */
  decode(bytes: Uint8Array): Ring;
  encode(ring: Ring): Uint8Array;
}

/** How long things take. */
export interface RingProposalsTiming {
  /** An accepted ring whose fate is not known after this, and up to as much again, is finished by a round. */
  readonly finishUs: DurationUs;
  /** Messages of a round are sent again after this, then after twice as long and so on. */
  readonly resendUs: DurationUs;
  readonly resendUsMax: DurationUs;
  /** After a refused ballot the next waits up to this, then up to twice as long and so on. */
  readonly backOffUs: DurationUs;
  readonly backOffUsMax: DurationUs;
  /** A request that is not decided by then ends: with `DEADLINE_EXCEEDED` if it may still be chosen, else `QUORUM_NOT_MET`. */
  readonly requestUs: DurationUs;
  /** One node is sent a ring, or asked for its, at most this often. */
  readonly transferUs: DurationUs;
  /** A random other member is told the stamp this often: behind the digests of the pings, which may not get through. */
  readonly digestUs: DurationUs;
  /** While something is open, what is due is looked for this often. */
  readonly tickUs: DurationUs;
  /** A member that was heard within this is not lost. */
  readonly lostUs: DurationUs;
}

/** The values that the design names, and what follows from them. */
export const ringProposalsTiming: RingProposalsTiming = {
  finishUs: 2_000_000,
  resendUs: 500_000,
  resendUsMax: 4_000_000,
  backOffUs: 100_000,
  backOffUsMax: 2_000_000,
  requestUs: 15_000_000,
  transferUs: 500_000,
  digestUs: 5_000_000,
  tickUs: 100_000,
  lostUs: 2_000_000,
};

/** What a node's consensus is made with. */
export interface RingProposalsOptions {
  readonly effects: RingProposalsEffects;
  readonly self: NodeNumber;
  readonly nodeId: NodeId;
  /** Random, drawn at each start; u32, not 0. */
  readonly life: number;
  readonly rng: Rng;
  readonly codec: RingBytesCodec;
  /** The newest ring on disk. */
  readonly ring: EncodedRing;
  /** From disk. Null only in a node that has never voted; one that has lost the file gives `noMemory(epoch, 0, true)`. */
  readonly memory: BallotMemory | null;
  /** The ring of epoch `epoch` in which `lost` have left and the others own everything; throws `RingtailError` if none can be. */
  readonly planRecovery: (base: Ring, lost: readonly NodeNumber[], epoch: number) => Ring;
  readonly timing?: RingProposalsTiming;
}
