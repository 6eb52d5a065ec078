/**
 * One ballot of one proposer, from its first prepare to its last accepted: who has to be asked, who has answered, and
 * which ring it must propose. It sends nothing itself; consensus.ts does.
 */
import { assert } from "../base/assert.ts";
import type { NodeNumber } from "../base/ids.ts";
import { after, type DurationUs, type Instant, never } from "../base/time.ts";
import { type AcceptedRing, type Ballot, compareBallots, type Decree } from "./consensus-messages.ts";

/** `opening`: the own promise is not on disk yet, and nobody else was asked. */
export type RoundPhase = "opening" | "preparing" | "accepting";

/** How many of `voters` make a majority. */
export function majorityOf(voters: number): number {
  return (voters >>> 1) + 1;
}

/** A round under way. */
export class Round {
  readonly decree: Decree;
  readonly ballot: Ballot;
  /** Who votes in this decree, ascending. */
  readonly voters: readonly NodeNumber[];
  phase: RoundPhase = "opening";
  /** The ring to be accepted, from `accepting` on. */
  bytes: Uint8Array | null = null;
  /** When those who have not answered are asked again, and how long after that once more. */
  resendAt: Instant = never;
  resendUs: DurationUs = 0;
  /** The accepted ring of the highest ballot among the promises. */
  accepted: AcceptedRing | null = null;
  acceptedNext: AcceptedRing | null = null;
  readonly #answered = new Set<NodeNumber>();

  constructor(decree: Decree, ballot: Ballot, voters: readonly NodeNumber[]) {
    assert(voters.length > 0, "a round has voters");
    this.decree = decree;
    this.ballot = ballot;
    this.voters = voters;
  }

  /** Those who are silent are asked again `us` from now. */
  askAgain(now: Instant, us: DurationUs): void {
    this.resendUs = us;
    this.resendAt = after(now, us);
  }

  /** Those who have not answered in this phase. */
  silentVoters(): readonly NodeNumber[] {
    return this.voters.filter((number) => !this.#answered.has(number));
  }

  /** Whether `ballot` in the decree for `target` is this round. */
  is(target: number, ballot: Ballot): boolean {
    return this.decree.target === target && compareBallots(this.ballot, ballot) === 0;
  }

  /** Notes a promise; true once a majority has promised. */
  onPromise(from: NodeNumber, accepted: AcceptedRing | null, acceptedNext: AcceptedRing | null): boolean {
    if (!this.voters.includes(from)) return false;
    this.#answered.add(from);
    this.accepted = newer(this.accepted, accepted);
    this.acceptedNext = newer(this.acceptedNext, acceptedNext);
    return this.#answered.size >= majorityOf(this.voters.length);
  }

  /** Goes on to the second phase. */
  proposeRing(bytes: Uint8Array): void {
    assert(this.phase === "preparing", "a ring is proposed after a majority has promised");
    this.phase = "accepting";
    this.bytes = bytes;
    this.#answered.clear();
  }

  /** Notes that somebody has accepted; true once a majority has: the ring is chosen. */
  onAccepted(from: NodeNumber): boolean {
    if (!this.voters.includes(from)) return false;
    this.#answered.add(from);
    return this.#answered.size >= majorityOf(this.voters.length);
  }
}

function newer(a: AcceptedRing | null, b: AcceptedRing | null): AcceptedRing | null {
  if (a === null || b === null) return a ?? b;
  return compareBallots(a.ballot, b.ballot) < 0 ? b : a;
}
