/**
 * Transfers: the core of one node's transfers (Dynamo 6.2). Everything follows from the newest ring and from what was
 * saved: a new ring begins, ends or cancels transfers, answers and time move them. One node may be at the joining end of
 * some and at the replaced end of others.
 *
 * Also here: which replicas are `synced`, and becoming so again. Not here: who decides that a transfer is confirmed often
 * enough to make the next ring (ring/progress.ts), and the tree exchange itself (repair).
 */
import { assert } from "../base/assert.ts";
import { wireOf } from "../base/errors.ts";
import { type NodeNumber, noNode, type PartitionId } from "../base/ids.ts";
import { mark } from "../base/mark.ts";
import { type Instant, never } from "../base/time.ts";
import type { Ring } from "../ring/ring.ts";
import type { RecordPage } from "../storage/store-events.ts";
import type { TransferCloseRequest, TransferPullReply, TransferPullRequest, TransferRow } from "../wire/gen/codecs.ts";
import { type ErasedPage, onErased } from "./page-delete.ts";
import { Regain } from "./regain.ts";
import { type ReadRule, replicaKey, Transfer, type WriteRule } from "./transfer.ts";
import type { Compared, Covered } from "./transfer-effects.ts";
import { TransferReceiver } from "./transfer-receiver.ts";
import { rowOf } from "./transfer-row.ts";
import { TransferSender } from "./transfer-sender.ts";
import { TransferTable, type TransferTableOptions } from "./transfer-table.ts";

const unknown = -1 as Instant;

/** What the core is built from. */
export interface TransfersOptions extends TransferTableOptions {
  /**
   * Whether this directory's history is all there: it was made at this boot, together with its first ring, or `saved` was
   * found in it. If not, no replica counts as synced until it has been compared with the others.
   */
  readonly trusted: boolean;
}

/** One per node. Events come one at a time; an effect never calls back before it returns. */
export class Transfers {
  readonly #table: TransferTable;
  readonly #receiver: TransferReceiver;
  readonly #sender: TransferSender;
  readonly #regain: Regain;
  /** Of the state that the newest ring has led to. */
  #ringGate = 0;
  #inside = false;
  /** What `nextTick` answers until something happens here. */
  #nextAt: Instant = unknown;

  /** `ring` is the newest ring that this node has saved. Nothing happens before `start`. */
  constructor(options: TransfersOptions) {
    this.#table = new TransferTable(options);
    this.#receiver = new TransferReceiver(this.#table);
    this.#sender = new TransferSender(this.#table);
    this.#regain = new Regain(this.#table);
    if (!options.trusted) for (const n of options.ring.listSizes) this.#table.synced.open(n);
    for (const transfer of this.#table.receiving.values()) {
      if (transfer.state === "confirmed") this.#table.synced.set(transfer.partition, transfer.n);
    }
    this.#table.takeRing(options.ring);
  }

  /** Goes on where the last run ended. The rules are right from the constructor on, but for what `start` settles. */
  start(now: Instant): void {
    this.#enter();
    this.#settle(now);
    this.#leave(now);
  }

  /** A newer ring, saved before. */
  onRing(now: Instant, ring: Ring): void {
    assert(ring.epoch > this.#table.ring.epoch, "rings get newer");
    this.#enter();
    this.#table.takeRing(ring);
    this.#settle(now);
    this.#leave(now);
  }

  // What the ring says.

  #settle(now: Instant): void {
    const table = this.#table;
    this.#takeNewSizes();
    for (const transfer of [...table.sending.values()]) this.#settleSending(now, transfer);
    for (const transfer of [...table.receiving.values()]) this.#settleReceiving(now, transfer);
    for (const pending of table.pendingTransfers()) {
      if (pending.joining !== table.me) continue;
      if (table.receiving.has(replicaKey(pending.partition, pending.n))) continue;
      const since = table.ring.fences[pending.partition] as number;
      table.add(new Transfer({ ...pending, since }, false, "pending"));
    }
    this.#findGivenUp(now);
    table.refreshMoved();
    table.lost = true;
    this.#ringGate = table.save(now);
    table.wake = true;
  }

  /** An n that was never in use has no records anywhere: its owners are complete. */
  #takeNewSizes(): void {
    const table = this.#table;
    const { synced, ring, me } = table;
    for (const n of ring.listSizes) {
      if (synced.knows(n)) continue;
      synced.open(n);
      for (let p = 0; p < ring.partitions; p += 1) {
        if (ring.isOwner(p as PartitionId, n, me)) synced.set(p, n);
      }
      table.forgetRules(n);
    }
  }

  #owns(partition: PartitionId, n: number): boolean {
    return this.#table.ring.isOwner(partition, n, this.#table.me);
  }

  #settleSending(now: Instant, transfer: Transfer): void {
    const table = this.#table;
    const { partition, n } = transfer;
    const closed = transfer.state === "confirming" || transfer.state === "confirmed";
    if (this.#owns(partition, n)) {
      if (transfer.state === "reopening" || (closed && table.isListed(transfer, partition, n))) return;
      if (closed) {
        // Cancelled.
        table.forget(transfer);
        transfer.flipEpoch = table.ring.epoch;
        table.enter(transfer, "reopening");
        return;
      }
      // A ring chosen without the old owners' majority gives the partition back.
      mark("transfers.given-back");
      table.drop(transfer);
      table.effects.happened(now, "reopened", transfer);
    } else if (closed || transfer.state === "reopening") {
      table.forget(transfer);
      this.#giveUp(now, transfer);
    }
  }

  #giveUp(now: Instant, transfer: Transfer): void {
    const table = this.#table;
    transfer.flipEpoch = table.ring.epoch;
    table.enter(transfer, "grace");
    table.effects.gaveUp(now, transfer.partition);
    table.effects.happened(now, "given-up", transfer);
  }

  #settleReceiving(now: Instant, transfer: Transfer): void {
    const table = this.#table;
    const { partition, n } = transfer;
    if (table.isListed(transfer, partition, n) && transfer.state !== "cancelled" && transfer.state !== "cleaning")
      return;
    if (this.#owns(partition, n)) {
      if (transfer.state !== "confirmed") mark("transfers.owner-unconfirmed");
      table.drop(transfer);
      table.effects.happened(now, "flipped", transfer);
      return;
    }
    const again = table.pendingOf(partition, n)?.joining === table.me;
    if (transfer.state !== "cancelled" && transfer.state !== "cleaning") {
      mark("transfers.cancelled");
      table.forget(transfer);
      transfer.page = null;
      transfer.active = false;
      transfer.cleared = false;
      table.enter(transfer, "cancelled");
      table.effects.gaveUp(now, partition);
      table.effects.happened(now, "cancelled", transfer);
    }
    // The transfer that takes its place deletes what is left.
    if (again) table.drop(transfer);
  }

  /**
   * Replicas that no list names here any more: `synced` goes, and what lies in the store is cleaned up. Looked for where
   * the ring has moved something, and once more with the next ring: a write that had been taken may have been on its way.
   */
  #findGivenUp(now: Instant): void {
    const table = this.#table;
    const { ring, me } = table;
    for (const n of ring.listSizes) {
      for (const p of table.movedLately) {
        if (this.#owns(p, n)) continue;
        const key = replicaKey(p, n);
        const receiving = table.receiving.get(key);
        const wasOwner = receiving?.state !== "confirmed" && table.synced.clear(p, n);
        const joins = table.pendingOf(p, n)?.joining === me;
        // A joining member deletes what is no former owner's copy without comparing it.
        const known = table.sending.has(key) || (joins ? !wasOwner : receiving !== undefined);
        if (known || !table.effects.holds(p, n)) continue;
        const name = { id: 0, since: 0, partition: p, n, joining: noNode, replaced: me, position: p };
        const transfer = new Transfer(name, true, "grace");
        table.add(transfer);
        this.#giveUp(now, transfer);
      }
    }
  }

  // Answers.

  /** The file of that token is on stable storage. */
  onPersisted(now: Instant, token: number): void {
    this.#enter();
    this.#table.onPersisted(token);
    this.#leave(now);
  }

  /** The answer to a pull; its bytes stay the caller's. */
  onPulled(now: Instant, token: number, reply: TransferPullReply): void {
    this.#enter();
    const transfer = this.#table.answered(token);
    if (transfer === undefined) mark("transfers.late-answer");
    else this.#receiver.onPulled(now, transfer, reply);
    this.#leave(now);
  }

  /** The replaced member has closed. */
  onClosed(now: Instant, token: number): void {
    this.#enter();
    const transfer = this.#table.answered(token);
    if (transfer !== undefined) this.#receiver.onClosed(now, transfer);
    this.#leave(now);
  }

  /** A pull or a closing was refused with this status, or the link broke. */
  onAskFailed(now: Instant, token: number, status: number): void {
    this.#enter();
    const transfer = this.#table.answered(token);
    if (transfer !== undefined) this.#receiver.onAskFailed(now, transfer, status);
    this.#leave(now);
  }

  /** A record of the page under that token is merged, or could not be. */
  onMerged(now: Instant, token: number, status: number): void {
    this.#enter();
    const transfer = this.#table.askedBy(token);
    if (transfer !== undefined) this.#receiver.onMerged(now, transfer, status);
    this.#leave(now);
  }

  /** A page was deleted; null: the store could not. */
  onDeleted(now: Instant, token: number, page: ErasedPage | null): void {
    this.#enter();
    this.#table.endDeletion(token);
    const transfer = this.#table.answered(token);
    if (transfer !== undefined) onErased(now, this.#table, transfer, page);
    this.#leave(now);
  }

  onStoreSynced(now: Instant, token: number): void {
    this.#enter();
    const transfer = this.#table.answered(token);
    if (transfer !== undefined) this.#receiver.onStoreSynced(now, transfer);
    this.#leave(now);
  }

  onCompared(now: Instant, token: number, outcome: Compared): void {
    this.#enter();
    const transfer = this.#table.answered(token);
    if (transfer !== undefined) this.#receiver.onCompared(now, transfer, outcome);
    else this.#regain.onCompared(now, token, outcome);
    this.#leave(now);
  }

  onCovered(now: Instant, token: number, outcome: Covered): void {
    this.#enter();
    const transfer = this.#table.answered(token);
    if (transfer !== undefined) this.#sender.onCovered(now, transfer, outcome);
    this.#leave(now);
  }

  /** A page was read for a peer; null: it could not be. */
  onScanned(now: Instant, token: number, page: RecordPage | null): void {
    this.#enter();
    this.#sender.onScanned(now, token, page);
    this.#leave(now);
  }

  // Peers' questions; `replyTo` is the host's own, not 0.

  /** TRANSFER_PULL; its bytes stay the caller's. */
  onPull(now: Instant, from: NodeNumber, request: TransferPullRequest, replyTo: number): void {
    this.#enter();
    this.#sender.onPull(now, from, request, replyTo);
    this.#leave(now);
  }

  /** TRANSFER_CLOSE. */
  onClose(now: Instant, from: NodeNumber, request: TransferCloseRequest, replyTo: number): void {
    assert(replyTo !== 0, "an answer goes somewhere");
    this.#enter();
    this.#sender.onClose(now, from, request, replyTo);
    this.#leave(now);
  }

  // From outside.

  /** Bytes per second received, and as many sent; a whole number; 0 pauses. */
  setRate(now: Instant, bytesPerSecond: number): void {
    this.#enter();
    this.#table.pace.setRate(now, bytesPerSecond);
    this.#table.deleting.setRate(now, bytesPerSecond);
    this.#sender.pace.setRate(now, bytesPerSecond);
    for (const transfer of this.#table.all()) {
      if (transfer.wait === "rate" || transfer.wait === "paused") transfer.retryAt = now;
    }
    this.#table.wake = true;
    this.#leave(now);
  }

  /** The peer answers again: whoever waits for it tries at once. */
  onPeerUp(now: Instant, number: NodeNumber): void {
    this.#enter();
    for (const transfer of this.#table.all()) {
      if (transfer.peer !== number || transfer.wait !== "peer-down") continue;
      transfer.attempts = 0;
      transfer.retryAt = now;
    }
    this.#table.wake = true;
    this.#leave(now);
  }

  /** The replica may lack something: a record could not be read. */
  loseSynced(now: Instant, partition: PartitionId, n: number): void {
    this.#enter();
    this.#regain.startOver(partition, n);
    this.#table.loseSynced(now, partition, n);
    this.#table.wake = true;
    this.#leave(now);
  }

  /**
   * Every replica may lack something: a hole in the log, a power cut under unsynced writes, an older directory. At a boot:
   * in the turn of `start`, before a request is served.
   */
  loseAllSynced(now: Instant): void {
    for (const n of this.#table.ring.listSizes) {
      for (let p = 0; p < this.#table.ring.partitions; p += 1) this.loseSynced(now, p as PartitionId, n);
    }
  }

  /** Time passes: questions that nobody answered, waits that are over. */
  tick(now: Instant): void {
    this.#enter();
    for (const transfer of [...this.#table.all()]) {
      if (transfer.token === 0 || transfer.deadline > now) continue;
      mark("transfers.unanswered");
      this.#table.forget(transfer);
      this.#receiver.onAskFailed(now, transfer, wireOf("DEADLINE_EXCEEDED"));
    }
    this.#table.wake = true;
    this.#leave(now);
  }

  /** When `tick` is due, or `never`. Asked after everything a node does: looked for only when something has happened here. */
  nextTick(): Instant {
    if (this.#nextAt === unknown) this.#nextAt = this.#nextDue();
    return this.#nextAt;
  }

  #nextDue(): Instant {
    let next = Math.min(this.#regain.nextAt, this.#table.saveAt) as Instant;
    if (this.#table.isEmpty) return next < never ? next : never;
    for (const transfer of this.#table.all()) {
      const at = transfer.token !== 0 ? transfer.deadline : transfer.retryAt;
      if (at !== 0 && at < next) next = at;
    }
    return next < never ? next : never;
  }

  #enter(): void {
    assert(!this.#inside, "an effect called back before it returned");
    this.#inside = true;
  }

  /** Lets everything go on that may; an entry that frees what another waits for is followed by one more round. Then saves. */
  #leave(now: Instant): void {
    const table = this.#table;
    for (let round = 0; table.wake; round += 1) {
      assert(round < 1000, "transfers wake each other without end");
      table.wake = false;
      for (const transfer of [...table.receiving.values()]) this.#receiver.advance(now, transfer);
      for (const transfer of [...table.sending.values()]) this.#sender.advance(now, transfer);
      this.#regain.advance(now);
    }
    table.saveDue(now);
    this.#nextAt = unknown;
    this.#inside = false;
  }

  // Questions of the node.

  /** What becomes of a replica read of (partition, n): one look-up. */
  readRule(partition: PartitionId, n: number): ReadRule {
    return this.#table.readRule(partition, n);
  }

  /** What becomes of a replica write of (partition, n): one look-up. */
  writeRule(partition: PartitionId, n: number): WriteRule {
    return this.#table.writeRule(partition, n);
  }

  /** Whether the replica's history is complete. */
  isSynced(partition: PartitionId, n: number): boolean {
    return this.#table.synced.has(partition, n);
  }

  /** Whether this node holds a copy of the replica that no list names: tombstones of it must not be reaped. */
  isGivenUp(partition: PartitionId, n: number): boolean {
    const state = this.#table.sending.get(replicaKey(partition, n))?.state;
    return state === "grace" || state === "cleaning";
  }

  /** The ids of the transfers that this node has confirmed and that the ring still lists: for `progressRing`. */
  confirmed(): number[] {
    const ids: number[] = [];
    for (const transfer of this.#table.receiving.values()) {
      if (transfer.state === "confirmed" && this.#table.isDurable(transfer.gate)) ids.push(transfer.id);
    }
    return ids;
  }

  /** Whether a peer's word that it has confirmed this transfer concerns the present ring. */
  isListed(id: number, since: number): boolean {
    for (const pending of this.#table.pendingTransfers()) {
      if (pending.id === id) return this.#table.ring.fences[pending.partition] === since;
    }
    return false;
  }

  /** Whether everything told is on stable storage: what was found at a boot must be found again until it is. */
  get saved(): boolean {
    return this.#table.saved;
  }

  /**
   * Whether a start would know what the newest ring has made of this node's replicas. Until then no newer one may be saved:
   * a start with that one, and with the state from before this one, would take what went and came back for complete.
   */
  get ringSettled(): boolean {
    return this.#table.isDurable(this.#ringGate);
  }

  /** How many transfers, and copies given up, are not over here. */
  get open(): number {
    return this.#table.receiving.size + this.#table.sending.size;
  }

  /** Replicas that are becoming synced again at this moment. */
  get regaining(): number {
    return this.#regain.size;
  }

  /** All transfers that this node takes part in, for `ringtail transfers`. */
  report(now: Instant): TransferRow[] {
    const rows: TransferRow[] = [];
    for (const transfer of this.#table.all()) rows.push(rowOf(now, transfer));
    return rows;
  }
}
