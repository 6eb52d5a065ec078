/**
 * GetCoordinator: one get. All targets are asked at once and the client is answered at the R-th answer; one slow
 * replica then costs nothing. The first record is kept, equal ones are only counted, different ones are merged
 * (Dynamo 4.5). The remaining answers are collected until the deadline, and whoever is behind the merged record is sent
 * it: read repair, after the answer and bounded, because it must not stand in anybody's way (mechanisms 1.4, 3.14).
 *
 * Of large records one slot, `bodySlot`, sends the whole and the others what it takes to compare (heads.ts). If that
 * slot is late the record is fetched from another: after `hedgeDelay` if the node's budget has room for it, else when
 * the slot has been silent for so long that it is taken for failing. A late record that comes after all does no harm:
 * it is merged, or its op has left. So nobody is told to stop, and one round trip is all that it takes where replicas
 * agree.
 *
 * The target list is asked as it stands. A fallback in it answers from its hints, and what it does not know says
 * nothing; nor does an owner that is still receiving the partition, but its record is merged. The pending member of a
 * list that changes is asked only when the owner that it replaces says that it is none any more.
 *
 * A slot that did not answer, or failed, is left to anti-entropy: nobody knows what it lacks. Fallbacks are never
 * repaired: they keep hints for others, not copies.
 */
import { assert } from "../base/assert.ts";
import { canary } from "../base/canary.ts";
import { DeadlineQueue } from "../base/deadlines.ts";
import { errorTable, type Status, statusOk } from "../base/errors.ts";
import { mark } from "../base/mark.ts";
import { copyBytes } from "../base/pool.ts";
import { type DurationUs, type Instant, never } from "../base/time.ts";
import { equalSealed, isHeadOf, mergeSealed, RecordError } from "../version/record.ts";
import { Heads } from "./heads.ts";
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
import { RepairBudget } from "./repair-budget.ts";
import { getShortfall, withinTimeout } from "./shortfall.ts";
import { countSlots, packedWith } from "./slots.ts";
import { type AskedGet, decideGet, refusalOf, Verdict } from "./tally.ts";

/** A get in flight. */
export class GetOp<O> extends Op<O> implements AskedGet {
  /** The merge of all records so far, sealed, pooled; null: every answer was "no such key". */
  merged: Uint8Array | null = null;
  answered = 0;
  /** The slot that answered first, or -1: the next put of the key is best coordinated there (Dynamo 5). */
  firstSlot = -1;
  /** Owners that said what they hold, but are still receiving the partition: it does not count. */
  unsynced = 0;
  /** Slots that answered "no such key". */
  missing = 0;
  /** Slots whose record equals `merged`. */
  current = 0;
  /** Slots that said what they hold and lack something of the final record; known when the last answer is in. */
  behind = 0;
  /** Slots with a repair under way. */
  repairing = 0;
  /** The slot that sends its record however large it is, set by the node before `begin`; -1: all do. */
  bodySlot = -1;
  /** What slots told of records that they did not send; null while there is nothing of that kind. */
  heads: Heads | null = null;
  /** The body's slot is late: it is waited for no more. */
  bodyLate = false;
  /** The record was asked for twice, within the budget, because it was late. */
  hedged = false;
}

/** What a get asks of the node around it; each call is one effect. */
export interface GetEffects<O> extends RouteEffects<GetOp<O>> {
  /**
   * Asks a slot, the local one included, for its record: `onRecord`, `onUnsynced` or `onFailure` follows, or nothing.
   * If the slot is among `op.fallbacks` it is asked for what its hints hold, whoever they are for. If `wantsHead(op,
   * slot)` it may answer with the head of a large record: `onHead`.
   */
  readReplica(now: Instant, op: GetOp<O>, slot: number): void;
  /** Writes `op.merged` to a slot that is behind, the local one included: `onRepaired` follows, or nothing. */
  repairReplica(now: Instant, op: GetOp<O>, slot: number): void;
  /**
   * How long after its beginning a get whose record is larger than what is sent anyway may wait for it before another
   * slot is asked; 0: as long as that slot is not silent. At most once per get.
   */
  hedgeDelay(now: Instant, op: GetOp<O>): DurationUs;
  /** Whether another slot may be asked now; takes it from the node's budget. */
  mayHedge(now: Instant, op: GetOp<O>): boolean;
  /** Answers the client: `op.status`, `op.message`, `op.merged` as it is now. Exactly once per get. */
  reply(now: Instant, op: GetOp<O>): void;
  /** The op has left the coordinator; what is `awaiting` and not `silent` was given up. Exactly once per get, after `reply`. */
  forget(now: Instant, op: GetOp<O>): void;
}

/** Whether the head of a large record will do as this slot's first answer. */
export function wantsHead(op: GetOp<unknown>, slot: number): boolean {
  return op.bodySlot >= 0 && slot !== op.bodySlot && ((op.heads?.fetching ?? 0) & (1 << slot)) === 0;
}

/** How long a repair counts as under way if nobody says how it ended: with `repairsMax`, it bounds their rate. */
const repairHoldUs: DurationUs = 100_000;

/** Limits of the get coordinator. */
export interface GetCoordinatorOptions extends OpTableOptions {
  /** How many repairs may be under way; one more is skipped: the next get of the key, or anti-entropy, makes up for it. */
  readonly repairsMax: number;
}

export class GetCoordinator<O> {
  readonly #effects: GetEffects<O>;
  readonly #ops: OpTable<GetOp<O>>;
  readonly #budget: RepairBudget;
  /** Gets that have heads and wait for the record. */
  readonly #hedges = new DeadlineQueue();

  constructor(effects: GetEffects<O>, options: GetCoordinatorOptions) {
    this.#effects = effects;
    this.#ops = new OpTable(options);
    this.#budget = new RepairBudget(options.repairsMax);
  }

  /** Whether `begin` would answer `OVERLOADED`. */
  get full(): boolean {
    return this.#ops.full;
  }

  /** Gets that have not left, answered or not. */
  get inFlight(): number {
    return this.#ops.size;
  }

  /** Repairs under way. */
  get repairsInFlight(): number {
    return this.#budget.inFlight;
  }

  /** Repairs not sent because too many were under way. */
  get repairsSkipped(): number {
    return this.#budget.skipped;
  }

  /** Starts a get, or answers `OVERLOADED`. */
  begin(now: Instant, op: GetOp<O>): void {
    this.#ops.enter();
    if (this.#ops.full) this.#refuse(now, op);
    else this.#start(now, op);
    this.#ops.leave();
  }

  #refuse(now: Instant, op: GetOp<O>): void {
    mark("get.full");
    this.#reply(now, op, errorTable.OVERLOADED.wire, fullMessage);
    this.#effects.forget(now, op);
  }

  #start(now: Instant, op: GetOp<O>): void {
    this.#ops.admit(now, op, op.pendingSlot < 0 ? firstSlots(op) : op.pendingSlot);
    if (decideGet(op) === Verdict.impossible) {
      this.#settle(now, op);
    } else {
      for (let slot = 0; slot < op.targets; slot += 1) this.#ask(now, op, slot);
    }
  }

  #ask(now: Instant, op: GetOp<O>, slot: number): void {
    op.awaiting |= 1 << slot;
    this.#effects.readReplica(now, op, slot);
  }

  /** Tells of an answer from elsewhere. The local slot's is no news. */
  #heard(now: Instant, op: GetOp<O>, slot: number, status: Status): void {
    if (slot === op.localSlot) return;
    const first = ((op.added | (op.heads?.fetching ?? 0)) & (1 << slot)) === 0;
    const latencyUs: DurationUs = first ? now - op.started : -1;
    this.#effects.heard(now, op, slot, status, latencyUs);
  }

  /** A slot answered: its sealed record (checksum verified; borrowed until return), or null for "no such key". */
  onRecord(now: Instant, id: number, slot: number, sealed: Uint8Array | null): void {
    this.#ops.enter();
    const op = this.#ops.find(id);
    if (op === undefined) mark("get.record.late");
    else if ((op.awaiting & (1 << slot)) !== 0) {
      this.#heard(now, op, slot, statusOk);
      this.#record(now, op, slot, sealed);
    }
    this.#ops.leave();
  }

  #record(now: Instant, op: GetOp<O>, slot: number, sealed: Uint8Array | null): void {
    const bit = 1 << slot;
    this.#answered(op, slot);
    if (sealed !== null) this.#merge(op, slot, sealed);
    else if ((op.fallbacks & bit) === 0 || canary("fallback-miss-counts")) op.missing |= bit;
    else failSlot(op, slot, errorTable.NOT_SYNCED.wire, "a fallback does not know what an owner may hold");
    if ((op.failed & bit) === 0) {
      if (op.firstSlot < 0) op.firstSlot = slot;
      op.answered |= bit;
    }
    this.#settle(now, op);
  }

  #answered(op: GetOp<O>, slot: number): void {
    op.awaiting &= ~(1 << slot);
    op.heads?.close(slot);
  }

  /** A slot answered with the head of its record, which has `recordBytes` bytes (borrowed until return). */
  onHead(now: Instant, id: number, slot: number, head: Uint8Array, recordBytes: number): void {
    this.#ops.enter();
    const op = this.#ops.find(id);
    if (op === undefined) mark("get.record.late");
    else if ((op.awaiting & (1 << slot)) !== 0) {
      this.#heard(now, op, slot, statusOk);
      this.#head(now, op, slot, head, recordBytes);
    }
    this.#ops.leave();
  }

  #head(now: Instant, op: GetOp<O>, slot: number, head: Uint8Array, recordBytes: number): void {
    mark("get.head");
    this.#answered(op, slot);
    if (op.firstSlot < 0) op.firstSlot = slot;
    if (op.merged !== null && isHeadOf(op.merged, head, recordBytes)) {
      // Nearly always: the record is this node's own, and was here first.
      op.answered |= 1 << slot;
      op.current |= 1 << slot;
      this.#settle(now, op);
      return;
    }
    const heads = op.heads ?? new Heads();
    try {
      heads.add(slot, head, recordBytes);
    } catch (error) {
      failMalformed(op, slot, error);
    }
    if (op.heads === null) this.#awaitBody(now, op);
    op.heads = heads;
    this.#settle(now, op);
  }

  #awaitBody(now: Instant, op: GetOp<O>): void {
    const delayUs = this.#effects.hedgeDelay(now, op);
    if (delayUs > 0) this.#hedges.push(now, op.id, Math.max(1, delayUs - (now - op.started)));
  }

  /** Lets heads count that say no more than what is here, and fetches what the others tell of. */
  #compareHeads(now: Instant, op: GetOp<O>, heads: Heads): void {
    for (let slot = 0; op.merged !== null && heads.open >>> slot !== 0; slot += 1) {
      if ((heads.open & ~heads.fetching & (1 << slot)) !== 0) this.#compareHead(op, heads, slot, op.merged);
    }
    if (!op.bodyLate && op.bodySlot >= 0 && (op.awaiting & (1 << op.bodySlot)) !== 0) return;
    const wanted = heads.wanted();
    for (let slot = 0; wanted >>> slot !== 0; slot += 1) {
      if ((wanted & (1 << slot)) === 0) continue;
      mark("get.fetch");
      heads.fetch(slot);
      op.fresh |= 1 << slot;
      op.silent &= ~(1 << slot);
      this.#ask(now, op, slot);
      this.#ops.watch(now, op);
    }
  }

  #compareHead(op: GetOp<O>, heads: Heads, slot: number, merged: Uint8Array): void {
    try {
      const found = heads.compare(slot, merged);
      if (found === "news") return;
      if (found === "same") op.current |= 1 << slot;
      op.answered |= 1 << slot;
    } catch (error) {
      failMalformed(op, slot, error);
    }
    heads.close(slot);
  }

  /** A slot answered `NOT_SYNCED`, with the record that it has so far, if any (borrowed until return). */
  onUnsynced(now: Instant, id: number, slot: number, sealed: Uint8Array | null, message: string): void {
    this.#ops.enter();
    const op = this.#ops.find(id);
    if (op === undefined) mark("get.record.late");
    else if ((op.awaiting & (1 << slot)) !== 0) {
      this.#heard(now, op, slot, errorTable.NOT_SYNCED.wire);
      if (canary("unsynced-counts")) this.#record(now, op, slot, sealed);
      else this.#unsynced(now, op, slot, sealed, message);
    }
    this.#ops.leave();
  }

  #unsynced(now: Instant, op: GetOp<O>, slot: number, sealed: Uint8Array | null, message: string): void {
    mark("get.unsynced");
    const bit = 1 << slot;
    this.#answered(op, slot);
    if (sealed !== null) this.#merge(op, slot, sealed);
    if ((op.failed & bit) === 0) {
      failSlot(op, slot, errorTable.NOT_SYNCED.wire, message);
      op.unsynced |= bit;
    }
    this.#settle(now, op);
  }

  #merge(op: GetOp<O>, slot: number, sealed: Uint8Array): void {
    const bit = 1 << slot;
    const kept = op.merged;
    if (kept === null) {
      op.merged = copyBytes(sealed);
      op.current = bit;
      return;
    }
    let merged: Uint8Array;
    try {
      if (equalSealed(kept, sealed) || canary("first-answer-wins")) {
        op.current |= bit;
        return;
      }
      merged = mergeSealed(kept, sealed);
    } catch (error) {
      failMalformed(op, slot, error);
      return;
    }
    mark("get.merge");
    if (merged === kept) return;
    op.merged = merged === sealed ? copyBytes(sealed) : merged;
    op.current = merged === sealed ? bit : 0;
  }

  /** A slot could not say what it holds. `epoch` is that of the replica's ring, 0 if unknown. */
  onFailure(now: Instant, id: number, slot: number, status: Status, message: string, epoch = 0): void {
    this.#ops.enter();
    const op = this.#ops.find(id);
    if (op === undefined) mark("get.failure.late");
    else if ((op.awaiting & (1 << slot)) !== 0) {
      this.#heard(now, op, slot, status);
      if (findsStale(op, status, epoch)) this.#effects.staleRing(now, epoch);
      this.#fail(now, op, slot, status, message);
    }
    this.#ops.leave();
  }

  #fail(now: Instant, op: GetOp<O>, slot: number, status: Status, message: string): void {
    this.#answered(op, slot);
    failSlot(op, slot, status, message);
    if (slot === op.replacedSlot && status === errorTable.WRONG_OWNER.wire) this.#askPending(now, op, slot);
    this.#settle(now, op);
  }

  /** The replaced owner has closed: the pending member is open, and answers in its place. */
  #askPending(now: Instant, op: GetOp<O>, replaced: number): void {
    assert(op.targets === op.pendingSlot, "the pending member comes after the owners");
    mark("get.pending");
    const slot = op.pendingSlot;
    op.targets += 1;
    op.standsFor = packedWith(op.standsFor, slot, replaced);
    op.added |= 1 << slot;
    op.fresh |= 1 << slot;
    this.#ask(now, op, slot);
  }

  /** The repair of a slot has ended, well or not. */
  onRepaired(now: Instant, id: number, slot: number): void {
    this.#ops.enter();
    const op = this.#ops.find(id);
    if (op === undefined) mark("get.repaired.late");
    else if ((op.repairing & (1 << slot)) !== 0) this.#repaired(now, op, slot);
    this.#ops.leave();
  }

  #repaired(now: Instant, op: GetOp<O>, slot: number): void {
    op.repairing &= ~(1 << slot);
    this.#budget.end(1);
    if (op.repairing === 0) this.#forget(now, op);
  }

  /** The link to a node broke: whatever it was asked has failed. A cold path. */
  onTargetLost(now: Instant, number: number, status: Status, message: string): void {
    this.#ops.enter();
    this.#ops.forEach((op) => {
      for (let slot = 0; slot < op.targets; slot += 1) {
        if (op.targetNumbers[slot] !== number) continue;
        if ((op.awaiting & (1 << slot)) !== 0) this.#fail(now, op, slot, status, message);
        else if ((op.repairing & (1 << slot)) !== 0) this.#repaired(now, op, slot);
      }
    });
    this.#ops.leave();
  }

  /** After every answer: reply if it is decided, repair when nobody is left to answer. */
  #settle(now: Instant, op: GetOp<O>): void {
    if (op.heads !== null && op.heads.open !== 0) this.#compareHeads(now, op, op.heads);
    if (!op.replied) {
      const verdict = decideGet(op);
      if (verdict === Verdict.met) this.#reply(now, op, statusOk, "");
      else if (verdict === Verdict.impossible) this.#reply(now, op, refusalOf(op.cause), getShortfall(op, ""));
    }
    if (op.awaiting !== 0) return;
    assert(op.replied, "a get that waits for nobody is answered");
    this.#finish(now, op);
  }

  #reply(now: Instant, op: GetOp<O>, status: Status, message: string): void {
    noteAnswer(op, status, message);
    this.#effects.reply(now, op);
  }

  /** All answers that will be heard are in. */
  #finish(now: Instant, op: GetOp<O>): void {
    op.awaiting = 0;
    if (op.merged !== null) op.behind = (op.answered | op.unsynced) & ~(op.current | op.fallbacks);
    if (op.behind !== 0) this.#repairAll(now, op);
    if (op.repairing === 0) this.#forget(now, op);
    else this.#ops.extend(now, op, repairHoldUs);
  }

  #repairAll(now: Instant, op: GetOp<O>): void {
    if (!this.#budget.takeKey(now, op.hashHigh, op.hashLow)) {
      mark("get.repair.lately");
      return;
    }
    for (let slot = 0; slot < op.targets; slot += 1) if ((op.behind & (1 << slot)) !== 0) this.#repair(now, op, slot);
  }

  #repair(now: Instant, op: GetOp<O>, slot: number): void {
    if (canary("skip-read-repair")) return;
    if (!this.#budget.begin()) {
      mark("get.repair.skipped");
      return;
    }
    mark("get.repair");
    op.repairing |= 1 << slot;
    this.#effects.repairReplica(now, op, slot);
  }

  #forget(now: Instant, op: GetOp<O>): void {
    this.#ops.remove(op);
    this.#effects.forget(now, op);
  }

  /** Ends the gets whose deadline has come: answers, repairs, forgets. */
  expire(now: Instant): void {
    this.#ops.enter();
    for (let op = this.#ops.nextExpired(now); op !== undefined; op = this.#ops.nextExpired(now)) {
      if (op.repairing !== 0) this.#abandon(now, op);
      else this.#timeOut(now, op);
    }
    for (let id = this.#hedges.expired(now); id >= 0; id = this.#hedges.expired(now))
      this.#hedge(now, this.#ops.find(id));
    this.#ops.forEachSilent(now, (op) => this.#look(now, op));
    this.#ops.leave();
  }

  /** Others have answered long ago and the record is not here: another slot is asked for it, if the budget allows it. */
  #hedge(now: Instant, op: GetOp<O> | undefined): void {
    if (op === undefined || op.replied || op.bodyLate || ((op.awaiting >>> op.bodySlot) & 1) === 0) return;
    if (op.heads === null || op.heads.open === 0 || !this.#effects.mayHedge(now, op)) return;
    mark("get.hedge");
    op.bodyLate = true;
    op.hedged = true;
    this.#settle(now, op);
  }

  /** Tells of slots that have been silent for too long; nobody else is asked, because the list is asked as it stands. */
  #look(now: Instant, op: GetOp<O>): void {
    const quiet = takeSilent(now, op, this.#effects);
    if (((quiet >>> op.bodySlot) & 1) === 1 && op.bodySlot >= 0) {
      op.bodyLate = true;
      this.#settle(now, op);
    }
    if ((op.awaiting & ~op.silent) !== 0) this.#ops.watch(now, op);
  }

  #timeOut(now: Instant, op: GetOp<O>): void {
    if (!op.replied) {
      mark("get.deadline");
      this.#reply(now, op, errorTable.DEADLINE_EXCEEDED.wire, getShortfall(op, withinTimeout(op)));
    }
    this.#finish(now, op);
  }

  /** Nobody said how the repairs ended. */
  #abandon(now: Instant, op: GetOp<O>): void {
    mark("get.repair.abandoned");
    this.#budget.end(countSlots(op.repairing));
    op.repairing = 0;
    this.#forget(now, op);
  }

  /** When `expire` has something to look at, or `never`. */
  nextDeadline(): Instant {
    return Math.min(this.#ops.nextDeadline(), this.#ops.size === 0 ? never : this.#hedges.next()) as Instant;
  }
}

/** Its checksum is right and still it is no record: a peer's fault must not stop this node. */
function failMalformed(op: Op<unknown>, slot: number, error: unknown): void {
  if (!(error instanceof RecordError)) throw error;
  failSlot(op, slot, errorTable.STORAGE_FAILED.wire, error.message);
}
