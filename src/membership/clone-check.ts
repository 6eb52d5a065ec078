/**
 * CloneCheck: does this node's id live twice? A copied data directory does that, at another address or, where others are
 * told the same one, at none of its own. The claim alone proves nothing, for it may be old news of an earlier life; so
 * whoever claims to live there under this id is pinged, and an answer from another life than this one is the proof. Both
 * lives see it, and both must refuse to serve until the operator has chosen.
 */
import type { NodeId } from "../base/ids.ts";
import { type Instant, instant, never } from "../base/time.ts";
import type { Mailer } from "./mailer.ts";
import type { OwnMember } from "./own-member.ts";
import type { Profile } from "./profile.ts";

/** Tries before the claim counts as old news. */
const triesMax = 3;

export class CloneCheck {
  readonly #own: OwnMember;
  readonly #mailer: Mailer;
  readonly #profile: Profile;
  #address = "";
  #claimed = 0;
  #sequences: number[] = [];
  #nextAt: Instant = never;

  constructor(own: OwnMember, mailer: Mailer, profile: Profile) {
    this.#own = own;
    this.#mailer = mailer;
    this.#profile = profile;
  }

  /** Somebody under this id is said to be, or speaks, at `address`, at this incarnation. One check at a time. */
  begin(now: Instant, address: string, incarnation: number): void {
    this.#claimed = Math.max(this.#claimed, incarnation);
    if (this.#nextAt !== never) return;
    this.#address = address;
    this.#sequences = [];
    this.#nextAt = now;
    this.#ping(now);
  }

  #ping(now: Instant): void {
    const sequence = this.#mailer.nextSequence();
    this.#sequences.push(sequence);
    this.#nextAt = instant(now + this.#profile.timeoutUs);
    this.#mailer.pingAt(now, { address: this.#address, sequence }, this.#own.idBytes);
  }

  /** An ack: true if it proves that the id lives twice. */
  proves(sequence: number, target: NodeId, boot: number): boolean {
    return target === this.#own.id && boot !== this.#own.boot && this.#sequences.includes(sequence);
  }

  /** Goes on with the check; returns the incarnation to rise above once the claim has turned out to be old news, or 0. */
  tick(now: Instant): number {
    if (this.#nextAt > now) return 0;
    if (this.#sequences.length < triesMax) {
      this.#ping(now);
      return 0;
    }
    this.#nextAt = never;
    const claimed = this.#claimed;
    this.#claimed = 0;
    return claimed;
  }

  /** When `tick` has something to do. */
  next(): Instant {
    return this.#nextAt;
  }
}
