/**
 * PutCoordinator: one put, from the coordinator's own write to the last straggler. The coordinator's replica mints the
 * dot and seals the record; from then on its own write and the other replicas' run side by side, and the client is
 * answered at the W-th ack (Dynamo 4.5). The paper writes locally first; side by side is safe because dots are unique.
 *
 * An owner that fails is replaced by the next fallback, which keeps a hint for it (Dynamo 4.6). One that is only silent
 * is replaced at once while W is not met; after that it is first asked whether it holds the write, because it usually
 * does: what is wanted and what is done about it is `#cover`.
 *
 * The op outlives the answer: it stays until every slot has answered or its deadline passes, so that a designated sync
 * that fails is given to another replica (Dynamo 6.1). Which durability each slot writes with is decided in `syncs.ts`.
 */
import { assert } from "../base/assert.ts";
import { noBytes } from "../base/bytes.ts";
import { canary } from "../base/canary.ts";
import { Durability } from "../base/durability.ts";
import { codeOf, errorTable, type Status, statusOk } from "../base/errors.ts";
import type { NodeNumber } from "../base/ids.ts";
import { mark } from "../base/mark.ts";
import { type DurationUs, type Instant, instant } from "../base/time.ts";
import { openRecord } from "../version/record.ts";
import type { OwnWrite } from "../version/sibling-set.ts";
import { compareVersions, VersionVector } from "../version/version-vector.ts";
import {
  failSlot,
  findsStale,
  firstSlots,
  fullMessage,
  noteAnswer,
  Op,
  OpTable,
  type OpTableOptions,
  type RouteEffects,
  takeSilent,
} from "./op.ts";
import { putShortfall, withinTimeout } from "./shortfall.ts";
import { addSlot, hintOwner, ownersOf, packedAt, slotsFor } from "./slots.ts";
import { designateAnother, designateFirst, type Syncing, slotDurability, syncsMissing } from "./syncs.ts";
import { decidePut, refusalOf, Verdict } from "./tally.ts";

/** A put in flight. The node sets the fields up to `second`; the rest is the coordinator's, read by the effects. */
export class PutOp<O> extends Op<O> implements Syncing {
  durability: Durability = Durability.buffered;
  context: VersionVector = VersionVector.empty;
  /** The writer's own write before this one, where the context names it by itself. */
  contextOwn: OwnWrite | null = null;
  requestId: Uint8Array = noBytes;
  /** Borrowed until `begin` returns, and emptied then. */
  value: Uint8Array = noBytes;
  tombstone = false;
  /** The answer's context covers all that is there, seen by its writer or not. */
  overwrite = false;
  /** Wall-clock seconds, kept with the sibling; never used for order. */
  second = 0;

  prepared = false;
  /** When the first slots were sent the record. */
  spreadAt: Instant = instant(0);
  /** The record to send, from `onPrepared` on; pooled. Set before `begin` for a second attempt (`putAgain`). */
  sealed: Uint8Array = noBytes;
  /** What the writer may say it has read, once the own replica has minted: the context of the answer. */
  version: VersionVector = VersionVector.empty;
  /** Goes with `version`, where the write had to be named by itself. */
  own: OwnWrite | null = null;
  acked = 0;
  durable = 0;
  designated = 0;
  unsynced = 0;
  /** Slots that were sent the write a second time, to sync, while the first answer is still out. */
  resent = 0;
  syncs = 0;
  /** Owners that want a fallback, or a question first whether they hold the write. */
  wanted = 0;
  /** Owners that were asked whether they hold the write; and those of them that have not said. */
  questioned = 0;
  questions = 0;
  /** A fallback refused because it keeps as many hints as it may. */
  overBudget = false;
}

/** What a put asks of the node around it; each call is one effect. */
export interface PutEffects<O> extends RouteEffects<PutOp<O>> {
  /**
   * Gives the put to this node's replica: `onPrepared` follows and then an answer from `op.localSlot`, or `onFailure`
   * alone. If the local slot is among `op.fallbacks`, this node is no owner and what it writes is a hint for
   * `hintOwner`.
   */
  putLocal(now: Instant, op: PutOp<O>, durability: Durability): void;
  /**
   * Sends `op.sealed` to a slot: `onAck` or `onFailure` follows, or neither. A replica that holds the record already
   * must still sync it if asked. `slot` is `op.localSlot` only when no other is left to sync, or in a second attempt:
   * the record goes to this node's own replica as any other write.
   */
  writeReplica(now: Instant, op: PutOp<O>, slot: number, durability: Durability): void;
  /**
   * Sends `op.sealed` to the fallback in a slot, to be merged into its hint for `owner`: `onAck` or `onFailure`
   * follows, or neither; `OVERLOADED` when it may keep no more for that owner. It may come so close to the op's
   * deadline that the fallback needs `op.silenceUs` instead of what is left. `slot` may be `op.localSlot`, as in
   * `writeReplica`.
   */
  keepHint(now: Instant, op: PutOp<O>, slot: number, owner: NodeNumber, durability: Durability): void;
  /** Asks the owner in a slot for the version of its record, no more: `onHead` follows, or nothing. */
  askHead(now: Instant, op: PutOp<O>, slot: number): void;
  /** Answers the client: `op.status`, `op.message`, and the acks as they are now. Exactly once per put. */
  reply(now: Instant, op: PutOp<O>): void;
  /** The op has left the coordinator; what is `awaiting` and not `silent` was given up. Exactly once per put, after `reply`. */
  forget(now: Instant, op: PutOp<O>): void;
}

/** Whether an owner that failed so still is the one to hold the record, so that another keeps it meanwhile. */
function mayBeCovered(status: Status): boolean {
  return status !== errorTable.WRONG_OWNER.wire && errorTable[codeOf(status)].retryable;
}

function localBit(op: PutOp<unknown>): number {
  return op.localSlot < 0 ? 0 : 1 << op.localSlot;
}

/** Whether a replica whose record has this version has taken in the put. */
function holds(op: PutOp<unknown>, version: VersionVector): boolean {
  const record = openRecord(op.sealed);
  const dots = record.dotsOf(op.requestId);
  if (dots !== undefined) return dots.some((dot) => version.covers(dot));
  const order = compareVersions(record.version, version);
  return order === "before" || order === "equal";
}

export class PutCoordinator<O> {
  readonly #effects: PutEffects<O>;
  readonly #ops: OpTable<PutOp<O>>;

  constructor(effects: PutEffects<O>, options: OpTableOptions) {
    this.#effects = effects;
    this.#ops = new OpTable(options);
  }

  /** Whether `begin` would answer `OVERLOADED`. */
  get full(): boolean {
    return this.#ops.full;
  }

  /** Puts that have not left, answered or not. */
  get inFlight(): number {
    return this.#ops.size;
  }

  /** Starts a put on one of its targets, or answers `OVERLOADED`. */
  begin(now: Instant, op: PutOp<O>): void {
    this.#ops.enter();
    if (this.#ops.full) this.#refuse(now, op);
    else this.#start(now, op);
    op.value = noBytes;
    this.#ops.leave();
  }

  #refuse(now: Instant, op: PutOp<O>): void {
    mark("put.full");
    this.#reply(now, op, errorTable.OVERLOADED.wire, fullMessage);
    this.#effects.forget(now, op);
  }

  #start(now: Instant, op: PutOp<O>): void {
    const again = op.sealed.length > 0;
    assert(again || op.localSlot >= 0, "a put is coordinated by one of its targets");
    assert(op.durability !== Durability.bucket, "the durability of a put is resolved before it begins");
    this.#ops.admit(now, op, op.pendingSlot < 0 ? firstSlots(op) : op.pendingSlot + 1);
    designateFirst(op);
    if (decidePut(op) === Verdict.impossible) {
      this.#settle(now, op);
    } else if (again) {
      mark("put.again");
      this.#spread(now, op, -1);
    } else {
      op.awaiting = 1 << op.localSlot;
      this.#effects.putLocal(now, op, slotDurability(op, op.localSlot));
    }
  }

  /** The local replica has minted the dot: `sealed` (pooled) is what every replica shall merge. */
  onPrepared(now: Instant, id: number, sealed: Uint8Array, version: VersionVector): void {
    this.#ops.enter();
    const op = this.#ops.find(id);
    if (op === undefined) mark("put.prepared.late");
    else {
      op.sealed = sealed;
      op.version = version;
      this.#spread(now, op, op.localSlot);
    }
    this.#ops.leave();
  }

  /** Sends the record to every slot but one. */
  #spread(now: Instant, op: PutOp<O>, except: number): void {
    assert(!op.prepared, "a put is prepared once");
    op.prepared = true;
    op.spreadAt = now;
    for (let slot = 0; slot < op.targets; slot += 1) if (slot !== except) this.#send(now, op, slot);
    // If the own replica took its time, the others get theirs.
    if ((now - op.started) * 2 > op.silenceUs) op.fresh = op.awaiting;
  }

  #send(now: Instant, op: PutOp<O>, slot: number): void {
    op.awaiting |= 1 << slot;
    const durability = slotDurability(op, slot);
    if ((op.fallbacks & (1 << slot)) === 0) this.#effects.writeReplica(now, op, slot, durability);
    else this.#effects.keepHint(now, op, slot, hintOwner(op, slot), durability);
  }

  /** How long a slot took, if that says anything of the way there. */
  #latency(now: Instant, op: PutOp<O>, bit: number): DurationUs {
    return ((op.designated | op.resent | op.added) & bit) === 0 ? now - op.spreadAt : -1;
  }

  /** A slot holds the write; `durable`: it was synced before this ack. */
  onAck(now: Instant, id: number, slot: number, durable: boolean): void {
    this.#ops.enter();
    const op = this.#ops.find(id);
    if (op === undefined) mark("put.ack.late");
    else if ((op.awaiting & (1 << slot)) !== 0) {
      if (slot !== op.localSlot) this.#effects.heard(now, op, slot, statusOk, this.#latency(now, op, 1 << slot));
      this.#ack(now, op, slot, durable);
    }
    this.#ops.leave();
  }

  #ack(now: Instant, op: PutOp<O>, slot: number, durable: boolean): void {
    assert(op.prepared, "an ack follows the preparation");
    const bit = 1 << slot;
    if (!durable && op.durability === Durability.durable) {
      // An ack without the promised sync is no ack of this put.
      this.#fail(now, op, slot, errorTable.STORAGE_FAILED.wire, "acknowledged without a sync");
      return;
    }
    op.acked |= bit;
    if (durable) op.durable |= bit;
    if (!durable && (op.resent & bit) !== 0) op.resent &= ~bit;
    else this.#answered(op, bit);
    this.#settle(now, op);
  }

  /**
   * A slot refused the write, could not do it, or cannot be reached. `epoch` is that of the replica's ring, 0 if
   * unknown.
   */
  onFailure(now: Instant, id: number, slot: number, status: Status, message: string, epoch = 0): void {
    this.#ops.enter();
    const op = this.#ops.find(id);
    if (op === undefined) mark("put.failure.late");
    else if ((op.awaiting & (1 << slot)) !== 0) {
      if (slot !== op.localSlot) this.#effects.heard(now, op, slot, status, this.#latency(now, op, 1 << slot));
      if (findsStale(op, status, epoch)) this.#effects.staleRing(now, epoch);
      this.#fail(now, op, slot, status, message);
    }
    this.#ops.leave();
  }

  #fail(now: Instant, op: PutOp<O>, slot: number, status: Status, message: string): void {
    const bit = 1 << slot;
    if ((op.resent & bit) !== 0) {
      op.resent &= ~bit;
    } else {
      if ((op.acked & bit) === 0) this.#lose(op, slot, status, message);
      this.#answered(op, bit);
      if (!op.prepared) {
        // Nothing was sent: the client gets the replica's own reason.
        const expired = status === errorTable.EXPIRED.wire;
        this.#reply(now, op, expired ? errorTable.DEADLINE_EXCEEDED.wire : status, message);
      }
    }
    this.#settle(now, op);
  }

  /** A slot will not hold the write: the owner that it counts for may want somebody else. */
  #lose(op: PutOp<O>, slot: number, status: Status, message: string): void {
    failSlot(op, slot, status, message);
    const fallback = (op.fallbacks & (1 << slot)) !== 0;
    if (fallback && status === errorTable.OVERLOADED.wire) op.overBudget = true;
    if (fallback || mayBeCovered(status)) op.wanted |= 1 << packedAt(op.standsFor, slot);
  }

  /** A slot has nothing outstanding any more. */
  #answered(op: PutOp<O>, bit: number): void {
    op.awaiting &= ~bit;
    op.questions &= ~bit;
    if ((op.designated & bit) !== 0 && (op.durable & bit) === 0) {
      op.designated &= ~bit;
      op.unsynced |= bit;
    }
  }

  /** The link to a node broke: whatever it was asked has failed. A cold path. */
  onTargetLost(now: Instant, number: number, status: Status, message: string): void {
    this.#ops.enter();
    this.#ops.forEach((op) => {
      for (let slot = 0; slot < op.targets; slot += 1) {
        if (op.targetNumbers[slot] !== number || (op.awaiting & (1 << slot)) === 0) continue;
        op.resent &= ~(1 << slot);
        this.#fail(now, op, slot, status, message);
      }
    });
    this.#ops.leave();
  }

  /** What an owner's replica holds, or null if it did not say: whether the put is missing there. */
  onHead(now: Instant, id: number, slot: number, version: VersionVector | null): void {
    this.#ops.enter();
    const op = this.#ops.find(id);
    if (op === undefined) mark("put.head.late");
    else if ((op.questions & (1 << slot)) !== 0) {
      op.questions &= ~(1 << slot);
      if (version !== null && holds(op, version)) mark("put.head.held");
      else op.wanted |= 1 << slot;
      this.#settle(now, op);
    }
    this.#ops.leave();
  }

  /** Looks for slots that have been silent for too long, and for owners that did not say what they hold. */
  #look(now: Instant, op: PutOp<O>): void {
    const quiet = takeSilent(now, op, this.#effects);
    // Once W is met a silent fallback is left alone, and the own replica: more hints would only add to what slows them.
    const spared = op.replied ? op.fallbacks | localBit(op) : 0;
    op.wanted |= op.questions | ownersOf(quiet & ~spared, op.standsFor);
    op.questions = 0;
    this.#ops.watch(now, op);
    this.#settle(now, op);
    // Whoever was asked just now will have had a whole silence by the next look.
    op.fresh = 0;
  }

  /** After every change: cover owners, answer if it is decided, keep the syncs going, leave when nobody is left to answer. */
  #settle(now: Instant, op: PutOp<O>): void {
    // A strict put has no use for fallbacks until it is met: then they keep what its owners lack.
    if (op.wanted !== 0 && !(op.quorum.strict && !op.replied)) this.#cover(now, op);
    if (!op.replied) this.#decide(now, op);
    if (op.wanted !== 0 && op.replied) this.#cover(now, op);
    if (op.prepared && op.status === statusOk) this.#keepSyncs(now, op);
    if (op.awaiting !== 0) return;
    assert(op.replied, "a put that waits for nobody is answered");
    this.#forget(now, op);
  }

  #decide(now: Instant, op: PutOp<O>): void {
    const verdict = decidePut(op);
    const early = canary("ack-before-w") && op.acked !== 0;
    if (verdict === Verdict.met || early) this.#reply(now, op, statusOk, "");
    else if (verdict === Verdict.impossible) {
      // Nothing is accepted and dropped: with all fallbacks full the client is told to come back later.
      const status = op.overBudget ? errorTable.OVERLOADED.wire : refusalOf(op.cause);
      this.#reply(now, op, status, putShortfall(op, ""));
    }
  }

  /** Does something about the owners that want it: a question first if the write may well be there, else a fallback. */
  #cover(now: Instant, op: PutOp<O>): void {
    const { wanted } = op;
    op.wanted = 0;
    if (!op.prepared || op.status !== statusOk) return;
    for (let owner = 0; wanted >>> owner !== 0 && op.candidates !== 0; owner += 1) {
      const bit = 1 << owner;
      if ((wanted & bit) === 0 || this.#covered(op, owner)) continue;
      const silent = op.awaiting & ~(op.fallbacks | op.questioned | localBit(op)) & bit;
      if (silent !== 0 && op.replied) {
        mark("put.head");
        op.questioned |= bit;
        op.questions |= bit;
        this.#effects.askHead(now, op, owner);
      } else this.#addFallback(now, op, owner);
    }
  }

  /** Whether the owner holds the write, or somebody does in its place, or is about to. */
  #covered(op: PutOp<O>, owner: number): boolean {
    const slots = slotsFor(op.targets, op.standsFor, owner);
    return (slots & (op.acked | op.questions | (op.awaiting & ~op.silent))) !== 0;
  }

  #addFallback(now: Instant, op: PutOp<O>, owner: number): void {
    const slot = addSlot(op, owner);
    if (slot < 0) return;
    mark("put.fallback");
    const bit = 1 << slot;
    op.fallbacks |= bit;
    op.added |= bit;
    op.fresh |= bit;
    // It takes over the sync, too, if that is what failed.
    if (syncsMissing(op)) op.designated |= bit;
    this.#send(now, op, slot);
  }

  /** Gives a failed slot's sync to a live one. */
  #keepSyncs(now: Instant, op: PutOp<O>): void {
    for (let slot = designateAnother(op); slot >= 0; slot = designateAnother(op)) {
      mark("put.designate.again");
      const bit = 1 << slot;
      if ((op.awaiting & bit) !== 0) op.resent |= bit;
      this.#send(now, op, slot);
    }
  }

  #reply(now: Instant, op: PutOp<O>, status: Status, message: string): void {
    noteAnswer(op, status, message);
    this.#effects.reply(now, op);
  }

  #forget(now: Instant, op: PutOp<O>): void {
    this.#ops.remove(op);
    this.#effects.forget(now, op);
  }

  /** Answers and forgets the puts whose deadline has come; does something about those whose replicas are silent. */
  expire(now: Instant): void {
    this.#ops.enter();
    for (let op = this.#ops.nextExpired(now); op !== undefined; op = this.#ops.nextExpired(now)) {
      if (!op.replied) {
        mark("put.deadline");
        this.#reply(now, op, errorTable.DEADLINE_EXCEEDED.wire, putShortfall(op, withinTimeout(op)));
      }
      this.#forget(now, op);
    }
    this.#ops.forEachSilent(now, (op) => this.#look(now, op));
    this.#ops.leave();
  }

  /** When `expire` has something to look at, or `never`. */
  nextDeadline(): Instant {
    return this.#ops.nextDeadline();
  }
}
