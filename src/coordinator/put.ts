/**
 * PutCoordinator: one put, from the coordinator's own write to the last straggler. The coordinator's replica mints the
 * dot and seals the record; from then on its own write and the other replicas' run side by side, and the client is
 * answered at the W-th ack (Dynamo 4.5). The paper writes locally first; side by side is safe because dots are unique.
 *
 * The op outlives the answer: it stays until every slot has answered or its deadline passes, so that a designated sync
 * that fails is given to another replica (Dynamo 6.1). Which durability each slot writes with is decided in `syncs.ts`.
 */
import { assert } from "../base/assert.ts";
import { noBytes } from "../base/bytes.ts";
import { canary } from "../base/canary.ts";
import { Durability } from "../base/durability.ts";
import { errorTable, type Status, statusOk } from "../base/errors.ts";
import { mark } from "../base/mark.ts";
import type { Instant } from "../base/time.ts";
import type { OwnWrite } from "../version/sibling-set.ts";
import { VersionVector } from "../version/version-vector.ts";
import { failSlot, fullMessage, Op, OpTable, type OpTableOptions } from "./op.ts";
import { putShortfall } from "./shortfall.ts";
import { designateAnother, designateFirst, type Syncing, slotDurability } from "./syncs.ts";
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
  /** The record to send, from `onPrepared` on; pooled. */
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
}

/** What a put asks of the node around it; each call is one effect. */
export interface PutEffects<O> {
  /** Gives the put to this node's replica: `onPrepared` follows and then an answer from `op.localSlot`, or `onFailure` alone. */
  putLocal(now: Instant, op: PutOp<O>, durability: Durability): void;
  /**
   * Sends `op.sealed` to a slot: `onAck` or `onFailure` follows, or neither. A replica that holds the record already must
   * still sync it if asked. `slot` is `op.localSlot` only when no other is left to sync: the record goes to this node's
   * own replica as any other write.
   */
  writeReplica(now: Instant, op: PutOp<O>, slot: number, durability: Durability): void;
  /** Answers the client: `op.status`, `op.message`, and the acks as they are now. Exactly once per put. */
  reply(now: Instant, op: PutOp<O>): void;
  /** The op has left the coordinator. Exactly once per put, after `reply`. */
  forget(now: Instant, op: PutOp<O>): void;
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
    assert(op.localSlot >= 0, "a put is coordinated by one of its targets");
    assert(op.durability !== Durability.bucket, "the durability of a put is resolved before it begins");
    this.#ops.admit(now, op);
    designateFirst(op);
    if (decidePut(op) === Verdict.impossible) {
      this.#settle(now, op);
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
    else this.#spread(now, op, sealed, version);
    this.#ops.leave();
  }

  #spread(now: Instant, op: PutOp<O>, sealed: Uint8Array, version: VersionVector): void {
    assert(!op.prepared, "a put is prepared once");
    op.prepared = true;
    op.sealed = sealed;
    op.version = version;
    for (let slot = 0; slot < op.targets; slot += 1) {
      if (slot === op.localSlot) continue;
      op.awaiting |= 1 << slot;
      this.#effects.writeReplica(now, op, slot, slotDurability(op, slot));
    }
  }

  /** A slot holds the write; `durable`: it was synced before this ack. */
  onAck(now: Instant, id: number, slot: number, durable: boolean): void {
    this.#ops.enter();
    const op = this.#ops.find(id);
    if (op === undefined) mark("put.ack.late");
    else if ((op.awaiting & (1 << slot)) !== 0) this.#ack(now, op, slot, durable);
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

  /** A slot refused the write, could not do it, or cannot be reached. */
  onFailure(now: Instant, id: number, slot: number, status: Status, message: string): void {
    this.#ops.enter();
    const op = this.#ops.find(id);
    if (op === undefined) mark("put.failure.late");
    else if ((op.awaiting & (1 << slot)) !== 0) this.#fail(now, op, slot, status, message);
    this.#ops.leave();
  }

  #fail(now: Instant, op: PutOp<O>, slot: number, status: Status, message: string): void {
    const bit = 1 << slot;
    if ((op.resent & bit) !== 0) {
      op.resent &= ~bit;
    } else {
      if ((op.acked & bit) === 0) failSlot(op, slot, status, message);
      this.#answered(op, bit);
      if (!op.prepared) {
        // Nothing was sent: the client gets the replica's own reason.
        const expired = status === errorTable.EXPIRED.wire;
        this.#reply(now, op, expired ? errorTable.DEADLINE_EXCEEDED.wire : status, message);
      }
    }
    this.#settle(now, op);
  }

  /** A slot has nothing outstanding any more. */
  #answered(op: PutOp<O>, bit: number): void {
    op.awaiting &= ~bit;
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

  /** After every change: answer if it is decided, keep the syncs going, leave when nobody is left to answer. */
  #settle(now: Instant, op: PutOp<O>): void {
    if (!op.replied) {
      const verdict = decidePut(op);
      const early = canary("ack-before-w") && op.acked !== 0;
      if (verdict === Verdict.met || early) this.#reply(now, op, statusOk, "");
      else if (verdict === Verdict.impossible) this.#reply(now, op, refusalOf(op.cause), putShortfall(op, ""));
    }
    if (op.prepared && op.status === statusOk) this.#keepSyncs(now, op);
    if (op.awaiting !== 0) return;
    assert(op.replied, "a put that waits for nobody is answered");
    this.#forget(now, op);
  }

  /** Gives a failed slot's sync to a live one. */
  #keepSyncs(now: Instant, op: PutOp<O>): void {
    for (let slot = designateAnother(op); slot >= 0; slot = designateAnother(op)) {
      mark("put.designate.again");
      const bit = 1 << slot;
      if ((op.awaiting & bit) !== 0) op.resent |= bit;
      op.awaiting |= bit;
      this.#effects.writeReplica(now, op, slot, slotDurability(op, slot));
    }
  }

  #reply(now: Instant, op: PutOp<O>, status: Status, message: string): void {
    assert(!op.replied, "a put is answered once");
    op.replied = true;
    op.status = status;
    op.message = message;
    this.#effects.reply(now, op);
  }

  #forget(now: Instant, op: PutOp<O>): void {
    this.#ops.remove(op);
    this.#effects.forget(now, op);
  }

  /** Answers and forgets the puts whose deadline has come. */
  expire(now: Instant): void {
    this.#ops.enter();
    for (let op = this.#ops.nextExpired(now); op !== undefined; op = this.#ops.nextExpired(now)) {
      if (!op.replied) {
        mark("put.deadline");
        const within = ` within ${Math.ceil(op.timeoutUs / 1000)} ms`;
        this.#reply(now, op, errorTable.DEADLINE_EXCEEDED.wire, putShortfall(op, within));
      }
      this.#forget(now, op);
    }
    this.#ops.leave();
  }

  /** When `expire` has something to look at, or `never`. */
  nextDeadline(): Instant {
    return this.#ops.nextDeadline();
  }
}
