/**
 * The acceptor: one node's votes on the ring that follows its own. Its memory is on disk before any answer leaves the
 * node (consensus.ts sees to that), since a vote forgotten could be given twice.
 *
 * There are two decrees at the most: the usual one, and the recovery that an operator asked for when a majority was
 * lost. Each has a promise of its own, but a node stands by one of them at a time: a usual promise ends a recovery's
 * in which nothing was accepted yet, a recovery's keeps usual rounds from being accepted. A recovery that was accepted
 * is never left again, because it may have been chosen.
 */
import { canary } from "../base/canary.ts";
import type { NodeNumber } from "../base/ids.ts";
import {
  type AcceptedRing,
  type Ballot,
  compareBallots,
  noBallot,
  type RefusalReason,
  type RingAcceptMessage,
  type RingMessageBody,
  type RingPrepareMessage,
} from "./consensus-messages.ts";

/** The votes in one decree. */
export interface DecreeVotes {
  readonly promised: Ballot;
  readonly accepted: AcceptedRing | null;
}

/** What an acceptor keeps on disk (state file "ballot"). */
export interface BallotMemory {
  /** The epoch of the ring whose successor these votes are about: void for any other. */
  readonly epoch: number;
  /** Votes cast so far, in all epochs. */
  readonly votes: number;
  /** This node's votes went back or were lost: it casts none any more. */
  readonly silent: boolean;
  readonly next: DecreeVotes;
  readonly recovery: DecreeVotes;
  /** The members that the recovery is without, ascending; empty: there was none. */
  readonly lost: readonly NodeNumber[];
  /** Whether the recovery's promise stands. */
  readonly recovering: boolean;
}

const noVotes: DecreeVotes = { promised: noBallot, accepted: null };

/** The memory of a node that has not voted on the successor of ring `epoch`. */
export function noMemory(epoch: number, votes: number, silent: boolean): BallotMemory {
  return { epoch, votes, silent, next: noVotes, recovery: noVotes, lost: [], recovering: false };
}

/** The answer to a message; `save`: only after the memory, as it now is, is on disk. */
export interface Vote {
  readonly reply: RingMessageBody;
  readonly save: boolean;
}

/** Votes on the successors of one ring. */
export class Acceptor {
  #memory: BallotMemory;

  constructor(memory: BallotMemory) {
    this.#memory = memory;
  }

  /** A value: it does not change when votes are cast. */
  get memory(): BallotMemory {
    return this.#memory;
  }

  /** The highest round that it knows of in a decree. */
  roundOf(recovery: boolean): number {
    return this.#votesIn(recovery).promised.round;
  }

  /** Whether a ring was accepted whose fate is open, and in which decree. */
  get open(): "next" | "recovery" | null {
    if (this.#memory.recovery.accepted !== null) return "recovery";
    return this.#memory.next.accepted !== null ? "next" : null;
  }

  /** Casts no vote any more. The caller saves the memory. */
  silence(): void {
    this.#memory = { ...this.#memory, silent: true };
  }

  onPrepare(message: RingPrepareMessage): Vote {
    const recovery = message.lost.length > 0;
    const votes = this.#votesIn(recovery);
    const reason = recovery ? this.#recoveryRefusal(message) : this.#nextRefusal();
    if (reason !== null) return this.#refuse(message, reason, votes.promised);
    const order = compareBallots(message.ballot, votes.promised);
    if (order < 0) return this.#refuse(message, "promised", votes.promised);
    // Saved even when it was promised before: the earlier save may still be under way.
    this.#keep(recovery, { ...votes, promised: message.ballot }, message.lost);
    const { next, recovery: own } = this.#memory;
    const accepted = canary("promise-hides-accepted") ? null : recovery ? own.accepted : next.accepted;
    return {
      save: true,
      reply: {
        kind: "promise",
        target: message.target,
        ballot: message.ballot,
        accepted,
        acceptedNext: recovery ? next.accepted : null,
      },
    };
  }

  onAccept(message: RingAcceptMessage): Vote {
    const recovery = message.lost.length > 0;
    const votes = this.#votesIn(recovery);
    const reason = recovery ? this.#recoveryRefusal(message) : this.#nextRefusal();
    if (reason !== null) return this.#refuse(message, reason, votes.promised);
    if (recovery !== this.#memory.recovering) return this.#refuse(message, "recovering", votes.promised);
    if (recovery && message.lost.length !== this.#memory.lost.length) {
      return this.#refuse(message, "other-lost", votes.promised);
    }
    if (compareBallots(message.ballot, votes.promised) < 0) return this.#refuse(message, "promised", votes.promised);
    const accepted = { ballot: message.ballot, bytes: message.bytes };
    this.#keep(recovery, { promised: message.ballot, accepted }, message.lost);
    return { save: true, reply: { kind: "accepted", target: message.target, ballot: message.ballot } };
  }

  #votesIn(recovery: boolean): DecreeVotes {
    return recovery ? this.#memory.recovery : this.#memory.next;
  }

  #nextRefusal(): RefusalReason | null {
    if (this.#memory.silent) return "silent";
    return this.#memory.recovery.accepted === null ? null : "recovering";
  }

  /** More members may be declared lost in a later try, none fewer: their voices were not heard in the earlier one. */
  #recoveryRefusal(message: { readonly lost: readonly NodeNumber[] }): RefusalReason | null {
    if (this.#memory.silent) return "silent";
    return this.#memory.lost.every((number) => message.lost.includes(number)) ? null : "other-lost";
  }

  #refuse(message: RingPrepareMessage | RingAcceptMessage, reason: RefusalReason, promised: Ballot): Vote {
    const { target, ballot } = message;
    return { save: false, reply: { kind: "refusal", target, ballot, reason, promised } };
  }

  #keep(recovery: boolean, votes: DecreeVotes, lost: readonly NodeNumber[]): void {
    const common = { ...this.#memory, votes: this.#memory.votes + 1, recovering: recovery };
    this.#memory = recovery ? { ...common, recovery: votes, lost } : { ...common, next: votes };
  }
}
