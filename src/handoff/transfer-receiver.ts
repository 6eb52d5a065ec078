/**
 * TransferReceiver: the joining member's side of each transfer. Each call of `advance` does the one thing that is due next,
 * or says in `wait` why nothing is; every answer leads back to it. So a restart, a lost message or a dead peer needs no
 * path of its own: the state says what to do.
 *
 * The order that keeps acknowledged writes: the old copy is deleted, and that is durable, before writes are taken; all
 * that was copied is durable before the replaced member closes; its closing is durable there before this node answers
 * reads, which it then does at once, for nobody else does; and that it does so is durable here before anybody is told,
 * so that no ring follows which a restart would not bear out. A restart before that has this node compare again.
 */

import { noBytes } from "../base/bytes.ts";
import { canary } from "../base/canary.ts";
import { statusOk, wireOf } from "../base/errors.ts";
import { type NodeNumber, noNode } from "../base/ids.ts";
import { mark } from "../base/mark.ts";
import { after, type Instant } from "../base/time.ts";
import type { TransferCloseRequest, TransferPullReply, TransferPullRequest } from "../wire/gen/codecs.ts";
import { eraseCopy } from "./page-delete.ts";
import { pageBytes, RecordsInFlight } from "./page-merge.ts";
import { replicaKey, type Transfer, type TransferWait } from "./transfer.ts";
import type { Compared } from "./transfer-effects.ts";
import type { TransferTable } from "./transfer-table.ts";

/** All transfers that a node receives. */
export class TransferReceiver {
  readonly #table: TransferTable;

  constructor(table: TransferTable) {
    this.#table = table;
  }

  /** Does what is due next. */
  advance(now: Instant, transfer: Transfer): void {
    if (transfer.token !== 0 || transfer.page !== null || now < transfer.retryAt) return;
    transfer.retryAt = 0 as Instant;
    if (!this.#table.isDurable(transfer.gate)) {
      transfer.wait = "disk";
      return;
    }
    switch (transfer.state) {
      case "pending":
        this.#begin(now, transfer);
        return;
      case "clearing":
        this.#clear(now, transfer);
        return;
      case "copying":
        this.#copy(now, transfer);
        return;
      case "catching-up":
        this.#catchUp(now, transfer);
        return;
      case "confirming":
        this.#confirm(now, transfer);
        return;
      case "confirmed":
        this.#report(now, transfer);
        return;
      case "cancelled":
        this.#table.enter(transfer, "cleaning");
        this.#clean(now, transfer);
        return;
      case "cleaning":
        this.#clean(now, transfer);
        return;
      default:
        return;
    }
  }

  // pending, clearing: nothing old may lie under what comes.

  #begin(now: Instant, transfer: Transfer): void {
    const table = this.#table;
    if (table.sending.has(replicaKey(transfer.partition, transfer.n))) {
      transfer.wait = "old-copy";
      return;
    }
    if (table.isDeleting(transfer.partition, transfer.n)) {
      transfer.wait = "deleting";
      return;
    }
    table.effects.happened(now, "started", transfer);
    if (table.effects.holds(transfer.partition, transfer.n)) {
      table.effects.gaveUp(now, transfer.partition);
      table.enter(transfer, "clearing");
      this.#clear(now, transfer);
    } else {
      this.#cleared(now, transfer);
    }
  }

  #clear(now: Instant, transfer: Transfer): void {
    if (eraseCopy(now, this.#table, transfer)) this.#cleared(now, transfer);
  }

  #cleared(now: Instant, transfer: Transfer): void {
    this.#table.enter(transfer, "copying");
    transfer.gate = this.#table.save(now);
    transfer.wait = "disk";
  }

  #clean(now: Instant, transfer: Transfer): void {
    if (!eraseCopy(now, this.#table, transfer)) return;
    this.#table.drop(transfer);
    this.#table.saveLater(now);
    this.#table.effects.happened(now, "cleaned", transfer);
  }

  // copying

  /**
   * Whose records this member must hold before it may answer reads: the replaced member's, since it takes that one's
   * place in every quorum. Without it, or if its history is not complete, every other owner's. A dead member whom the
   * operator has given up is not waited for.
   */
  #needed(transfer: Transfer): readonly NodeNumber[] {
    const table = this.#table;
    const { replaced } = transfer;
    if (canary("confirm-unverified")) return [];
    const dead = replaced !== noNode && table.effects.isDead(replaced);
    if (replaced !== noNode && !dead && !transfer.distrusted) return [replaced];
    const needed: NodeNumber[] = replaced !== noNode && !dead ? [replaced] : [];
    for (const owner of table.owners(transfer.partition, transfer.n)) {
      if (owner !== replaced && owner !== table.me && !table.isLost(owner)) needed.push(owner);
    }
    if (needed.length === 0 && dead && !table.isLost(replaced)) needed.push(replaced);
    return needed;
  }

  /** The first of `needed` who is not in `had`, one that lives if there is one; undefined: all are. */
  #next(needed: readonly NodeNumber[], had: readonly number[]): NodeNumber | undefined {
    let first: NodeNumber | undefined;
    for (const number of needed) {
      if (had.includes(number)) continue;
      if (!this.#table.effects.isDead(number)) return number;
      first ??= number;
    }
    return first;
  }

  #copy(now: Instant, transfer: Transfer): void {
    const table = this.#table;
    if (!transfer.cleared) {
      transfer.cleared = true;
      table.refresh(transfer.partition, transfer.n);
    }
    if (!this.#takePlace(now, transfer)) return;
    const source = this.#next(this.#needed(transfer), transfer.copied);
    if (source === undefined) {
      this.#endCopy(now, transfer);
      return;
    }
    transfer.peer = source;
    if (table.effects.isDead(source)) {
      table.retry(now, transfer, "peer-down", table.config.pollUs);
      return;
    }
    if (table.waitsForPace(now, transfer, table.pace)) return;
    if (transfer.source !== source) this.#turnTo(now, transfer, source);
    this.#pull(now, transfer, source);
  }

  #takePlace(now: Instant, transfer: Transfer): boolean {
    if (transfer.active) return true;
    let active = 0;
    for (const other of this.#table.receiving.values()) if (other.active) active += 1;
    if (active >= this.#table.config.copiesMax) {
      transfer.wait = "queued";
      return false;
    }
    transfer.active = true;
    transfer.startedAt = now;
    transfer.bytesAtStart = transfer.bytes;
    transfer.perMilleAtStart = transfer.perMille;
    return true;
  }

  /** Goes on with another source's copy, where it was left. */
  #turnTo(now: Instant, transfer: Transfer, source: NodeNumber): void {
    transfer.left.set(transfer.source, transfer.cursor);
    transfer.cursor = transfer.left.get(source) ?? null;
    transfer.source = source;
    transfer.pageBytes = 0;
    transfer.perMille = 0;
    transfer.perMilleAtStart = 0;
    transfer.startedAt = now;
    transfer.bytesAtStart = transfer.bytes;
    if (transfer.cursor === null) this.#table.pace.take(now, this.#table.config.copyCostBytes);
  }

  #pull(now: Instant, transfer: Transfer, source: NodeNumber): void {
    const table = this.#table;
    const { pageBytesMax } = table.config;
    transfer.paid = Math.min(transfer.pageBytes, pageBytesMax);
    table.pace.take(now, transfer.paid);
    const request: TransferPullRequest = {
      ...this.#nameOf(transfer),
      cursor: transfer.cursor ?? noBytes,
      creditBytes: pageBytesMax,
    };
    transfer.wait = "none";
    table.effects.pull(now, source, request, table.ask(transfer, after(now, table.config.askTimeoutUs)));
  }

  #nameOf(transfer: Transfer): TransferCloseRequest {
    const { id, since, partition, n } = transfer;
    return { id, since, epoch: this.#table.ring.epoch, partition, n };
  }

  /** A page has come. Its bytes may be views of a frame. */
  onPulled(now: Instant, transfer: Transfer, reply: TransferPullReply): void {
    const table = this.#table;
    const bytes = pageBytes(reply.keys, reply.records);
    table.pace.giveBack(now, Math.max(0, transfer.paid - bytes));
    table.pace.take(now, Math.max(0, bytes - transfer.paid));
    transfer.pageBytes = bytes;
    const tooMuch = bytes > table.config.pageBytesMax && reply.keys.length > 1;
    if (reply.keys.length !== reply.records.length || tooMuch) {
      mark("transfers.bad-page");
      table.backOff(now, transfer, "peer-down");
      return;
    }
    if (!reply.synced && transfer.source === transfer.replaced && !transfer.distrusted) {
      mark("transfers.source-not-synced");
      transfer.distrusted = true;
      table.saveLater(now);
    }
    transfer.perMille = reply.perMille;
    const next = reply.cursor.length === 0 ? null : reply.cursor;
    transfer.page = new RecordsInFlight(reply.keys, reply.records, next);
    this.#merge(now, transfer, transfer.page);
  }

  #merge(now: Instant, transfer: Transfer, page: RecordsInFlight): void {
    const { effects, config } = this.#table;
    if (transfer.token === 0) this.#table.ask(transfer);
    while (!page.failed && page.underWay < config.mergesMax && page.at < page.keys.length) {
      const key = page.keys[page.at] as Uint8Array;
      const record = page.records[page.at] as Uint8Array;
      page.at += 1;
      page.underWay += 1;
      effects.mergeRecord(now, transfer.partition, transfer.n, key, record, transfer.token);
    }
    if (page.done) this.#endPage(now, transfer, page);
  }

  /** One record of the page is in the own replica, or could not be stored. */
  onMerged(now: Instant, transfer: Transfer, status: number): void {
    const page = transfer.page;
    if (page === null) return;
    page.underWay -= 1;
    if (status !== statusOk) page.failed = true;
    this.#merge(now, transfer, page);
  }

  #endPage(now: Instant, transfer: Transfer, page: RecordsInFlight): void {
    const table = this.#table;
    table.forget(transfer);
    transfer.page = null;
    if (page.failed) {
      mark("transfers.merge-failed");
      table.backOff(now, transfer, "disk");
      return;
    }
    transfer.attempts = 0;
    transfer.bytes += page.bytes;
    transfer.records += page.keys.length;
    transfer.cursor = page.next;
    if (page.next === null) transfer.copied.push(transfer.source);
    table.saveLater(now);
    this.advance(now, transfer);
  }

  /** Its place is for another copy: comparing is mostly waiting. */
  #endCopy(now: Instant, transfer: Transfer): void {
    const table = this.#table;
    table.enter(transfer, "catching-up");
    transfer.active = false;
    transfer.verified = [];
    table.wake = true;
    table.saveLater(now);
    this.#catchUp(now, transfer);
  }

  // catching-up

  #catchUp(now: Instant, transfer: Transfer): void {
    const table = this.#table;
    const peer = this.#next(this.#needed(transfer), transfer.verified);
    if (peer === undefined) {
      transfer.storeSynced = false;
      transfer.closed = false;
      table.enter(transfer, "confirming");
      this.#confirm(now, transfer);
      return;
    }
    transfer.peer = peer;
    if (table.effects.isDead(peer)) {
      table.retry(now, transfer, "peer-down", table.config.pollUs);
      return;
    }
    transfer.wait = "comparing";
    table.effects.compareTrees(now, transfer.partition, transfer.n, peer, table.ask(transfer));
  }

  /** The comparison with `transfer.peer` has ended. */
  onCompared(now: Instant, transfer: Transfer, outcome: Compared): void {
    if (outcome === "equal") {
      transfer.attempts = 0;
      transfer.verified.push(transfer.peer);
    } else if (outcome === "different") {
      transfer.attempts = 0;
      this.#table.backOff(now, transfer, "different");
    } else {
      this.#table.backOff(now, transfer, "peer-down");
    }
    this.advance(now, transfer);
  }

  // confirming, confirmed

  #confirm(now: Instant, transfer: Transfer): void {
    const table = this.#table;
    if (this.#next(this.#needed(transfer), transfer.verified) !== undefined) {
      mark("transfers.verify-again");
      table.enter(transfer, "catching-up");
      this.#catchUp(now, transfer);
      return;
    }
    if (!transfer.storeSynced) {
      transfer.wait = "disk";
      table.effects.syncStore(now, table.ask(transfer));
      return;
    }
    if (!transfer.closed && transfer.replaced !== noNode) {
      if (!table.isLost(transfer.replaced)) {
        this.#close(now, transfer);
        return;
      }
      mark("transfers.confirmed-without-replaced");
    }
    table.synced.set(transfer.partition, transfer.n);
    table.enter(transfer, "confirmed");
    table.effects.happened(now, "confirmed", transfer);
    transfer.gate = table.saveSoon(now);
    transfer.wait = "disk";
  }

  /**
   * A member that seems dead is waited for until it is closed or the operator has given it up: else readers on its side
   * of a split could miss what was written with the ring to come.
   */
  #close(now: Instant, transfer: Transfer): void {
    const table = this.#table;
    transfer.peer = transfer.replaced;
    if (table.effects.isDead(transfer.replaced)) {
      table.retry(now, transfer, "peer-down", table.config.pollUs);
      return;
    }
    transfer.wait = "closing";
    const token = table.ask(transfer, after(now, table.config.askTimeoutUs));
    table.effects.close(now, transfer.replaced, this.#nameOf(transfer), token);
  }

  /** All that was stored is on stable storage. */
  onStoreSynced(now: Instant, transfer: Transfer): void {
    transfer.storeSynced = true;
    this.advance(now, transfer);
  }

  /** The replaced member answers no more reads, and will not after a restart. */
  onClosed(now: Instant, transfer: Transfer): void {
    transfer.closed = true;
    this.advance(now, transfer);
  }

  #report(now: Instant, transfer: Transfer): void {
    const table = this.#table;
    table.effects.reportConfirmed(now, transfer);
    const { replaced } = transfer;
    if (transfer.closed || replaced === noNode || table.effects.isDead(replaced)) this.#awaitFlip(now, transfer);
    else this.#close(now, transfer);
  }

  /** Whoever missed the word hears it again, at an instant that all transfers share: one message tells them all. */
  #awaitFlip(now: Instant, transfer: Transfer): void {
    const { pollUs, retryMostUs } = this.#table.config;
    const everyUs = transfer.attempts === 0 ? pollUs : retryMostUs;
    transfer.attempts += 1;
    this.#table.retry(now, transfer, "flip", everyUs - (now % everyUs));
  }

  /** The question under way failed: refused with a status, or unanswered in time. */
  onAskFailed(now: Instant, transfer: Transfer, status: number): void {
    if (transfer.state === "copying") this.#table.pace.giveBack(now, transfer.paid);
    this.#table.backOff(now, transfer, waitOf(status));
  }
}

function waitOf(status: number): TransferWait {
  if (status === wireOf("WRONG_OWNER")) return "peer-behind";
  return status === wireOf("OVERLOADED") ? "peer-busy" : "peer-down";
}
