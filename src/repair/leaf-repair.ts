/**
 * LeafRepair: the leaves of a tree that differed twice, one after the other: both sides' lists of keys, page by page, and
 * the keys by which they differ, batch by batch.
 *
 * The keys of a leaf are moved at once if they are exactly what the leaf differed by a window ago (their hashes XOR to
 * it); else they are doubts, and looked at again a window later, all of a tree together. Each leaf listed and each batch
 * is paid for with a credit. When the next tree's turn is, and when a window is over, is the exchange's: exchange.ts.
 */
import { mark } from "../base/mark.ts";
import type { Instant } from "../base/time.ts";
import type { RecordPage } from "../storage/store-events.ts";
import { FrameType } from "../wire/frame-types.ts";
import type { LeafKeysReply, RecordFetchReply } from "../wire/gen/codecs.ts";
import type { ExchangeCounters, ExchangeEffects, ExchangeOptions, ExchangeRequest, Waits } from "./exchange-parts.ts";
import { WaitKind } from "./exchange-parts.ts";
import { KeyRepair, takeBatch } from "./key-repair.ts";
import type { Difference, TreeOf } from "./leaf-list.ts";
import { entriesOfPage, entryOfKey, LeafWalk } from "./leaf-list.ts";
import { treeN, treePartition } from "./merkle-tree.ts";
import type { Suspect, TreeWork } from "./tree-work.ts";

/** Unspent credits are kept up to this. */
const creditsMax = 1024;
/** Differing keys of one leaf that are kept before they are moved: so many are no writes in flight. */
const leafDifferencesMax = 1024;
/** Doubtful keys of one tree that are kept; the leaves behind are left to another pass. */
const doubtsMax = 4096;

/**
 * What a step came to. `on`: it goes on, now or with an answer. `starved`: it needs a credit. `doubts`: all leaves are
 * through, and doubts are left for a window later. `done`: the tree is.
 */
export type LeafStep = "on" | "starved" | "doubts" | "done";

/** The leaves of one tree at a time, for the exchange that is under way. */
export class LeafRepair {
  /** What may still be listed or moved. */
  credits = 0;
  readonly #effects: ExchangeEffects;
  readonly #treeOf: TreeOf;
  readonly #waits: Waits;
  readonly #counters: ExchangeCounters;
  readonly #repair: KeyRepair;
  #request: ExchangeRequest | null = null;
  #walk: LeafWalk | null = null;
  /** The leaf in work is listed; it is done when the queue is empty. */
  #listed = false;
  /** Keys to be moved before anything else. */
  #queue: Difference[] = [];

  constructor(options: ExchangeOptions, waits: Waits, counters: ExchangeCounters) {
    this.#effects = options.effects;
    this.#treeOf = options.treeOf;
    this.#waits = waits;
    this.#counters = counters;
    this.#repair = new KeyRepair(options.effects, waits, counters);
  }

  /** An exchange begins. */
  begin(request: ExchangeRequest): void {
    this.#request = request;
  }

  /** The exchange is over, wherever it was. */
  end(): void {
    this.#repair.abandon();
    this.#request = null;
    this.#walk = null;
    this.#listed = false;
    this.#queue = [];
  }

  grant(count: number): void {
    this.credits = Math.min(creditsMax, this.credits + count);
  }

  #spend(): boolean {
    if (this.credits === 0) return false;
    this.credits -= 1;
    return true;
  }

  /** Goes on with the tree's suspected leaves. */
  step(now: Instant, work: TreeWork): LeafStep {
    if (this.#queue.length > 0) return this.#moveKeys(now, work);
    this.#collectMoved(work);
    if (this.#walk !== null) {
      this.#stepWalk(now, work, this.#walk);
      return "on";
    }
    if (this.#listed) {
      this.#listed = false;
      work.next += 1;
    }
    if (work.next < work.suspects.length && work.doubts.length < doubtsMax) return this.#beginLeaf();
    if (work.next < work.suspects.length) work.overflow = (work.suspects[work.next] as Suspect).leaf;
    if (work.doubts.length === 0) return "done";
    this.#queue = work.doubts;
    work.doubts = [];
    return "doubts";
  }

  /** Goes on with the tree's doubts, a window later. */
  stepDoubts(now: Instant, work: TreeWork): LeafStep {
    if (this.#queue.length > 0) return this.#moveKeys(now, work);
    this.#collectMoved(work);
    return "done";
  }

  #beginLeaf(): LeafStep {
    if (!this.#spend()) return "starved";
    this.#walk = new LeafWalk();
    this.#counters.leavesListed += 1;
    return "on";
  }

  #stepWalk(now: Instant, work: TreeWork, walk: LeafWalk): void {
    const { leaf, high, low } = work.suspects[work.next] as Suspect;
    if (walk.done) {
      this.#counters.keysListed += walk.keys;
      this.#counters.keysDiffering += walk.differences.length;
      this.#walk = null;
      this.#sortOut(work, walk, walk.xorHigh === high && walk.xorLow === low);
      return;
    }
    if (walk.differences.length >= leafDifferencesMax) {
      mark("exchange.leaf-of-many");
      this.#counters.keysDiffering += walk.differences.length;
      this.#queue = walk.differences.splice(0);
      return;
    }
    if (walk.needsHere) {
      const id = this.#waits.add(now, WaitKind.scan, 0);
      this.#effects.scanLeaf(now, id, treePartition(work.tree), leaf, walk.cursorHere);
    }
    if (walk.needsThere) {
      const body = { tree: work.tree, leaf, cursor: walk.cursorThere };
      const { peer } = this.#request as ExchangeRequest;
      this.#effects.ask(now, this.#waits.add(now, WaitKind.answer, 0), peer, { type: FrameType.LEAF_KEYS, body });
    }
  }

  /** A leaf's differing keys: moved at once if they are what it differed by a window ago. */
  #sortOut(work: TreeWork, walk: LeafWalk, lasting: boolean): void {
    if (walk.differences.length > 0 && lasting) this.#queue = walk.differences;
    else if (walk.differences.length > 0) {
      mark("exchange.doubt");
      if (work.firstDoubt < 0) work.firstDoubt = work.next;
      for (const difference of walk.differences) work.doubts.push(difference);
    }
    this.#listed = true;
  }

  /** A page of the own records under the leaf in work. */
  onScanned(work: TreeWork, page: RecordPage): void {
    this.#walk?.addHere(entriesOfPage(page, treeN(work.tree), this.#treeOf), page.cursor);
  }

  /** A page of the peer's keys under it; false: nothing that was asked for. */
  onKeys({ keys, cursor }: LeafKeysReply): boolean {
    const walk = this.#walk;
    if (walk === null || !walk.needsThere) return false;
    return walk.addThere(keys.map(entryOfKey), cursor.slice());
  }

  /** The own record of the key at `index` of the batch; null: none that can be read. */
  onRecord(now: Instant, index: number, sealed: Uint8Array | null): void {
    this.#repair.onRecord(now, index, sealed);
  }

  /** The peer's records of the batch; false: nothing that was asked for. */
  onFetched(now: Instant, reply: RecordFetchReply): boolean {
    return this.#repair.busy && this.#repair.onFetched(now, reply);
  }

  onMoved(now: Instant, moved: boolean): void {
    this.#repair.onMoved(now, moved);
  }

  #moveKeys(now: Instant, work: TreeWork): LeafStep {
    this.#collectMoved(work);
    if (!this.#spend()) return "starved";
    const { peer, direction, preview } = this.#request as ExchangeRequest;
    const context = { peer, tree: work.tree, pullOnly: direction === "pull", preview };
    this.#repair.begin(now, context, takeBatch(this.#queue));
    return "on";
  }

  /** Adds up what the batch before has moved. */
  #collectMoved(work: TreeWork): void {
    work.moved += this.#repair.moved;
    work.failed += this.#repair.failed;
    this.#repair.moved = 0;
    this.#repair.failed = 0;
  }
}
