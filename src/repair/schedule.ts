/**
 * RepairSchedule: with whom to compare trees next (Dynamo 4.7). Every 15 s a node compares the roots of all trees that it
 * shares with one peer, peers in rotation; with more than 40 peers the tick is shortened, so that every pair of tree and
 * peer comes up within ten minutes. One exchange at a time.
 *
 * It also keeps the proof: for each pair, as of when it is known to be equal. The oldest of them is the node's metric.
 * Which pairs may be compared (not in transfer, synced on this side) is for the caller to say; what the peer thinks of it
 * is in its answers.
 */
import { assert } from "../base/assert.ts";
import type { NodeNumber } from "../base/ids.ts";
import type { DurationUs, Instant } from "../base/time.ts";
import { after, instant, never } from "../base/time.ts";
import { leavesPerTree } from "../storage/keys.ts";
import type { ExchangeRequest, ExchangeResult, TreeResult } from "./exchange-parts.ts";
import type { TreeId } from "./merkle-tree.ts";

/** Between two comparisons, at the most. */
const tickUsMax = 15_000_000;
/** Between two comparisons while somebody waits for all pairs. */
const hurryUs = 1_000_000;
/** Differing leaves of one tree that one exchange takes on. Doubled for a tree that had more, until it has no more. */
const leavesAtFirst = 64;

/** What the schedule asks of the node around it. */
export interface RepairScheduleEffects {
  /** Begins this exchange; `onFinished` follows, later. */
  begin(now: Instant, request: ExchangeRequest): void;
}

/** The trees that this node and a peer both own and may compare. */
export interface SharedTrees {
  readonly peer: NodeNumber;
  readonly trees: readonly TreeId[];
}

/** A pair and since when it is not known to be equal. */
export interface UnverifiedPair {
  readonly peer: NodeNumber;
  readonly tree: TreeId;
  /** It was equal as of then; or it is new since then. */
  readonly since: Instant;
}

/** What a `RepairSchedule` is built from. */
export interface RepairScheduleOptions {
  readonly effects: RepairScheduleEffects;
  /** Whether the peer can be asked now; asked once per turn of the rotation. */
  readonly reachable: (peer: NodeNumber) => boolean;
  /** Every pair comes up once in this time; default ten minutes. Shorter: sooner repaired, more root comparisons. */
  readonly passUs?: DurationUs;
}

interface Pair {
  readonly tree: TreeId;
  since: Instant;
  cursor: number;
  leavesMax: number;
}

class PeerPairs {
  readonly peer: NodeNumber;
  readonly pairs: Map<TreeId, Pair> = new Map();
  /** A tree of the last exchange had more to do: this peer comes up again soon. */
  again = false;

  constructor(peer: NodeNumber) {
    this.peer = peer;
  }

  /** Whether these are its trees, no more and no fewer. */
  has(trees: readonly TreeId[]): boolean {
    return trees.length === this.pairs.size && trees.every((tree) => this.pairs.has(tree));
  }
}

function pairsOf(now: Instant, peer: NodeNumber, trees: readonly TreeId[], before: PeerPairs | undefined): PeerPairs {
  const entry = new PeerPairs(peer);
  entry.again = before?.again ?? false;
  for (const tree of trees) {
    const pair = before?.pairs.get(tree) ?? { tree, since: now, cursor: 0, leavesMax: leavesAtFirst };
    entry.pairs.set(tree, pair);
  }
  return entry;
}

/** Decides; the exchange does. */
export class RepairSchedule {
  readonly #effects: RepairScheduleEffects;
  readonly #reachable: (peer: NodeNumber) => boolean;
  readonly #passUs: DurationUs;
  #peers: PeerPairs[] = [];
  /** Whose turn is next in the rotation. */
  #turn = 0;
  /** The last turn was out of rotation. */
  #extra = false;
  #asked: PeerPairs | null = null;
  #nextAt: Instant = instant(0);
  #hurrySince: Instant = instant(0);

  constructor(options: RepairScheduleOptions) {
    this.#effects = options.effects;
    this.#reachable = options.reachable;
    this.#passUs = options.passUs ?? 600_000_000;
  }

  /** Time between two comparisons. */
  get tickUs(): DurationUs {
    return Math.min(tickUsMax, Math.floor(this.#passUs / Math.max(1, this.#peers.length)));
  }

  /** Pairs that are compared. */
  get pairs(): number {
    let count = 0;
    for (const { pairs } of this.#peers) count += pairs.size;
    return count;
  }

  /**
   * What is shared with whom from now on: after a new ring, and whenever a partition begins or ends a transfer, loses or
   * regains `synced`. A pair that was there before keeps what is known of it; one left out is forgotten.
   */
  update(now: Instant, shared: readonly SharedTrees[]): void {
    const known = new Map(this.#peers.map((peer) => [peer.peer, peer]));
    const next = this.#peers[this.#turn]?.peer;
    this.#peers = [];
    for (const { peer, trees } of shared) {
      if (trees.length === 0) continue;
      const before = known.get(peer);
      this.#peers.push(before?.has(trees) === true ? before : pairsOf(now, peer, trees, before));
    }
    const turn = this.#peers.findIndex(({ peer }) => peer === next);
    this.#turn = Math.max(0, turn);
  }

  /** Compares without pause until every pair has been verified as of `now`: see `verifiedAt`. */
  hurry(now: Instant): void {
    this.#hurrySince = now;
    this.#nextAt = instant(Math.min(this.#nextAt, now));
  }

  /** The pair that was verified longest ago; null: there is none. */
  oldest(): UnverifiedPair | null {
    let oldest: UnverifiedPair | null = null;
    for (const { peer, pairs } of this.#peers) {
      for (const { tree, since } of pairs.values()) {
        if (oldest === null || since < oldest.since) oldest = { peer, tree, since };
      }
    }
    return oldest;
  }

  /** As of when all pairs are known to be equal; `never`, if there is no pair. */
  verifiedAt(): Instant {
    return this.oldest()?.since ?? never;
  }

  /** As of when one pair is known to be equal; null: it is not compared. */
  verifiedPair(peer: NodeNumber, tree: TreeId): Instant | null {
    return this.#peers.find((entry) => entry.peer === peer)?.pairs.get(tree)?.since ?? null;
  }

  /** Begins the next exchange when it is due and none is under way. */
  tick(now: Instant): void {
    if (this.#asked !== null || now < this.#nextAt) return;
    this.#nextAt = after(now, this.verifiedAt() < this.#hurrySince ? Math.min(hurryUs, this.tickUs) : this.tickUs);
    const entry = this.#choose();
    if (entry === null) return;
    this.#asked = entry;
    const pairs = [...entry.pairs.values()];
    const trees = pairs.map(({ tree, cursor }) => ({ tree, cursor }));
    const leavesMax = pairs.reduce((most, pair) => Math.max(most, pair.leavesMax), leavesAtFirst);
    const { peer } = entry;
    this.#effects.begin(now, { peer, trees, leavesMax, direction: "both", preview: false, untilEqual: 0 });
  }

  /** When `tick` is due. */
  nextTick(): Instant {
    return this.#asked !== null || this.#peers.length === 0 ? never : this.#nextAt;
  }

  /** A peer with more to do, every other turn; else the next that can be asked. */
  #choose(): PeerPairs | null {
    if (!this.#extra) {
      const waiting = this.#peers.find(({ again, peer }) => again && this.#reachable(peer));
      if (waiting !== undefined) {
        this.#extra = true;
        return waiting;
      }
    }
    this.#extra = false;
    for (let i = 0; i < this.#peers.length; i += 1) {
      const at = (this.#turn + i) % this.#peers.length;
      const entry = this.#peers[at] as PeerPairs;
      if (!this.#reachable(entry.peer)) continue;
      this.#turn = (at + 1) % this.#peers.length;
      return entry;
    }
    return null;
  }

  /** The exchange that was begun is over. */
  onFinished(_now: Instant, result: ExchangeResult): void {
    const peer = this.#asked?.peer;
    assert(peer === result.peer, "the exchange that ends is the one that was begun");
    this.#asked = null;
    // The pairs may be others than at the beginning.
    const entry = this.#peers.find((one) => one.peer === peer);
    if (entry === undefined) return;
    entry.again = false;
    for (const tree of result.trees) this.#learn(entry, tree, result.begunAt);
  }

  #learn(entry: PeerPairs, { tree, outcome, cursor }: TreeResult, begunAt: Instant): void {
    const pair = entry.pairs.get(tree);
    if (pair === undefined) return;
    pair.cursor = cursor;
    if (outcome === "equal" || outcome === "repaired") {
      // A pair that was forgotten meanwhile and came back is new since then.
      if (begunAt > pair.since) pair.since = begunAt;
      pair.leavesMax = leavesAtFirst;
    } else if (outcome === "partial" && cursor > 0) {
      pair.leavesMax = Math.min(leavesPerTree, 2 * pair.leavesMax);
      entry.again = true;
    }
  }
}
