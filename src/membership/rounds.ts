/**
 * Rounds: what is said regularly besides probes. Gossip goes to a few random members as long as there is something to
 * tell, the lately dead among them: that is how a short split heals. Challenges tell members what was claimed of them in a
 * state sync, so that they refute. Revival knocks, for ever and at a low rate, at every member believed dead and every
 * seed node that no member answers for: ringpop's halves never found each other again after a split until it did so.
 */
import { canary } from "../base/canary.ts";
import type { Rng } from "../base/rng.ts";
import { type Instant, instant, never } from "../base/time.ts";
import type { Mailer } from "./mailer.ts";
import { type Member, MemberState } from "./member.ts";
import type { MemberTable } from "./member-table.ts";
import type { Profile } from "./profile.ts";

/** Datagrams that one member gets in one round when much is to be told. */
const datagramsMax = 4;
/** What of a datagram updates can be counted on to fill. */
const datagramRoom = 1_200;
const challengesPerRound = 32;
/** Every so manieth knock is a state sync: it passes where UDP does not. */
const syncEvery = 4;

export class Rounds {
  readonly #profile: Profile;
  readonly #table: MemberTable;
  readonly #mailer: Mailer;
  readonly #rng: Rng;
  readonly #seeds: readonly string[];
  readonly #syncWith: (now: Instant, address: string) => void;
  readonly #challenges = new Set<Member>();
  #lastGossipAt: Instant = instant(0);
  /** `never` while there is nothing to tell. */
  #gossipAt: Instant = never;
  #reviveAt: Instant = never;
  #knocks = 0;
  #seedTurn = 0;

  constructor(options: {
    readonly profile: Profile;
    readonly table: MemberTable;
    readonly mailer: Mailer;
    readonly rng: Rng;
    readonly seeds: readonly string[];
    readonly syncWith: (now: Instant, address: string) => void;
  }) {
    this.#profile = options.profile;
    this.#table = options.table;
    this.#mailer = options.mailer;
    this.#rng = options.rng;
    this.#seeds = options.seeds;
    this.#syncWith = options.syncWith;
  }

  start(now: Instant): void {
    this.#reviveAt = instant(now + this.#rng.below(this.#profile.reviveUs));
  }

  /** Nobody is knocked at any more. */
  stop(): void {
    this.#reviveAt = never;
    this.#challenges.clear();
  }

  /** There is something to tell. */
  wake(now: Instant): void {
    if (this.#gossipAt === never) this.#gossipAt = latest(now, instant(this.#lastGossipAt + this.#profile.gossipUs));
  }

  /** Tells this member soon what is believed of it. */
  challenge(now: Instant, member: Member): void {
    this.#challenges.add(member);
    this.wake(now);
  }

  forget(member: Member): void {
    this.#challenges.delete(member);
  }

  /** Does what is due. */
  tick(now: Instant): void {
    if (this.#gossipAt <= now) {
      this.#lastGossipAt = now;
      this.#gossip(now);
      this.#sendChallenges(now);
      const idle = this.#mailer.queue.size === 0 && this.#challenges.size === 0;
      this.#gossipAt = idle ? never : instant(now + this.#profile.gossipUs);
    }
    if (this.#reviveAt > now) return;
    this.#reviveAt = instant(now + this.#profile.reviveUs);
    if (canary("skip-revival")) return;
    this.#knockAtDead(now);
    this.#knockAtSeed(now);
  }

  #gossip(now: Instant): void {
    const { queue } = this.#mailer;
    const deadSince = now - this.#profile.gossipToDeadUs;
    const fits = (member: Member): boolean =>
      member.reachable || (member.state === MemberState.dead && member.changedAt > deadSince);
    const datagrams = Math.min(datagramsMax, Math.ceil(queue.bytes / datagramRoom));
    for (const member of this.#table.pick(queue.size === 0 ? 0 : this.#profile.fanout, fits)) {
      for (let i = 0; i < datagrams && queue.size > 0; i += 1) this.#mailer.gossip(now, member);
    }
  }

  #sendChallenges(now: Instant): void {
    let left = challengesPerRound;
    for (const member of this.#challenges) {
      if (left === 0) return;
      left -= 1;
      this.#challenges.delete(member);
      if (member.state !== MemberState.alive) this.#mailer.ping(now, member, this.#mailer.nextSequence());
    }
  }

  #knockAtDead(now: Instant): void {
    const [member] = this.#table.pick(1, (one) => !one.reachable);
    if (member === undefined) return;
    this.#knocks += 1;
    this.#mailer.ping(now, member, this.#mailer.nextSequence());
    if (this.#knocks % syncEvery === 0) this.#syncWith(now, member.address);
  }

  #knockAtSeed(now: Instant): void {
    if (this.#seeds.length === 0) return;
    const seed = this.#seeds[this.#seedTurn % this.#seeds.length] as string;
    this.#seedTurn += 1;
    const answered = this.#table.members.some((member) => member.reachable && member.address === seed);
    if (!answered) this.#syncWith(now, seed);
  }

  /** When `tick` has something to do. */
  next(): Instant {
    return this.#gossipAt < this.#reviveAt ? this.#gossipAt : this.#reviveAt;
  }
}

function latest(a: Instant, b: Instant): Instant {
  return a > b ? a : b;
}
