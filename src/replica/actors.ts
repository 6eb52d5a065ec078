/**
 * Actors: under which name, and with which number, this node mints dots (Dynamo 4.4).
 *
 * An actor is (node, partition, incarnation); the partition is implied by the record. The incarnation is 48 random
 * bits: one drawn at each boot serves all partitions, and a partition that may have lost history draws another. So a
 * copied or rolled-back data directory repeats no dot. The second line: one lease per node bounds all its counters. It
 * is on stable storage before it is used, counters of a boot start above those of the boots before it, and it grows in
 * the background, so that no put waits for a file.
 *
 * Not here: when history may be lost (`replica.ts`, the node), the file itself (the node).
 */

import { assert } from "../base/assert.ts";
import { canary } from "../base/canary.ts";
import type { NodeNumber } from "../base/ids.ts";
import { mark } from "../base/mark.ts";
import type { Instant } from "../base/time.ts";
import type { VersionVector } from "../version/version-vector.ts";

const counterMax = 0xffff_ffff;

/** 48 random bits: compared for equality only. */
export interface Incarnation {
  /** The high 16 bits. */
  readonly high16: number;
  /** The low 32 bits. */
  readonly low: number;
}

/** What the actors ask of the node around them. */
export interface ActorEffects {
  /** Makes the new lease durable; `onLeaseSaved` follows. At most one is under way. */
  saveLease(now: Instant, leaseTop: number): void;
  /** 48 bits fit for identities. */
  drawIncarnation(): Incarnation;
}

/** What `Actors` is built from. */
export interface ActorOptions {
  readonly effects: ActorEffects;
  readonly node: NodeNumber;
  readonly partitions: number;
  /** Drawn for this boot, and durable together with `leaseTop`. */
  readonly incarnation: Incarnation;
  /** The highest counter this node may mint: `leaseOfBoot`, on stable storage by now. */
  readonly leaseTop: number;
  /** Counters per lease: 10,000. Higher: fewer file writes; lower: counters grow more slowly over many boots. */
  readonly leaseStep: number;
}

/**
 * The lease of a new boot, from that of the boot before (0: none): the next `leaseStep` counters. Where they end it
 * starts over, as overflowing counters do: from there on only the new incarnation keeps dots apart.
 */
export function leaseOfBoot(lastLeaseTop: number, leaseStep: number): number {
  const leaseTop = lastLeaseTop + leaseStep;
  return leaseTop <= counterMax ? leaseTop : leaseStep;
}

/** The actor and the counter of each partition at this node. */
export class Actors {
  readonly #effects: ActorEffects;
  readonly #node: NodeNumber;
  readonly #leaseStep: number;
  /** The next lease is asked for when no more than this is left of the present one. */
  readonly #leaseRest: number;
  readonly #highs: Uint32Array;
  readonly #lows: Uint32Array;
  readonly #counters: Uint32Array;
  #leaseTop: number;
  /** The lease on its way to the disk; 0: none. */
  #leaseAsked = 0;

  constructor(options: ActorOptions) {
    assert(options.leaseStep >= 10 && options.leaseStep <= counterMax, "a lease has at least ten counters");
    assert(options.leaseTop >= options.leaseStep && options.leaseTop <= counterMax, "the lease is out of range");
    this.#effects = options.effects;
    this.#node = options.node;
    this.#leaseStep = options.leaseStep;
    this.#leaseRest = Math.floor(options.leaseStep / 5);
    this.#leaseTop = options.leaseTop;
    this.#highs = new Uint32Array(options.partitions).fill(this.#actorHigh(options.incarnation));
    this.#lows = new Uint32Array(options.partitions).fill(options.incarnation.low);
    this.#counters = new Uint32Array(options.partitions).fill(options.leaseTop - options.leaseStep);
  }

  #actorHigh(incarnation: Incarnation): number {
    assert(incarnation.high16 >= 0 && incarnation.high16 <= 0xffff, "an incarnation has 48 bits");
    return ((this.#node << 16) | incarnation.high16) >>> 0;
  }

  /** The high word of the partition's actor: node number and the high bits of the incarnation. */
  actorHigh(partition: number): number {
    return this.#highs[partition] as number;
  }

  /** The low word of the partition's actor. */
  actorLow(partition: number): number {
    return this.#lows[partition] as number;
  }

  /** Whether this is the actor that mints for the partition now. */
  isOwn(partition: number, actorHigh: number, actorLow: number): boolean {
    return this.#highs[partition] === actorHigh && this.#lows[partition] === actorLow;
  }

  /** The counter minted last for the partition; nothing was minted above it under its actor. */
  counterOf(partition: number): number {
    return this.#counters[partition] as number;
  }

  /** How much of the partition's actor a version reflects: a counter, 0 for nothing. */
  counterIn(partition: number, version: VersionVector): number {
    return version.counterOf(this.actorHigh(partition), this.actorLow(partition));
  }

  /** The highest counter this node may mint. */
  get leaseTop(): number {
    return this.#leaseTop;
  }

  /** Whether the lease is used up for this partition, so that a put must be refused until the next one is saved. */
  exhausted(partition: number): boolean {
    const counter = this.#counters[partition] as number;
    return counter >= this.#leaseTop && counter < counterMax;
  }

  /**
   * The next counter of the partition's actor: never given before. Ask for the actor after this call, not before: at
   * the end of the counters a new incarnation is drawn.
   */
  mint(now: Instant, partition: number): number {
    if (this.#counters[partition] === counterMax) {
      mark("actors.counter-overflow");
      this.renew(now, partition);
      this.#counters[partition] = 0;
    }
    const again = canary("reuse-counter") && ((this.#counters[partition] as number) & 3) === 3;
    const counter = (this.#counters[partition] as number) + (again ? 0 : 1);
    assert(counter <= this.#leaseTop, "a counter stays below the lease");
    this.#counters[partition] = counter;
    if (this.#leaseTop - counter <= this.#leaseRest) this.#askLease(now);
    return counter;
  }

  #askLease(now: Instant): void {
    if (this.#leaseAsked !== 0 || this.#leaseTop === counterMax) return;
    this.#leaseAsked = Math.min(this.#leaseTop + this.#leaseStep, counterMax);
    this.#effects.saveLease(now, this.#leaseAsked);
  }

  /** The lease asked for is on stable storage. */
  onLeaseSaved(leaseTop: number): void {
    assert(leaseTop === this.#leaseAsked, "the lease saved is the one asked for");
    this.#leaseTop = leaseTop;
    this.#leaseAsked = 0;
  }

  /** Draws a new incarnation for the partition, whose history at this node may have a gap. Its counter goes on. */
  renew(_now: Instant, partition: number): void {
    const incarnation = this.#effects.drawIncarnation();
    this.#highs[partition] = this.#actorHigh(incarnation);
    this.#lows[partition] = incarnation.low;
    mark("actors.renewed");
  }
}
