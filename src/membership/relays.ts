/**
 * Relays: pings on behalf of others (SWIM's ping-req). The answer is passed on whenever it comes; if it has not come at
 * 80 % of the probe's timeout the asker gets a nack, which tells it that at least this helper hears it (Lifeguard).
 */
import type { NodeId } from "../base/ids.ts";
import { emptyList } from "../base/one-shape.ts";
import { type Instant, instant, never } from "../base/time.ts";
import type { Member } from "./member.ts";
import type { Profile } from "./profile.ts";

/** What a helper does. */
export interface RelayEffects {
  nextSequence(): number;
  ping(now: Instant, target: Member, sequence: number): void;
  relayAck(now: Instant, to: { readonly address: string; readonly sequence: number }, target: Member): void;
  nack(now: Instant, to: { readonly address: string; readonly sequence: number }): void;
}

interface Relay {
  /** Of the ping sent from here. */
  readonly sequence: number;
  readonly target: Member;
  /** Who asked, and under which number. */
  readonly asker: { readonly address: string; readonly sequence: number };
  readonly nackAt: Instant;
  readonly endAt: Instant;
  nacked: boolean;
}

/** Others' probes that may be under way here; beyond it the answer is a nack at once. */
const relaysMax = 256;
const nackPerMille = 800;

export class Relays {
  readonly #profile: Profile;
  readonly #effects: RelayEffects;
  /** Oldest first: all wait equally long. */
  #relays: Relay[] = emptyList();

  constructor(profile: Profile, effects: RelayEffects) {
    this.#profile = profile;
    this.#effects = effects;
  }

  /** Somebody asks for a ping to `target`, undefined if this node knows no such member. */
  begin(
    now: Instant,
    asker: { readonly address: string; readonly sequence: number },
    target: Member | undefined,
  ): void {
    if (target === undefined || this.#relays.length >= relaysMax) {
      if (this.#profile.nacks) this.#effects.nack(now, asker);
      return;
    }
    const sequence = this.#effects.nextSequence();
    const nackAt = instant(now + Math.floor((this.#profile.timeoutUs * nackPerMille) / 1_000));
    const endAt = instant(now + 2 * this.#profile.probeUs);
    this.#relays.push({ sequence, target, asker, nackAt, endAt, nacked: !this.#profile.nacks });
    this.#effects.ping(now, target, sequence);
  }

  /** The answer to a ping of this number. Returns whether it belongs to a relay. */
  onAck(now: Instant, sequence: number, target: NodeId): boolean {
    const at = this.#relays.findIndex((relay) => relay.sequence === sequence && relay.target.id === target);
    const relay = this.#relays[at];
    if (relay === undefined) return false;
    this.#relays.splice(at, 1);
    this.#effects.relayAck(now, relay.asker, relay.target);
    return true;
  }

  /** Does what is due. */
  tick(now: Instant): void {
    for (const relay of this.#relays) {
      if (relay.nacked || relay.nackAt > now) continue;
      relay.nacked = true;
      this.#effects.nack(now, relay.asker);
    }
    if ((this.#relays[0]?.endAt ?? never) <= now) this.#relays = this.#relays.filter((relay) => relay.endAt > now);
  }

  /** When `tick` has something to do. */
  next(): Instant {
    let next: Instant = never;
    for (const relay of this.#relays) {
      const due = relay.nacked ? relay.endAt : relay.nackAt;
      if (due < next) next = due;
    }
    return next;
  }
}
