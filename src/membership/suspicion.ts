/**
 * Suspicion: how long a member may be suspect before it counts as dead. It begins with a long timeout; every other
 * member that accuses it too shortens it, logarithmically, down to the shortest (Lifeguard, arXiv:1707.00788 section 4). So
 * one slow accuser, whom nobody joins, leaves its victim much time to refute, and a true death is known soon.
 *
 * The formulas are memberlist's (suspicion.go), in integers; the tables in the test are theirs too. The class is only
 * the ledger of who has accused whom.
 */
import { assert } from "../base/assert.ts";
import type { NodeId } from "../base/ids.ts";
import { type DurationUs, type Instant, instant } from "../base/time.ts";
import { decimalDigits, log2Fixed, log10Milli } from "./logarithm.ts";
import type { Profile } from "./profile.ts";

/** The shortest suspicion among `members` (this node included): a x max(1, log10 n) x T, the logarithm in thousandths. */
export function suspicionMinUs(profile: Profile, members: number): DurationUs {
  const scale = Math.max(1_000, log10Milli(Math.max(1, members)));
  return Math.floor((profile.suspicionMult * scale * profile.probeUs) / 1_000);
}

/** The longest: b times the shortest. */
export function suspicionMaxUs(profile: Profile, members: number): DurationUs {
  return suspicionMinUs(profile, members) * profile.suspicionMaxMult;
}

/** K, further accusers that make a suspicion the shortest: a - 2, or 0 where there are too few members for that. */
export function confirmationsExpected(profile: Profile, members: number): number {
  const expected = Math.max(0, profile.suspicionMult - 2);
  return members - 2 < expected ? 0 : expected;
}

/**
 * The timeout after `confirmations` of `expected`: max - (max - min) x ln(C + 1) / ln(K + 1), in whole milliseconds and
 * never below the shortest.
 */
export function suspicionTimeoutUs(options: {
  readonly confirmations: number;
  readonly expected: number;
  readonly minUs: DurationUs;
  readonly maxUs: DurationUs;
}): DurationUs {
  const { confirmations, expected, minUs, maxUs } = options;
  if (expected < 1 || confirmations >= expected) return minUs;
  const share = Math.floor(((maxUs - minUs) * log2Fixed(confirmations + 1)) / log2Fixed(expected + 1));
  const timeout = maxUs - share;
  return Math.max(minUs, timeout - (timeout % 1_000));
}

/** How often an update is passed on: retransmitMult x ceil(log10(n + 1)). */
export function retransmitLimit(profile: Profile, members: number): number {
  return profile.retransmitMult * decimalDigits(members);
}

/** Between two state syncs: twice as long at 33 members, three times at 65, and so on. */
export function syncIntervalUs(profile: Profile, members: number): DurationUs {
  if (members <= 32) return profile.syncUs;
  return profile.syncUs * (32 - Math.clz32(members - 1) - 5 + 1);
}

/** One member's suspicion, from the first accusation to refutation or death. */
export class Suspicion {
  readonly member: NodeId;
  readonly startedAt: Instant;
  /** The incarnation that is accused. */
  incarnation: number;
  deadline: Instant;
  readonly #expected: number;
  readonly #minUs: DurationUs;
  readonly #maxUs: DurationUs;
  /** Whoever has accused it, the first included; each counts once. */
  readonly #accusers: NodeId[];

  constructor(
    now: Instant,
    options: {
      readonly member: NodeId;
      readonly incarnation: number;
      readonly accuser: NodeId;
      readonly profile: Profile;
      readonly members: number;
    },
  ) {
    const { profile, members } = options;
    this.member = options.member;
    this.incarnation = options.incarnation;
    this.startedAt = now;
    this.#expected = confirmationsExpected(profile, members);
    this.#minUs = suspicionMinUs(profile, members);
    this.#maxUs = suspicionMaxUs(profile, members);
    this.#accusers = [options.accuser];
    this.deadline = this.#due();
  }

  get confirmations(): number {
    return this.#accusers.length - 1;
  }

  #due(): Instant {
    const timeout = suspicionTimeoutUs({
      confirmations: this.confirmations,
      expected: this.#expected,
      minUs: this.#minUs,
      maxUs: this.#maxUs,
    });
    return instant(this.startedAt + timeout);
  }

  /** One more accusation; true if it is worth passing on: a new accuser, and not more of them than are expected. */
  confirm(accuser: NodeId): boolean {
    if (this.confirmations >= this.#expected || this.#accusers.includes(accuser)) return false;
    this.#accusers.push(accuser);
    this.deadline = this.#due();
    assert(this.confirmations <= this.#expected, "more confirmations than expected");
    return true;
  }

  /** The verdict is put off: whoever stalled must first hear what came meanwhile. */
  postpone(until: Instant): void {
    if (until > this.deadline) this.deadline = until;
  }
}
