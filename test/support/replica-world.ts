/**
 * ReplicaWorld: three replicas of one key over fake stores, driven step by step, with the whole history kept beside them
 * as plain sets (naive-version.ts). After every local write the record must say exactly what the history says: which
 * dots it reflects, which writes are alive in it. Power cuts lose what was not synced; messages are late, repeated and in
 * any order, but none is lost for ever.
 */

import { hexOf, utf8 } from "../../src/base/bytes.ts";
import { Durability } from "../../src/base/durability.ts";
import { statusOk } from "../../src/base/errors.ts";
import { Hash64 } from "../../src/base/hash.ts";
import { nodeNumber } from "../../src/base/ids.ts";
import { type Instant, instant } from "../../src/base/time.ts";
import { type ActorEffects, Actors, type Incarnation } from "../../src/replica/actors.ts";
import { HybridClock } from "../../src/replica/hybrid-clock.ts";
import { Replica, type ReplicaEffects, ReplicaKind, ReplicaOp } from "../../src/replica/replica.ts";
import type { StoreWrite } from "../../src/storage/store.ts";
import { openRecord } from "../../src/version/record.ts";
import { causalHash, type SiblingSet } from "../../src/version/sibling-set.ts";
import type { Dot } from "../../src/version/version-vector.ts";
import { VersionVector } from "../../src/version/version-vector.ts";
import { FakeStore } from "./fake-store.ts";
import { dotText, NaiveSet } from "./naive-version.ts";
import { idNamed, keyNamed } from "./replica-story.ts";

/** What is planted in a world to see whether the checks find it. */
export type Planted = "none" | "actor-outlives-hints" | "same-actor" | "same-incarnation" | "hints-ignored" | "no-lock";

/** What somebody has read: the vector, and what it stands for. */
interface Knowledge {
  readonly version: VersionVector;
  readonly naive: NaiveSet;
}

/** A put as its client sees it. */
interface Put {
  readonly name: string;
  readonly context: Knowledge;
}

/** A record under way, and its history. */
interface Message {
  readonly sealed: Uint8Array;
  readonly naive: NaiveSet;
}

type Origin = { readonly put: Put } | { readonly message: Message } | { readonly drop: true };

/** An actor that goes on although hints with its dots have left. */
class StubbornActors extends Actors {
  override renew(): void {}
}

const key = keyNamed("k");
const keyHex = hexOf(key);
const nothing: Knowledge = { version: VersionVector.empty, naive: NaiveSet.empty };

class HintBlindStore extends FakeStore {
  override mayHoldHints(): boolean {
    return false;
  }
}

class World {
  readonly planted: Planted;
  readonly messages: Message[] = [];
  readonly puts: Put[] = [];
  readonly acked = new Set<string>();
  /** Every dot ever shown, and the one write it names. */
  readonly dots = new Map<string, { readonly id: string; readonly dot: Dot }>();
  boots = 0;
  opCount = 0;
  /** Puts that shared the write of another. */
  shared = 0;
  retried = false;

  constructor(planted: Planted) {
    this.planted = planted;
  }
}

/** One node through all its boots. */
class WorldNode implements ActorEffects, ReplicaEffects<Origin> {
  readonly #world: World;
  readonly #number: number;
  readonly store: FakeStore;
  naive = NaiveSet.empty;
  #synced = NaiveSet.empty;
  /** By target. */
  readonly #hints = new Map<number, NaiveSet>();
  readonly #afters = new WeakMap<StoreWrite, NaiveSet>();
  #ops: ReplicaOp<Origin>[] = [];
  #leaseTop = 0;
  #turnDue = false;
  #actors: Actors;
  #replica: Replica<Origin>;

  constructor(world: World, number: number) {
    this.#world = world;
    this.#number = number;
    this.store = world.planted === "hints-ignored" ? new HintBlindStore() : new FakeStore();
    this.store.hot = number === 2;
    this.store.onCall = (_what, write) => {
      if (write !== undefined) this.#check(write);
    };
    this.#actors = this.#newActors();
    this.#replica = this.#newReplica();
  }

  #newActors(): Actors {
    const { planted } = this.#world;
    if (this.#leaseTop === 0 || planted !== "same-actor") this.#leaseTop += 1000;
    const { planted: bug } = this.#world;
    return new (bug === "actor-outlives-hints" ? StubbornActors : Actors)({
      effects: this,
      node: nodeNumber(this.#number),
      partitions: 1,
      incarnation: planted.startsWith("same") ? { high16: 0, low: 0 } : this.drawIncarnation(),
      leaseTop: this.#leaseTop,
      leaseStep: 1000,
    });
  }

  #newReplica(): Replica<Origin> {
    const clock = new HybridClock(() => 0);
    const limits = { waitersMax: 100, busyMax: 200, keepRecentForSeconds: 1000, retriesMax: 16 };
    const replica = new Replica<Origin>({ effects: this, store: this.store, actors: this.#actors, clock, ...limits });
    this.store.sink = replica;
    return replica;
  }

  saveLease(): void {
    throw new Error("no world mints that much");
  }

  drawIncarnation(): Incarnation {
    this.#world.boots += 1;
    return { high16: 0, low: this.#world.boots };
  }

  get idle(): boolean {
    return this.#ops.length === 0;
  }

  #newOp(kind: ReplicaKind, origin: Origin): ReplicaOp<Origin> {
    const op = new ReplicaOp<Origin>(kind, origin, key);
    this.#world.opCount += 1;
    op.hashLow = this.#world.planted === "no-lock" ? this.#world.opCount : 7;
    op.n = 3;
    this.#ops.push(op);
    return op;
  }

  /** With a target: in a fallback's slot. */
  put(put: Put, durable: boolean, target = 0): void {
    const op = this.#newOp(ReplicaKind.put, { put });
    op.target = target;
    op.context = put.context.version;
    op.requestId = idNamed(put.name);
    op.value = utf8(put.name);
    op.durability = durable ? Durability.durable : Durability.buffered;
    this.#replica.put(this.now, op);
  }

  merge(message: Message): void {
    const op = this.#newOp(ReplicaKind.write, { message });
    op.sealed = message.sealed;
    this.#replica.write(this.now, op);
  }

  /** Keeps a message as a hint for another node. */
  stash(message: Message, target: number): void {
    const op = this.#newOp(ReplicaKind.keepHint, { message });
    op.target = target;
    op.sealed = message.sealed;
    this.#replica.changeHint(this.now, op);
  }

  /** The target has the hint as it is now: it may go. */
  drop(target: number): void {
    const hint = this.store.hints.get(keyHex)?.find((one) => one.target === target);
    if (hint === undefined) return;
    const op = this.#newOp(ReplicaKind.dropHint, { drop: true });
    const hash = new Hash64();
    causalHash(openRecord(hint.sealed), key, hash);
    op.target = target;
    op.causalHigh = hash.high;
    op.causalLow = hash.low;
    this.#replica.changeHint(this.now, op);
  }

  /** An answer of the store, or the end of the turn. */
  answer(pick: number): void {
    const { owed } = this.store;
    if (this.#turnDue && (owed.length === 0 || pick % 2 === 1)) {
      this.#endTurn();
      return;
    }
    if (owed.length === 0) return;
    const index = pick % owed.length;
    // Writes are answered in the order in which they were made.
    const at = owed[index]?.what === "write" ? owed.findIndex((one) => one.what === "write") : index;
    const one = owed[at];
    if (one?.what === "write") this.#apply(one.write as StoreWrite);
    if (one?.what === "sync" && one.write?.hint === null) this.#synced = this.naive;
    this.store.answer(this.now, at);
  }

  #apply(write: StoreWrite): void {
    const after = this.#afters.get(write);
    if (write.hint === null) this.naive = after as NaiveSet;
    else if (after === undefined) this.#hints.delete(write.hint.target);
    else this.#hints.set(write.hint.target, after);
  }

  cutPower(): void {
    this.store.cutPower();
    this.naive = this.#synced;
    this.#ops = [];
    this.#turnDue = false;
    this.#actors = this.#newActors();
    this.#replica = this.#newReplica();
  }

  get now(): Instant {
    return instant(1_000_000);
  }

  /** What the write must hold, by plain sets, and whether it does. */
  #check(write: StoreWrite): void {
    const op = this.#ops.find((one) => one.id === write.token);
    if (op === undefined) throw new Error("a write without an op");
    if (write.sealed.length === 0) return;
    const set = openRecord(write.sealed);
    const after = "put" in op.origin ? this.#afterPuts(op, set) : this.#afterMerge(op);
    this.#afters.set(write, after);
    const retried = this.#world.retried;
    for (const { requestId, dots } of set.siblings) {
      for (const dot of dots) this.#nameDot(dot, hexOf(requestId));
      if (!retried && !after.live.has(hexOf(requestId))) throw new Error("a write lives on that was superseded");
    }
    const live = new Set(set.siblings.map((sibling) => hexOf(sibling.requestId)));
    if (live.size !== set.siblings.length) throw new Error("one write is two siblings");
    for (const id of after.live.keys()) if (!live.has(id)) throw new Error("a write was lost");
    for (const [text, { dot }] of this.#world.dots) {
      if (set.version.covers(dot) !== after.seen.has(text)) throw new Error("the version says what is not so");
    }
  }

  #nameDot(dot: Dot, id: string): void {
    const { dots } = this.#world;
    const known = dots.get(dotText(dot));
    if (known === undefined) dots.set(dotText(dot), { id, dot });
    else if (known.id !== id) throw new Error("one dot names two writes");
  }

  /** After a put and those that share its write. */
  #afterPuts(first: ReplicaOp<Origin>, set: SiblingSet): NaiveSet {
    let after = [...this.#hints.values()].reduce((sum, hint) => sum.merge(hint), this.naive);
    for (let op: ReplicaOp<Origin> | null = first; op !== null; op = op.companion) {
      if (op !== first) this.#world.shared += 1;
      if ("put" in op.origin) after = this.#afterPut(after, op.origin.put, set.dotsOf(op.requestId));
    }
    return after;
  }

  #afterPut(held: NaiveSet, put: Put, dots: readonly Dot[] | undefined): NaiveSet {
    const fresh = (dots ?? []).filter((dot) => !held.seen.has(dotText(dot)));
    if (fresh.length === 0) return held;
    return held.put(put.context.naive.seen, dotText(fresh[0] as Dot), hexOf(idNamed(put.name)));
  }

  #afterMerge(op: ReplicaOp<Origin>): NaiveSet {
    if (!("message" in op.origin)) throw new Error("a merge without a message");
    const before = op.target === 0 ? this.naive : (this.#hints.get(op.target) ?? NaiveSet.empty);
    return before.merge(op.origin.message.naive);
  }

  prepared(_now: Instant, op: ReplicaOp<Origin>): void {
    const owed = this.store.owed.find((one) => one.write !== undefined && one.write.sealed === op.sealed);
    const naive = owed?.write === undefined ? undefined : this.#afters.get(owed.write);
    if (naive === undefined) throw new Error("prepared before the write was under way");
    this.#world.messages.push({ sealed: (op.sealed as Uint8Array).slice(), naive });
  }

  done(_now: Instant, op: ReplicaOp<Origin>): void {
    this.#ops = this.#ops.filter((one) => one !== op);
    if (op.status !== statusOk) throw new Error(`an op failed: ${op.message}`);
    if ("put" in op.origin) this.#world.acked.add(hexOf(idNamed(op.origin.put.name)));
  }

  wantTurnEnd(): void {
    this.#turnDue = true;
  }

  #endTurn(): void {
    this.#turnDue = false;
    this.#replica.endTurn(this.now);
  }

  amnesia(): void {
    if (this.#world.planted === "none") throw new Error("nothing was forgotten");
  }
}

/** One step of a run; what its numbers mean depends on the kind. */
export interface Step {
  readonly kind: "put" | "retry" | "put-away" | "deliver" | "stash" | "drop" | "answer" | "cut";
  readonly node: number;
  readonly pick: number;
  readonly durable: boolean;
}

/** Runs the steps, then delivers everything everywhere; throws when anything is not as it must be. */
export function runReplicaWorld(steps: readonly Step[], planted: Planted): void {
  const world = new World(planted);
  world.retried = steps.some((step) => step.kind === "retry");
  const nodes = [1, 2, 3].map((number) => new WorldNode(world, number));
  for (const step of steps) runStep(world, nodes[step.node % 3] as WorldNode, step);
  for (const node of nodes) while (!node.idle) node.answer(0);
  for (const node of nodes) {
    for (const message of world.messages) node.merge(message);
    while (!node.idle) node.answer(0);
  }
  checkEnd(world, nodes);
}

function runStep(world: World, node: WorldNode, step: Step): void {
  const { messages, puts } = world;
  const message = messages[step.pick % (messages.length || 1)];
  const target = 8 + (step.pick % 2);
  if (step.kind === "put" || step.kind === "put-away") {
    // A context comes from what some put has shown; every third put is blind.
    const seen = step.pick % 3 === 0 || message === undefined ? nothing : knowledgeOf(message);
    const put = { name: `w${puts.length}`, context: seen };
    puts.push(put);
    node.put(put, step.durable, step.kind === "put" ? 0 : target);
  } else if (step.kind === "retry") {
    const put = puts[step.pick % (puts.length || 1)];
    if (put !== undefined) node.put(put, step.durable);
  } else if (step.kind === "answer") node.answer(step.pick);
  else if (step.kind === "cut") node.cutPower();
  else if (step.kind === "drop") node.drop(target);
  else if (message !== undefined) {
    if (step.kind === "stash") node.stash(message, target);
    else node.merge(message);
  }
}

function knowledgeOf(message: Message): Knowledge {
  return { version: openRecord(message.sealed).version, naive: message.naive };
}

function checkEnd(world: World, nodes: readonly WorldNode[]): void {
  const records = nodes.map((node) => node.store.records.get(keyHex));
  const first = records[0];
  if (first === undefined) {
    if (world.acked.size > 0) throw new Error("everything was lost");
    return;
  }
  if (world.retried) return;
  const live = new Set(openRecord(first).siblings.map((sibling) => hexOf(sibling.requestId)));
  const covered = new Set<string>();
  for (const put of world.puts) {
    const id = hexOf(idNamed(put.name));
    const shown = [...world.dots.values()].some((one) => one.id === id);
    if (!shown) continue;
    for (const [text, one] of world.dots) if (put.context.naive.seen.has(text)) covered.add(one.id);
  }
  for (const id of world.acked) {
    if (!live.has(id) && !covered.has(id)) throw new Error("an acknowledged write was lost that nobody had superseded");
  }
  for (const record of records) {
    if (record === undefined || hexOf(record) !== hexOf(first)) throw new Error("the replicas have not become equal");
  }
}
