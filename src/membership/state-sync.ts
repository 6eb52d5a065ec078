/**
 * StateSyncs: when whole tables are compared, over TCP, and with whom. Gossip is fast but forgets; a sync with one random
 * member every 30 s repairs what it missed, also after a network partition. A node that has just started asks one after
 * another of its seed nodes and the members it knows, until one has answered.
 *
 * What is in a sync, and what follows from it, is `Membership`'s; here is only the schedule.
 */
import type { Rng } from "../base/rng.ts";
import { type DurationUs, type Instant, instant, never } from "../base/time.ts";
import type { Profile } from "./profile.ts";
import { syncIntervalUs } from "./suspicion.ts";

/** What the schedule asks for. */
export interface StateSyncEffects {
  /** Sends this node's table to `address`; `onDone` or `onFailed` follows with the same token. */
  requestStateSync(now: Instant, address: string, token: number): void;
  /** The address of a random reachable member, or undefined. */
  anyAddress(): string | undefined;
  /** Members, this node included. */
  members(): number;
}

/** Between two tries of a node that nobody has answered yet. */
const joinRetryUs: DurationUs = 1_000_000;
/** A sync without an answer is over after this. */
const syncTimeoutUs: DurationUs = 10_000_000;
const syncsMax = 4;

interface Sync {
  readonly token: number;
  readonly address: string;
  readonly endAt: Instant;
}

export class StateSyncs {
  readonly #profile: Profile;
  readonly #rng: Rng;
  readonly #seeds: readonly string[];
  readonly #effects: StateSyncEffects;
  #syncs: Sync[] = [];
  #tokens = 0;
  #nextAt: Instant = never;
  #seedTurn = 0;
  /** Whether anybody has answered in this life. */
  joined = false;

  constructor(options: {
    readonly profile: Profile;
    readonly rng: Rng;
    readonly seeds: readonly string[];
    readonly effects: StateSyncEffects;
  }) {
    this.#profile = options.profile;
    this.#rng = options.rng;
    this.#seeds = options.seeds;
    this.#effects = options.effects;
  }

  /** The first tries follow at once. */
  start(now: Instant): void {
    this.#nextAt = now;
  }

  /** No more syncs. */
  stop(): void {
    this.#nextAt = never;
    this.#syncs = [];
  }

  /** Compares with this address now, unless that is being done, or too much else. */
  with(now: Instant, address: string): void {
    if (this.#nextAt === never || this.#syncs.length >= syncsMax) return;
    if (this.#syncs.some((sync) => sync.address === address)) return;
    this.#tokens += 1;
    this.#syncs.push({ token: this.#tokens, address, endAt: instant(now + syncTimeoutUs) });
    this.#effects.requestStateSync(now, address, this.#tokens);
  }

  /** The answer came: false if nobody waits for it any more. */
  onDone(now: Instant, token: number): boolean {
    if (!this.#take(token)) return false;
    if (!this.joined) this.#nextAt = this.#interval(now);
    this.joined = true;
    return true;
  }

  onFailed(token: number): void {
    this.#take(token);
  }

  #take(token: number): boolean {
    const before = this.#syncs.length;
    this.#syncs = this.#syncs.filter((sync) => sync.token !== token);
    return this.#syncs.length < before;
  }

  /** Drawn from half to one and a half intervals, so that members started together drift apart. */
  #interval(now: Instant): Instant {
    const interval = syncIntervalUs(this.#profile, this.#effects.members());
    return instant(now + Math.floor(interval / 2) + this.#rng.below(interval));
  }

  #target(): string | undefined {
    const member = this.#effects.anyAddress();
    if (this.joined || this.#seeds.length === 0) return member;
    // One turn in so many goes to a member known from an earlier life, the others to the seed nodes in order.
    const turn = this.#seedTurn % (this.#seeds.length + 1);
    this.#seedTurn += 1;
    return turn === this.#seeds.length ? (member ?? this.#seeds[0]) : this.#seeds[turn];
  }

  /** Does what is due. */
  tick(now: Instant): void {
    if (this.#syncs.some((sync) => sync.endAt <= now)) this.#syncs = this.#syncs.filter((sync) => sync.endAt > now);
    if (this.#nextAt > now) return;
    const address = this.#target();
    if (address !== undefined) this.with(now, address);
    this.#nextAt = this.joined ? this.#interval(now) : instant(now + joinRetryUs);
  }

  /** When `tick` has something to do. */
  next(): Instant {
    let next = this.#nextAt;
    for (const sync of this.#syncs) if (sync.endAt < next) next = sync.endAt;
    return next;
  }
}
