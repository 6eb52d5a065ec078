/**
 * KeyRepair: moving one batch of keys that two nodes' lists did not agree on. Each key is looked at again, as it is by
 * now, on both sides: the own version goes out, the peer compares it with its own (`relation.ts`) and sends what is
 * lacking here; what is lacking there is pushed. A key that has become equal meanwhile moves nothing.
 *
 * Records merge in `Replica.write`, here and there, so that a write that comes between is never lost.
 */
import { assert } from "../base/assert.ts";
import type { NodeNumber } from "../base/ids.ts";
import type { Instant } from "../base/time.ts";
import { checkRecord } from "../version/record.ts";
import { FrameType } from "../wire/frame-types.ts";
import type { RecordFetchReply } from "../wire/gen/codecs.ts";
import type { ExchangeCounters, ExchangeEffects, Waits } from "./exchange-parts.ts";
import { WaitKind } from "./exchange-parts.ts";
import { heldIn, nothingHeld } from "./held-record.ts";
import type { Difference } from "./leaf-list.ts";
import type { TreeId } from "./merkle-tree.ts";
import type { Held } from "./relation.ts";
import { bringsRecord, Relation, wantsRecord } from "./relation.ts";

/** Keys and bytes of one batch. */
const batchKeysMax = 64;
const batchBytesMax = 1024 * 1024;

/** What the keys of a batch have in common. */
export interface BatchContext {
  readonly peer: NodeNumber;
  readonly tree: TreeId;
  readonly pullOnly: boolean;
  readonly preview: boolean;
}

/** Takes one batch from the front of a queue. */
export function takeBatch(queue: Difference[]): Difference[] {
  let count = 0;
  let bytes = 0;
  while (count < queue.length && count < batchKeysMax && bytes < batchBytesMax) {
    const { bytesHere, bytesThere } = queue[count] as Difference;
    bytes += Math.max(bytesHere, bytesThere);
    count += 1;
  }
  return queue.splice(0, count);
}

/** One batch at a time. */
export class KeyRepair {
  readonly #effects: ExchangeEffects;
  readonly #waits: Waits;
  readonly #counters: ExchangeCounters;
  #context: BatchContext | null = null;
  #keys: readonly Difference[] = [];
  #held: Held[] = [];
  #heldBytes: number[] = [];
  #reading = 0;
  #moving = 0;
  /** Keys before it are settled. */
  #next = 0;
  /** Of the batch. */
  moved = 0;
  failed = 0;

  constructor(effects: ExchangeEffects, waits: Waits, counters: ExchangeCounters) {
    this.#effects = effects;
    this.#waits = waits;
    this.#counters = counters;
  }

  /** Whether a batch is in work. */
  get busy(): boolean {
    return this.#context !== null;
  }

  begin(now: Instant, context: BatchContext, keys: readonly Difference[]): void {
    assert(this.#context === null && keys.length > 0, "one batch of keys at a time");
    this.#context = context;
    this.#keys = keys;
    this.#held = keys.map(() => nothingHeld);
    this.#heldBytes = keys.map(() => 0);
    this.#next = 0;
    this.moved = 0;
    this.failed = 0;
    this.#reading = keys.length;
    // A batch that was abandoned may have left moves, whose ends are not heard of.
    this.#moving = 0;
    for (let i = 0; i < keys.length; i += 1) {
      const id = this.#waits.add(now, WaitKind.read, i);
      this.#effects.readRecord(now, id, (keys[i] as Difference).fullKey);
    }
  }

  /** Forgets the batch. */
  abandon(): void {
    this.#context = null;
    this.moved = 0;
    this.failed = 0;
  }

  /** The own record of key `index`; null: none, or it cannot be read. */
  onRecord(now: Instant, index: number, sealed: Uint8Array | null): void {
    assert(this.#reading > 0, "a record is read once");
    this.#held[index] = heldIn(sealed, (this.#keys[index] as Difference).fullKey);
    this.#heldBytes[index] = sealed?.length ?? 0;
    this.#reading -= 1;
    if (this.#reading === 0) this.#fetch(now);
  }

  #fetch(now: Instant): void {
    const { peer, tree, preview } = this.#context as BatchContext;
    const held = [];
    for (let i = this.#next; i < this.#keys.length; i += 1) {
      const { version, hashHigh, hashLow } = this.#held[i] as Held;
      held.push({ fullKey: (this.#keys[i] as Difference).fullKey, version: version.words, hashHigh, hashLow });
    }
    const id = this.#waits.add(now, WaitKind.answer, 0);
    this.#effects.ask(now, id, peer, { type: FrameType.RECORD_FETCH, body: { tree, held, preview } });
  }

  /** The peer's answer, for the first keys that were asked. False: it makes no sense. */
  onFetched(now: Instant, reply: RecordFetchReply): boolean {
    const count = reply.records.length;
    if (count === 0 || count > this.#keys.length - this.#next) return false;
    const first = this.#next;
    this.#next += count;
    for (let i = 0; i < count; i += 1) {
      const { relation, record, recordBytes } = reply.records[i] as RecordFetchReply["records"][number];
      if (relation < Relation.same || relation > Relation.damaged) return false;
      this.#settle(now, first + i, relation as Relation, record, recordBytes);
    }
    this.#goOn(now);
    return true;
  }

  #settle(now: Instant, index: number, relation: Relation, record: Uint8Array, bytesThere: number): void {
    const { peer, tree, pullOnly, preview } = this.#context as BatchContext;
    const { fullKey } = this.#keys[index] as Difference;
    const bytesHere = this.#heldBytes[index] as number;
    if (relation === Relation.same) this.#counters.keysSettled += 1;
    else if (preview) {
      this.moved += 1;
      this.#effects.difference(now, { tree, fullKey, relation, bytesHere, bytesThere });
    } else if (relation >= Relation.unreadable) this.#fail();
    else {
      if (bringsRecord(relation)) this.#pull(now, tree, fullKey, record);
      if (!wantsRecord(relation)) return;
      if (pullOnly) this.#counters.keysLeft += 1;
      else {
        this.#counters.keysPushed += 1;
        this.#counters.bytesPushed += bytesHere;
        this.#effects.pushRecord(now, this.#move(now), peer, tree, fullKey);
      }
    }
  }

  #pull(now: Instant, tree: TreeId, fullKey: Uint8Array, record: Uint8Array): void {
    if (checkRecord(record) !== null) {
      this.#fail();
      return;
    }
    this.#counters.keysPulled += 1;
    this.#counters.bytesPulled += record.length;
    this.#effects.mergeRecord(now, this.#move(now), tree, fullKey, record);
  }

  #move(now: Instant): number {
    this.moved += 1;
    this.#moving += 1;
    return this.#waits.add(now, WaitKind.move, 0);
  }

  #fail(): void {
    this.failed += 1;
    this.#counters.keysFailed += 1;
  }

  /** A merge here or a push there has ended. */
  onMoved(now: Instant, ok: boolean): void {
    assert(this.#moving > 0, "a move ends once");
    this.#moving -= 1;
    if (!ok) this.#fail();
    this.#goOn(now);
  }

  #goOn(now: Instant): void {
    if (this.#moving > 0) return;
    if (this.#next < this.#keys.length) this.#fetch(now);
    else this.#context = null;
  }
}
