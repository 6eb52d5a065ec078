/**
 * Exchange: comparing trees with one peer and moving what differs (Dynamo 4.7). For anti-entropy between two owners, and
 * for a transfer's catch-up.
 *
 *   all roots -> wait -> the differing roots again -> branches -> leaves -> wait -> the differing leaves again
 *   -> each leaf's lists of keys -> per key: pull, push or both
 *
 * Two nodes never look at one instant, so a busy tree always differs by the writes in flight. Only what differs twice, a
 * window apart, is gone into: roots, then leaves. The keys of a leaf that is: leaf-repair.ts.
 *
 * An exchange moves nothing by itself: records merge in `Replica.write` on either side, so it may end anywhere and be
 * begun again. Leaves listed and batches of keys are paid for with credits from outside. The other side keeps no state:
 * responder.ts.
 */
import { assert } from "../base/assert.ts";
import { type Status, statusOk, wireOf } from "../base/errors.ts";
import { mark } from "../base/mark.ts";
import type { Instant } from "../base/time.ts";
import { after, instant, never } from "../base/time.ts";
import { leavesPerTree } from "../storage/keys.ts";
import type { RecordPage } from "../storage/store-events.ts";
import { FrameType } from "../wire/frame-types.ts";
import type { TreeLeavesReply, TreeRootsReply } from "../wire/gen/codecs.ts";
import type { ExchangeEffects, ExchangeOptions, ExchangeRequest } from "./exchange-parts.ts";
import { ExchangeCounters, WaitKind, Waits } from "./exchange-parts.ts";
import { LeafRepair, type LeafStep } from "./leaf-repair.ts";
import { leavesOf, type TreeId, treePartition } from "./merkle-tree.ts";
import type { Answer, Question } from "./questions.ts";
import { compareBranches, compareRoots, isOfLeaves } from "./tree-answers.ts";
import { TreeWork } from "./tree-work.ts";

export type {
  ExchangeEffects,
  ExchangeOptions,
  ExchangeRequest,
  ExchangeResult,
  PreviewedKey,
  TreeOutcome,
  TreeResult,
  TreeStart,
} from "./exchange-parts.ts";

/**
 * Trees whose roots are asked for in one frame: making a root takes some thirty microseconds, on both sides, and nobody
 * who waits for an answer should wait for a thousand of them.
 */
const rootsAtOnce = 16;
const invalidArgument = wireOf("INVALID_ARGUMENT");
const deadlineExceeded = wireOf("DEADLINE_EXCEEDED");
const storageFailed = wireOf("STORAGE_FAILED");

type Phase = "idle" | "roots" | "look" | "repair" | "doubts";

/** One exchange at a time. */
export class Exchange {
  readonly counters: ExchangeCounters = new ExchangeCounters();
  readonly #options: ExchangeOptions;
  readonly #effects: ExchangeEffects;
  readonly #waits: Waits;
  readonly #leaves: LeafRepair;
  #request: ExchangeRequest | null = null;
  #begunAt: Instant = instant(0);
  #phase: Phase = "idle";
  /** The second look at the roots. */
  #again = false;
  /** Nothing is done before. */
  #wakeAt: Instant = instant(0);
  /** The time of the last event. */
  #seen: Instant = instant(0);
  #trees: TreeWork[] = [];
  /** The trees of this phase, and how many are done. */
  #open: TreeWork[] = [];
  #at = 0;
  /** The tree in work has been asked about in this phase. */
  #asked = false;
  #inside = false;

  constructor(options: ExchangeOptions) {
    this.#options = options;
    this.#effects = options.effects;
    this.#waits = new Waits(options.answerTimeoutUs ?? 10_000_000);
    this.#leaves = new LeafRepair(options, this.#waits, this.counters);
  }

  /** Whether an exchange is under way. */
  get busy(): boolean {
    return this.#request !== null;
  }

  /** It has work to do and no credit to do it with. */
  get starved(): boolean {
    return this.busy && this.#leaves.credits === 0 && this.#waits.size === 0 && this.#wakeAt <= this.#seen;
  }

  /** Begins an exchange; `finished` follows. */
  begin(now: Instant, request: ExchangeRequest): void {
    this.#enter();
    assert(this.#request === null, "one exchange at a time");
    assert(request.leavesMax >= 1, "an exchange may take on a leaf");
    assert(request.untilEqual === 0 || !request.preview, "a preview does not make trees equal");
    this.#request = request;
    this.#leaves.begin(request);
    this.#begunAt = now;
    this.#wakeAt = now;
    this.counters.exchanges += 1;
    this.#trees = request.trees.map(({ tree, cursor }) => new TreeWork(tree, cursor % leavesPerTree));
    this.#beginPass(this.#trees);
    this.#leave(now);
  }

  /** Pays for `count` leaves to be listed or batches of keys to be moved. */
  grant(now: Instant, count: number): void {
    this.#enter();
    this.#leaves.grant(count);
    this.#leave(now);
  }

  /** Ends the exchange where it is. Records on their way are merged all the same. */
  cancel(now: Instant, status: Status): void {
    this.#enter();
    if (this.#request !== null) this.#interrupt(now, status);
    this.#leave(now);
  }

  /** Ends waits; gives up a peer that is silent. */
  tick(now: Instant): void {
    this.#enter();
    if (this.#waits.deadline() <= now) this.#interrupt(now, deadlineExceeded);
    this.#leave(now);
  }

  /** When `tick` is due. */
  nextTick(): Instant {
    if (this.#request === null) return never;
    if (this.#waits.size > 0) return this.#waits.deadline();
    return this.#wakeAt > this.#seen ? this.#wakeAt : never;
  }

  /** The peer's answer. On any `status` but 0, a lost link included, the answer is null and the exchange is over. */
  onAnswer(now: Instant, id: number, status: Status, answer: Answer | null): void {
    this.#enter();
    if (this.#waits.take(now, id, WaitKind.answer) >= 0) {
      if (answer === null) this.#interrupt(now, status === statusOk ? invalidArgument : status);
      else if (!this.#take(now, answer)) {
        mark("exchange.bad-answer");
        this.#interrupt(now, invalidArgument);
      }
    }
    this.#leave(now);
  }

  /** A page of the own records under the leaf in work, or why it cannot be read. */
  onScanned(now: Instant, id: number, page: RecordPage | null, error: string | null): void {
    this.#enter();
    if (this.#waits.take(now, id, WaitKind.scan) >= 0) {
      if (page === null || error !== null) this.#interrupt(now, storageFailed);
      else this.#leaves.onScanned(this.#current(), page);
    }
    this.#leave(now);
  }

  /** The own record of a key: null for none, or, with an error, one that cannot be read: the peer's is fetched. */
  onRecord(now: Instant, id: number, sealed: Uint8Array | null, error: string | null): void {
    this.#enter();
    const index = this.#waits.take(now, id, WaitKind.read);
    if (index >= 0) this.#leaves.onRecord(now, index, error === null ? sealed : null);
    this.#leave(now);
  }

  /** A record was merged here, or at the peer, or was not. */
  onMoved(now: Instant, id: number, status: Status): void {
    this.#enter();
    if (this.#waits.take(now, id, WaitKind.move) >= 0) this.#leaves.onMoved(now, status === statusOk);
    this.#leave(now);
  }

  #enter(): void {
    assert(!this.#inside, "an effect must not call the exchange");
    this.#inside = true;
  }

  /** Goes on as far as it can without an answer, a credit or a wait. */
  #leave(now: Instant): void {
    this.#seen = now;
    while (this.#request !== null && this.#waits.size === 0 && this.#wakeAt <= now && this.#step(now));
    this.#inside = false;
  }

  #current(): TreeWork {
    return this.#open[this.#at] as TreeWork;
  }

  #ask(now: Instant, question: Question): true {
    const peer = (this.#request as ExchangeRequest).peer;
    this.#effects.ask(now, this.#waits.add(now, WaitKind.answer, 0), peer, question);
    return true;
  }

  #enterPhase(phase: Phase, trees: TreeWork[], again: boolean): void {
    this.#phase = phase;
    this.#open = trees;
    this.#again = again;
    this.#at = 0;
    this.#asked = false;
  }

  #beginPass(trees: TreeWork[]): void {
    for (const tree of trees) tree.beginPass();
    this.#enterPhase("roots", trees, false);
  }

  /** One step of the phase; false: nothing can be done just now. */
  #step(now: Instant): boolean {
    switch (this.#phase) {
      case "roots":
        return this.#at < this.#open.length ? this.#askRoots(now) : this.#endRoots(now);
      case "look":
        return this.#at < this.#open.length ? this.#stepLook(now) : this.#endLook(now);
      case "repair":
        return this.#at < this.#open.length ? this.#stepRepair(now) : this.#endPass(now);
      case "doubts":
        return this.#stepDoubts(now);
      case "idle":
        return false;
    }
  }

  #askRoots(now: Instant): true {
    const trees = this.#open.slice(this.#at, this.#at + rootsAtOnce).map(({ tree }) => tree);
    return this.#ask(now, { type: FrameType.TREE_ROOTS, body: { trees } });
  }

  #onRoots(reply: TreeRootsReply): boolean {
    const trees = this.#open.slice(this.#at, this.#at + rootsAtOnce);
    this.counters.rootsCompared += trees.length;
    this.#at += trees.length;
    return compareRoots(trees, reply, this.#options.leaves);
  }

  #endRoots(now: Instant): boolean {
    const differing = this.#open.filter(({ outcome }) => outcome === null);
    if (differing.length === 0) return this.#endPass(now);
    if (!this.#again) {
      if ((this.#request as ExchangeRequest).untilEqual > 0) for (const { tree } of differing) this.#hurry(tree);
      this.#wait(now);
      this.#enterPhase("roots", differing, true);
    } else {
      this.counters.treesDescended += differing.length;
      this.#enterPhase("look", differing, false);
    }
    return true;
  }

  /** What waits for write-back would make leaf after leaf differ, and each is listed on both sides. */
  #hurry(tree: TreeId): void {
    this.#options.leaves.hurry(treePartition(tree));
  }

  #wait(now: Instant): void {
    this.#wakeAt = after(now, this.#options.windowUs);
  }

  /** Branches, then the leaves of those that differ. */
  #stepLook(now: Instant): boolean {
    const { tree, branches } = this.#current();
    if (!this.#asked) {
      this.#asked = true;
      this.#hurry(tree);
      return this.#ask(now, { type: FrameType.TREE_BRANCH, body: { tree } });
    }
    if (branches.length > 0) return this.#ask(now, { type: FrameType.TREE_LEAVES, body: { tree, branches } });
    this.#nextTree();
    return true;
  }

  #nextTree(): void {
    this.#at += 1;
    this.#asked = false;
  }

  #onLeaves(reply: TreeLeavesReply): boolean {
    const work = this.#current();
    if (!isOfLeaves(work, reply)) return false;
    const mine = leavesOf(this.#options.leaves, work.tree);
    if (this.#phase === "look") {
      work.look(mine, reply.leaves, (this.#request as ExchangeRequest).leavesMax);
      this.#nextTree();
    } else {
      const settled = work.lookAgain(mine, reply.leaves);
      if (settled > 0) mark("exchange.leaf-settled");
      this.counters.leavesSettled += settled;
    }
    return true;
  }

  #endLook(now: Instant): boolean {
    for (const work of this.#open) if (work.suspects.length === 0) this.#endTree(work);
    const suspected = this.#open.filter(({ outcome }) => outcome === null);
    if (suspected.length === 0) return this.#endPass(now);
    this.#wait(now);
    this.#enterPhase("repair", suspected, false);
    return true;
  }

  #endTree(work: TreeWork): void {
    work.endPass((this.#request as ExchangeRequest).preview);
  }

  /** The second look at a tree's leaves, then leaf by leaf. */
  #stepRepair(now: Instant): boolean {
    const work = this.#current();
    if (!this.#asked) {
      this.#asked = true;
      work.branches = work.suspectBranches();
      return this.#ask(now, { type: FrameType.TREE_LEAVES, body: { tree: work.tree, branches: work.branches } });
    }
    return this.#stepLeaves(now, this.#leaves.step(now, work));
  }

  #stepDoubts(now: Instant): boolean {
    return this.#stepLeaves(now, this.#leaves.stepDoubts(now, this.#current()));
  }

  #stepLeaves(now: Instant, step: LeafStep): boolean {
    if (step === "doubts") {
      this.#wait(now);
      this.#phase = "doubts";
    } else if (step === "done") {
      this.#endTree(this.#current());
      this.#phase = "repair";
      this.#nextTree();
    }
    return step !== "starved";
  }

  #take(now: Instant, answer: Answer): boolean {
    switch (answer.type) {
      case FrameType.TREE_ROOTS:
        return this.#phase === "roots" && this.#onRoots(answer.body);
      case FrameType.TREE_BRANCH:
        return this.#phase === "look" && compareBranches(this.#current(), answer.body, this.#options.leaves);
      case FrameType.TREE_LEAVES:
        return (this.#phase === "look" || this.#phase === "repair") && this.#onLeaves(answer.body);
      case FrameType.LEAF_KEYS:
        return this.#leaves.onKeys(answer.body);
      case FrameType.RECORD_FETCH:
        return this.#leaves.onFetched(now, answer.body);
    }
  }

  /** Ends the exchange, or begins its next pass. */
  #endPass(now: Instant): boolean {
    const wanted = (this.#request as ExchangeRequest).untilEqual;
    const left = this.#trees.filter(({ outcome, equal }) => outcome !== "refused" && equal < wanted);
    if (left.length === 0) this.#finish(now, statusOk);
    else {
      this.#wait(now);
      this.#beginPass(left);
    }
    return this.#request !== null;
  }

  #interrupt(now: Instant, status: Status): void {
    mark("exchange.interrupted");
    this.counters.interrupted += 1;
    this.#finish(now, status);
  }

  #finish(now: Instant, status: Status): void {
    const { peer } = this.#request as ExchangeRequest;
    const trees = this.#trees.map((work) => {
      return { tree: work.tree, outcome: work.outcome ?? ("interrupted" as const), cursor: work.resumeAt() };
    });
    const begunAt = this.#begunAt;
    this.#waits.clear();
    this.#leaves.end();
    this.#request = null;
    this.#phase = "idle";
    this.#trees = [];
    this.#open = [];
    this.#effects.finished(now, { peer, begunAt, status, trees });
  }
}
