/**
 * TransferSender: the side that gives a partition away. It serves pages of its records from paged scans and remembers
 * nothing of them: the cursor is the asker's. What it does remember is that it was closed for reads, and, after the flip,
 * that the copy is still to be cleaned up: by key comparison, for the owners take new writes and the trees need never be
 * equal again.
 */

import { assert } from "../base/assert.ts";
import { noBytes } from "../base/bytes.ts";
import { canary } from "../base/canary.ts";
import { statusOk, wireOf } from "../base/errors.ts";
import { Hash64, hashKey } from "../base/hash.ts";
import type { NodeNumber, PartitionId } from "../base/ids.ts";
import { mark } from "../base/mark.ts";
import type { Instant } from "../base/time.ts";
import { hashHighOf, partitionBitsOf, recordKey } from "../storage/keys.ts";
import type { RecordPage } from "../storage/store-events.ts";
import type { TransferCloseRequest, TransferPullReply, TransferPullRequest } from "../wire/gen/codecs.ts";
import { recordsPerPullMax } from "../wire/limits.ts";
import { Pace } from "./pace.ts";
import { eraseCopy } from "./page-delete.ts";
import { replicaKey, Transfer } from "./transfer.ts";
import type { Covered } from "./transfer-effects.ts";
import type { TransferTable } from "./transfer-table.ts";

/** A page being read for a peer. */
class Serving {
  readonly replyTo: number;
  readonly partition: PartitionId;
  readonly n: number;
  readonly credit: number;
  /** What it is charged for beside its bytes. */
  readonly cost: number;

  constructor(replyTo: number, partition: PartitionId, n: number, credit: number, cost: number) {
    this.replyTo = replyTo;
    this.partition = partition;
    this.n = n;
    this.credit = credit;
    this.cost = cost;
  }
}

/** All that a node gives away, or gave. */
export class TransferSender {
  readonly #table: TransferTable;
  /** Bytes sent, whoever asks. */
  readonly pace: Pace;
  readonly #serving: Map<number, Serving> = new Map();
  readonly #hash = new Hash64();

  constructor(table: TransferTable) {
    this.#table = table;
    this.pace = new Pace(table.config.bytesPerSecond);
  }

  // Pages.

  /** The joining member asks for a page. Its bytes are the caller's. */
  onPull(now: Instant, from: NodeNumber, request: TransferPullRequest, replyTo: number): void {
    const { effects, config } = this.#table;
    if (!this.#isListed(now, from, request)) {
      effects.answerPull(now, replyTo, wireOf("WRONG_OWNER"), null);
      return;
    }
    if (this.#serving.size >= config.scansMax || this.pace.paused || this.pace.readyAt > now) {
      mark("transfers.sender-busy");
      effects.answerPull(now, replyTo, wireOf("OVERLOADED"), null);
      return;
    }
    const partition = request.partition as PartitionId;
    const credit = Math.min(Math.max(1, request.creditBytes), config.pageBytesMax);
    const token = this.#table.nextToken();
    const cursor = request.cursor.length === 0 ? null : request.cursor.slice();
    const cost = cursor === null ? config.copyCostBytes : 0;
    this.#serving.set(token, new Serving(replyTo, partition, request.n, credit, cost));
    effects.scanPage(now, partition, request.n, cursor, credit, token);
  }

  /** Whether the ring lists this transfer to `from`, and this node may have what it asks for. */
  #isListed(now: Instant, from: NodeNumber, request: TransferCloseRequest): boolean {
    const table = this.#table;
    if (request.epoch > table.ring.epoch) table.effects.newerRing(now, from, request.epoch);
    const pending = table.pendingOf(request.partition, request.n);
    if (pending === undefined || pending.joining !== from) return false;
    if (!table.isListed(request, request.partition, request.n)) return false;
    return table.ring.isOwner(pending.partition, pending.n, table.me);
  }

  /** A page was read; null: it could not be. The page's bytes go into the answer as they are. */
  onScanned(now: Instant, token: number, page: RecordPage | null): void {
    const serving = this.#serving.get(token);
    if (serving === undefined) return;
    this.#serving.delete(token);
    const table = this.#table;
    if (page === null) {
      table.effects.answerPull(now, serving.replyTo, wireOf("STORAGE_FAILED"), null);
      return;
    }
    if (page.unreadable.length > 0) table.loseSynced(now, serving.partition, serving.n);
    table.effects.answerPull(now, serving.replyTo, statusOk, this.#replyOf(now, serving, page));
  }

  /** As much of the page as the credit allows, but one record at the least. */
  #replyOf(now: Instant, serving: Serving, page: RecordPage): TransferPullReply {
    let bytes = 0;
    let count = 0;
    while (count < page.fullKeys.length && count < recordsPerPullMax) {
      const next = (page.fullKeys[count] as Uint8Array).length + (page.records[count] as Uint8Array).length;
      if (count > 0 && bytes + next > serving.credit) break;
      bytes += next;
      count += 1;
    }
    this.pace.take(now, bytes + serving.cost);
    const cut = page.fullKeys[count];
    const cursor = cut === undefined ? page.cursor : this.#cursorAt(cut);
    return {
      keys: page.fullKeys.slice(0, count),
      records: page.records.slice(0, count),
      cursor: cursor ?? noBytes,
      synced: this.#table.synced.has(serving.partition, serving.n),
      perMille: cursor === null ? 1000 : this.#perMilleAt(cursor),
      epoch: this.#table.ring.epoch,
    };
  }

  #cursorAt(fullKey: Uint8Array): Uint8Array {
    hashKey(fullKey, this.#hash);
    return recordKey(fullKey, this.#hash.high, this.#hash.low);
  }

  /** Records lie in the order of their hashes, which are spread evenly: the cursor's hash tells how far it is. */
  #perMilleAt(cursor: Uint8Array): number {
    const bits = partitionBitsOf(this.#table.ring.partitions);
    const within = (hashHighOf(cursor) << bits) >>> 8;
    return Math.floor((within * 1000) / 0x100_0000);
  }

  // Closing.

  /** The joining member holds all that this one holds, and asks it to answer no more reads. */
  onClose(now: Instant, from: NodeNumber, request: TransferCloseRequest, replyTo: number): void {
    const table = this.#table;
    const pending = this.#isListed(now, from, request) ? table.pendingOf(request.partition, request.n) : undefined;
    if (pending === undefined || pending.replaced !== table.me) {
      table.effects.answerClose(now, replyTo, wireOf("WRONG_OWNER"), null);
      return;
    }
    const key = replicaKey(pending.partition, pending.n);
    let transfer = table.sending.get(key);
    if (transfer === undefined) {
      if (this.#mustStay()) {
        mark("transfers.hints-first");
        table.effects.answerClose(now, replyTo, wireOf("OVERLOADED"), null);
        return;
      }
      transfer = new Transfer({ ...pending, since: request.since }, true, "confirming");
      table.add(transfer);
      transfer.gate = table.saveSoon(now);
    }
    if (transfer.state === "reopening") {
      // An earlier transfer is not quite over: it is asked again.
      table.effects.answerClose(now, replyTo, wireOf("OVERLOADED"), null);
      return;
    }
    assert(transfer.is(request), "what was closed for another transfer was settled with the ring");
    transfer.replyTo = replyTo;
    this.advance(now, transfer);
  }

  /**
   * Whether this node goes with the flips that are under way, and keeps hints, which would go with it: they may be the only
   * durable copies of what was acknowledged. They are brought home first.
   */
  #mustStay(): boolean {
    const { ring, me, effects } = this.#table;
    if (ring.member(me)?.status !== "leaving" || !effects.keepsHints()) return false;
    const moving = new Set(ring.active);
    return !canary("leave-with-hints") && ring.owners.every((owner, position) => owner !== me || moving.has(position));
  }

  #answerClose(now: Instant, transfer: Transfer): void {
    if (transfer.replyTo === 0) return;
    const replyTo = transfer.replyTo;
    transfer.replyTo = 0;
    this.#table.effects.answerClose(now, replyTo, statusOk, { epoch: this.#table.ring.epoch });
  }

  // After the flip, and whatever else is due.

  /** Does what is due next. */
  advance(now: Instant, transfer: Transfer): void {
    if (transfer.token !== 0 || now < transfer.retryAt) return;
    transfer.retryAt = 0 as Instant;
    if (!this.#table.isDurable(transfer.gate)) {
      transfer.wait = "disk";
      return;
    }
    if (transfer.state === "confirming") {
      this.#table.enter(transfer, "confirmed");
      this.#table.effects.happened(now, "closed", transfer);
    }
    if (transfer.state === "confirmed") {
      transfer.wait = "flip";
      this.#answerClose(now, transfer);
    } else if (transfer.state === "reopening") {
      this.#reopen(now, transfer);
    } else if (transfer.state === "grace") {
      this.#watch(now, transfer);
    } else if (transfer.state === "cleaning") {
      this.#clean(now, transfer);
    }
  }

  /** The transfer is cancelled: writes are taken again once the other end has heard of it, or is given up. */
  #reopen(now: Instant, transfer: Transfer): void {
    const table = this.#table;
    const { joining, flipEpoch } = transfer;
    if (!table.effects.memberAt(joining, flipEpoch) && !table.isLost(joining)) {
      transfer.peer = joining;
      table.retry(now, transfer, "peer-behind", table.config.retryLeastUs);
      return;
    }
    mark("transfers.reopened");
    table.drop(transfer);
    table.saveLater(now);
    table.effects.happened(now, "reopened", transfer);
  }

  /** When the partition is to come back here, nobody's report is waited for: only that nothing is lost. */
  #watch(now: Instant, transfer: Transfer): void {
    const table = this.#table;
    const { partition, n } = transfer;
    const wanted = table.receiving.has(replicaKey(partition, n));
    if (!wanted && !table.effects.everyMemberAt(transfer.flipEpoch)) {
      table.retry(now, transfer, "members", table.config.pollUs);
      return;
    }
    if (!table.effects.holds(partition, n)) {
      this.#cleaned(now, transfer);
      return;
    }
    transfer.wait = "comparing";
    const owners = table.owners(partition, n);
    table.effects.compareKeys(now, partition, n, owners, table.ask(transfer));
  }

  /** The keys here were compared with the owners'. */
  onCovered(now: Instant, transfer: Transfer, outcome: Covered): void {
    const table = this.#table;
    if (outcome !== "covered" && !canary("erase-uncovered")) {
      table.backOff(now, transfer, outcome === "failed" ? "peer-down" : "uncovered");
      return;
    }
    table.enter(transfer, "cleaning");
    table.saveLater(now);
    this.#clean(now, transfer);
  }

  #clean(now: Instant, transfer: Transfer): void {
    if (eraseCopy(now, this.#table, transfer)) this.#cleaned(now, transfer);
  }

  #cleaned(now: Instant, transfer: Transfer): void {
    this.#table.drop(transfer);
    this.#table.saveLater(now);
    this.#table.effects.happened(now, "cleaned", transfer);
  }
}
