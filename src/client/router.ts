/**
 * Router: which node a request goes to. An owner of the key, so that no node passes it on (zero hops): for a put the
 * one that answered the preceding get first, else the better of two random owners by latency and queue. An owner that
 * is slow next to the others is not among them: whether it still is, gets find out that are asked of another one as well.
 * An owner that is away or stopping, or where the last attempt failed, comes after every other; a fallback is asked only
 * when no owner can be, and any node at all before none, since every node answers every query.
 */
import { assert } from "../base/assert.ts";
import type { Rng } from "../base/rng.ts";
import { after, type DurationUs, type Instant } from "../base/time.ts";
import type { Ring } from "../ring/ring.ts";
import type { KnownNode } from "./known-node.ts";
import type { RequestOptions } from "./request.ts";

/** What the router asks of the pool. */
export interface NodeLookup {
  /** The node of that number, known from now on; undefined: the ring has no such member. */
  known(number: number): KnownNode | undefined;
  /** Dials the node unless it has a connection or was found away a moment ago. */
  warm(now: Instant, node: KnownNode): void;
}

/** What decides where a request goes; a `Request` is one. */
export interface RouteQuery {
  readonly bucket: Uint8Array;
  /** Of the full key. */
  readonly hashHigh: number;
  readonly options: RequestOptions;
  /** The node that should have it if it can, by its number; 0: any. */
  readonly prefer: number;
  /** The node that the last attempt failed at; 0: none. */
  readonly failedAt: number;
}

/** An owner is slow above this many times what the fastest takes, but never below a floor. */
const slowFactor = 4;
const slowFloorUs: DurationUs = 1_000;
/** A slow one is tried again so often, by each client: sooner than its latency is forgotten. */
const tryAgainUs: DurationUs = 500_000;

export class Router {
  readonly #rng: Rng;
  readonly #nodes: NodeLookup;
  /** The owners that can be asked, and of them those that are not slow; reused. */
  readonly #usable: KnownNode[] = [];
  readonly #prompt: KnownNode[] = [];

  constructor(rng: Rng, nodes: NodeLookup) {
    this.#rng = rng;
    this.#nodes = nodes;
  }

  /** The node to ask, which may have no connection yet. */
  pick(now: Instant, ring: Ring, query: RouteQuery): KnownNode {
    const policyN = ring.policyOf(query.bucket).n;
    const list = ring.preferenceList(ring.partitionOf(query.hashHigh), policyN);
    const asked = query.options.n === 0 ? policyN : Math.min(query.options.n, policyN);
    const owners = Math.min(asked, list.length);
    this.#gather(now, list, owners, query.failedAt);
    if (this.#usable.length > 0) return this.#choose(now, query);
    return this.#fallback(now, ring, list, owners, query.failedAt);
  }

  #gather(now: Instant, list: Uint16Array, owners: number, failedAt: number): void {
    this.#usable.length = 0;
    this.#prompt.length = 0;
    for (let slot = 0; slot < owners; slot += 1) {
      const node = this.#nodes.known(list[slot] as number);
      if (node === undefined) continue;
      // Connections are made when a key asks for them, but nobody waits for one while another owner is up.
      if (!node.isUp) this.#nodes.warm(now, node);
      else if (node.number !== failedAt && node.avoidUntil <= now) this.#usable.push(node);
    }
  }

  #choose(now: Instant, query: RouteQuery): KnownNode {
    this.#sift(now);
    const prompt = this.#prompt;
    if (query.prefer !== 0) {
      for (const node of prompt) if (node.number === query.prefer) return node;
    }
    const first = this.#rng.below(prompt.length);
    const one = prompt[first] as KnownNode;
    if (prompt.length === 1) return one;
    const other = prompt[(first + 1 + this.#rng.below(prompt.length - 1)) % prompt.length] as KnownNode;
    return other.cost(now) < one.cost(now) ? other : one;
  }

  /** Slow is who takes much longer than the fastest, or says that it is: where all are slow nobody is. */
  #sift(now: Instant): void {
    let fastest = 0;
    for (const node of this.#usable) {
      const us = node.latencyUs(now);
      if (us > 0 && (fastest === 0 || us < fastest)) fastest = us;
    }
    const most = Math.max(slowFloorUs, slowFactor * fastest);
    for (const node of this.#usable) if (node.latencyUs(now) <= most && node.slowUntil <= now) this.#prompt.push(node);
    if (this.#prompt.length > 0) return;
    for (const node of this.#usable) if (node.latencyUs(now) <= most) this.#prompt.push(node);
  }

  /** Of the owners that the last `pick` left out for being slow, one that nobody has asked for a while. */
  toTryAgain(now: Instant): KnownNode | undefined {
    if (this.#prompt.length === this.#usable.length) return undefined;
    return this.#usable.find((node) => after(node.askedAt, tryAgainUs) <= now && !this.#prompt.includes(node));
  }

  /**
   * No owner is ready: one that was not dialled yet or is being dialled; else one that answers although it would rather
   * not; else the first fallback or other member that is up; else the owner that will be dialled again first.
   */
  #fallback(now: Instant, ring: Ring, list: Uint16Array, owners: number, failedAt: number): KnownNode {
    let reluctant: KnownNode | undefined;
    let soonest: KnownNode | undefined;
    const offset = owners === 0 ? 0 : this.#rng.below(owners);
    for (let i = 0; i < owners; i += 1) {
      const node = this.#nodes.known(list[(offset + i) % owners] as number);
      if (node === undefined) continue;
      if (!node.isUp && !node.isDown && node.number !== failedAt) return node;
      if (node.isUp && (reluctant === undefined || node.avoidUntil < reluctant.avoidUntil)) reluctant = node;
      if (soonest === undefined || (node.isDown && node.probeAt < soonest.probeAt)) soonest = node;
    }
    const other = this.#anyUp(now, ring, list, owners);
    if (reluctant !== undefined && (other === undefined || reluctant.number !== failedAt)) return reluctant;
    const chosen = other ?? reluctant ?? soonest;
    assert(chosen !== undefined, "every partition has an owner");
    return chosen;
  }

  /** A fallback that is up, in the list's order; else any member that is. */
  #anyUp(now: Instant, ring: Ring, list: Uint16Array, owners: number): KnownNode | undefined {
    for (let slot = owners; slot < list.length; slot += 1) {
      const node = this.#nodes.known(list[slot] as number);
      if (node?.isUp && node.avoidUntil <= now) return node;
    }
    for (const member of ring.members) {
      const node = this.#nodes.known(member.number);
      if (node?.isUp && node.avoidUntil <= now) return node;
    }
    return undefined;
  }
}
