/**
 * ExchangeSeat: one `Exchange` bound to this node: its questions become frames, its scans and reads go to the own store and
 * replica, and what an effect causes at once waits until the part settles. Anti-entropy has one seat; each comparison
 * that a transfer asks for sits in one of its own.
 */
import { canary } from "../base/canary.ts";
import { type Status, statusOk, wireOf } from "../base/errors.ts";
import { bucketOf } from "../base/full-key.ts";
import type { NodeNumber, PartitionId } from "../base/ids.ts";
import { type DurationUs, type Instant, never } from "../base/time.ts";
import { WriteRule } from "../handoff/transfer.ts";
import {
  Exchange,
  type ExchangeEffects,
  type ExchangeRequest,
  type ExchangeResult,
  type PreviewedKey,
} from "../repair/exchange.ts";
import { type TreeId, type TreeSource, treeN, treePartition } from "../repair/merkle-tree.ts";
import type { Answer, Question } from "../repair/questions.ts";
import type { RecordPage } from "../storage/store.ts";
import { keysPerLeafPageMax } from "../wire/limits.ts";
import type { LocalRecords, RecordAsker } from "./local-records.ts";
import type { NodeState } from "./state.ts";
import type { StoreAsker, StoreQuestions } from "./store-questions.ts";

/** A page of a leaf's records ends past this. */
export const leafPageBytes: number = 1024 * 1024;
/** Differences of a preview that are kept. */
const previewedMax = 4096;

const storageFailed = wireOf("STORAGE_FAILED");
const wrongOwner = wireOf("WRONG_OWNER");

/** Who asks a peer about trees, or sends it a record. */
export interface TreeAsker {
  onAnswer(now: Instant, id: number, status: Status, answer: Answer | null): void;
  onMoved(now: Instant, id: number, status: Status): void;
}

/** What seats share. */
export interface SeatHost {
  readonly shared: NodeState;
  readonly leaves: TreeSource;
  readonly questions: StoreQuestions;
  readonly records: LocalRecords;
  readonly windowUs: DurationUs;
  /** Sends a question; `onAnswer` of the asker follows, never inside the call. */
  ask(now: Instant, asker: TreeAsker, id: number, peer: NodeNumber, question: Question): void;
  /** Sends a record; `onMoved` of the asker follows, never inside the call. */
  push(now: Instant, asker: TreeAsker, id: number, peer: NodeNumber, fullKey: Uint8Array, sealed: Uint8Array): void;
}

/** Who began the exchange. */
export type OnExchangeEnd = (now: Instant, result: ExchangeResult) => void;

/** Reads a record that is to be pushed. */
class Push implements RecordAsker {
  readonly #host: SeatHost;
  readonly #seat: ExchangeSeat;
  readonly #peer: NodeNumber;
  readonly #fullKey: Uint8Array;

  constructor(host: SeatHost, seat: ExchangeSeat, peer: NodeNumber, fullKey: Uint8Array) {
    this.#host = host;
    this.#seat = seat;
    this.#peer = peer;
    this.#fullKey = fullKey;
  }

  onRecord(now: Instant, id: number, sealed: Uint8Array | null, _error: string | null): void {
    if (sealed === null) this.#seat.onMoved(now, id, storageFailed);
    else this.#host.push(now, this.#seat, id, this.#peer, this.#fullKey, sealed);
  }

  onMoved(): void {}
}

/** One exchange at a time. */
export class ExchangeSeat implements ExchangeEffects, RecordAsker, StoreAsker, TreeAsker {
  readonly exchange: Exchange;
  readonly #host: SeatHost;
  readonly #onEnd: OnExchangeEnd;
  /** Takes nothing from the peer: what it has and this node lacks is none of this node's business any more. */
  readonly #givesOnly: boolean;
  /** What a preview has found, up to a limit. */
  readonly previewed: PreviewedKey[] = [];
  /** Moves that need no doing. */
  readonly #skipped: number[] = [];
  /** Moves that must not be done any more. */
  readonly #refused: number[] = [];
  #result: ExchangeResult | null = null;

  constructor(host: SeatHost, givesOnly: boolean, onEnd: OnExchangeEnd) {
    this.#host = host;
    this.#onEnd = onEnd;
    this.#givesOnly = givesOnly;
    this.exchange = new Exchange({
      effects: this,
      leaves: host.leaves,
      treeOf: (fullKey) => host.shared.ring.policyOf(bucketOf(fullKey)).n,
      windowUs: host.windowUs,
    });
  }

  begin(now: Instant, request: ExchangeRequest): void {
    this.exchange.begin(now, request);
  }

  ask(now: Instant, id: number, peer: NodeNumber, question: Question): void {
    this.#host.ask(now, this, id, peer, question);
  }

  scanLeaf(now: Instant, id: number, partition: number, leaf: number, cursor: Uint8Array | null): void {
    const request = { partition, leaf, cursor, keysMax: keysPerLeafPageMax, bytesMax: leafPageBytes, token: id };
    this.#host.questions.scanRecords(now, this, request);
  }

  readRecord(now: Instant, id: number, fullKey: Uint8Array): void {
    this.#host.records.read(now, this, id, fullKey);
  }

  mergeRecord(now: Instant, id: number, tree: TreeId, fullKey: Uint8Array, sealed: Uint8Array): void {
    if (this.#givesOnly || canary("skip-anti-entropy")) this.#skipped.push(id);
    else if (this.#mayMerge(tree) || canary("merge-without-owning"))
      this.#host.records.merge(now, this, id, fullKey, sealed);
    else this.#refused.push(id);
  }

  /** The ring may have changed since the exchange began: a copy that nobody asks this node for would stay for ever. */
  #mayMerge(tree: TreeId): boolean {
    const rule = this.#host.shared.writeRule(treePartition(tree) as PartitionId, treeN(tree));
    return rule === WriteRule.accept;
  }

  pushRecord(now: Instant, id: number, peer: NodeNumber, _tree: TreeId, fullKey: Uint8Array): void {
    if (canary("skip-anti-entropy")) this.#skipped.push(id);
    else this.#host.records.read(now, new Push(this.#host, this, peer, fullKey), id, fullKey);
  }

  difference(_now: Instant, key: PreviewedKey): void {
    if (this.previewed.length < previewedMax) this.previewed.push(key);
  }

  finished(_now: Instant, result: ExchangeResult): void {
    this.#result = result;
  }

  onAnswer(now: Instant, id: number, status: Status, answer: Answer | null): void {
    this.exchange.onAnswer(now, id, status, answer);
  }

  onScanned(now: Instant, token: number, page: RecordPage | null, error: string | null): void {
    this.exchange.onScanned(now, token, page, error);
  }

  onRecord(now: Instant, id: number, sealed: Uint8Array | null, error: string | null): void {
    this.exchange.onRecord(now, id, sealed, error);
  }

  onMoved(now: Instant, id: number, status: Status): void {
    this.exchange.onMoved(now, id, status);
  }

  /** Ends what effects began; tells who began the exchange when it is over. */
  settle(now: Instant): void {
    if (this.#skipped.length > 0) for (const id of this.#skipped.splice(0)) this.exchange.onMoved(now, id, statusOk);
    if (this.#refused.length > 0) for (const id of this.#refused.splice(0)) this.exchange.onMoved(now, id, wrongOwner);
    const result = this.#result;
    if (result === null) return;
    this.#result = null;
    this.#onEnd(now, result);
  }
}

// Several seats as one. Mostly there are none, and this is asked at the end of every turn.

/** Has those tick that are due. */
export function tickSeats(now: Instant, seats: ReadonlySet<ExchangeSeat>): void {
  for (const { exchange } of seats) if (exchange.nextTick() <= now) exchange.tick(now);
}

/** When the first of them is due. */
export function nextTickOf(seats: ReadonlySet<ExchangeSeat>): Instant {
  let next: Instant = never;
  for (const { exchange } of seats) {
    const at = exchange.nextTick();
    if (at < next) next = at;
  }
  return next;
}

/** Settles all of them; those that are over leave the set meanwhile, and others come. */
export function settleSeats(now: Instant, seats: ReadonlySet<ExchangeSeat>): void {
  if (seats.size > 0) for (const seat of [...seats]) seat.settle(now);
}
