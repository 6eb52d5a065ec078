/**
 * HintOps: what a node does with the records that it keeps for others (Dynamo 4.6). One hint per key
 * and target, merged and never overwritten: a readable replica that counts towards W, so that it goes only when its
 * target has it on disk.
 *
 * Pure decisions on what the store holds: each gives the write that follows from it, or none. The key is held meanwhile
 * as for every change of a key (`replica.ts`), because a put mints from the record and all hints together. A hint that
 * holds dots of the node's present actor takes them along when it goes: the actor must not mint above them any more.
 */
import { assert } from "../base/assert.ts";
import { noBytes } from "../base/bytes.ts";
import { canary } from "../base/canary.ts";
import { type Status, wireOf } from "../base/errors.ts";
import { Hash64 } from "../base/hash.ts";
import { mark } from "../base/mark.ts";
import { copyBytes } from "../base/pool.ts";
import type { Instant } from "../base/time.ts";
import { type StoredHint, type StoreWrite, SyncMode } from "../storage/store.ts";
import { checkRecord } from "../version/record.ts";
import { causalHashOfSealed } from "../version/sealed-causal-hash.ts";
import type { Actors } from "./actors.ts";
import { ReplicaKind, type ReplicaOp } from "./replica-op.ts";
import { mergedBytes, opened, versionIn } from "./sealed.ts";
import { storeWriteOf, syncModeOf } from "./store-write-of.ts";

const invalidArgument = wireOf("INVALID_ARGUMENT");
const overloaded = wireOf("OVERLOADED");
const storageFailed = wireOf("STORAGE_FAILED");

/** How much may be kept for one node. */
export interface HintRoom {
  /** Whether the hints for `target` may grow by so many bytes of keys and records. */
  fits(target: number, growth: number): boolean;
}

/** No limit at all. */
export const muchRoom: HintRoom = { fits: () => true };
/** Why a hint is refused. */
export const noHintRoom = "the hints for this node have used up their bytes";

/** The hint for one target among those of a key. */
export function hintFor(target: number, hints: readonly StoredHint[]): StoredHint | null {
  for (const hint of hints) if (hint.target === target) return hint;
  return null;
}

/** The decisions of one replica. */
export class HintOps {
  readonly #actors: Actors;
  readonly #room: HintRoom;
  readonly #hash: Hash64 = new Hash64();

  constructor(actors: Actors, room: HintRoom) {
    this.#actors = actors;
    this.#room = room;
  }

  /**
   * What an op of one of the three kinds for hints comes to, given all hints of its key. Null: there is nothing to
   * write, and the op is finished with the status and the answer it has now.
   */
  decide(now: Instant, op: ReplicaOp<unknown>, hints: readonly StoredHint[]): StoreWrite | null {
    if (op.kind === ReplicaKind.readHints) return this.#read(now, op, hints);
    op.hint = hintFor(op.target, hints);
    return op.kind === ReplicaKind.keepHint ? this.#keep(now, op, hints) : this.#drop(now, op, hints);
  }

  /**
   * Some hint of the key is damaged. If it is the op's, the op's record takes its place, or nothing does: it may have
   * held dots of ours that nobody else knows, so that the actor goes as well.
   */
  mend(now: Instant, op: ReplicaOp<unknown>, hints: readonly StoredHint[]): StoreWrite | null {
    op.hint = hintFor(op.target, hints);
    if (op.hint === null || checkRecord(op.hint.sealed) === null) return null;
    mark("hint.mended");
    this.#actors.renew(now, op.partition);
    op.removed = op.kind === ReplicaKind.dropHint;
    return this.writeOf(op, op.removed ? noBytes : (op.sealed as Uint8Array));
  }

  /** What a fallback answers a get with: all that it keeps for the key, merged. */
  #read(now: Instant, op: ReplicaOp<unknown>, hints: readonly StoredHint[]): null {
    let merged: Uint8Array | null = null;
    for (const { target, sealed } of hints) {
      if (op.target !== 0 && target !== op.target) continue;
      const sum: Uint8Array | null = merged === null ? sealed : mergedBytes(merged, sealed);
      if (sum === null) return this.#unreadable(now, op);
      merged = sum;
    }
    op.sealed = merged;
    return null;
  }

  #unreadable(now: Instant, op: ReplicaOp<unknown>): null {
    mark("replica.unreadable");
    this.#actors.renew(now, op.partition);
    return refuse(op, storageFailed, "a hint of the key cannot be read");
  }

  #keep(now: Instant, op: ReplicaOp<unknown>, hints: readonly StoredHint[]): StoreWrite | null {
    const incoming = op.sealed as Uint8Array;
    const set = opened(incoming);
    if (set === null || set.isEmpty) return refuse(op, invalidArgument, "the incoming record is malformed");
    if (canary("ack-hint-unkept")) return null;
    const merged = op.hint === null || canary("overwrite-hint") ? incoming : mergedBytes(op.hint.sealed, incoming);
    if (merged === null) return this.#unreadable(now, op);
    if (this.#actors.counterIn(op.partition, set.version) > this.#ownCounter(op, hints, 0)) {
      mark("replica.hint-with-own-dots");
      this.#actors.renew(now, op.partition);
    }
    const unchanged = op.hint !== null && merged === op.hint.sealed;
    if (unchanged && syncModeOf(op.durability) === SyncMode.none) return null;
    if (!this.fits(op, merged.length)) return refuse(op, overloaded, noHintRoom);
    mark(op.hint === null ? "hint.stored" : "hint.merged");
    return this.writeOf(op, merged === incoming && !op.kept ? copyBytes(incoming) : merged);
  }

  #drop(now: Instant, op: ReplicaOp<unknown>, hints: readonly StoredHint[]): StoreWrite | null {
    const { hint } = op;
    if (hint === null) return null;
    causalHashOfSealed(hint.sealed, op.fullKey, this.#hash);
    const changed = this.#hash.high !== op.causalHigh || this.#hash.low !== op.causalLow;
    if (changed && !canary("drop-changed-hint")) {
      mark("hint.changed-meanwhile");
      return null;
    }
    if (this.#ownCounterIn(op, hint.sealed) > this.#ownCounter(op, hints, op.target)) {
      mark("replica.own-dots-delivered");
      this.#actors.renew(now, op.partition);
    }
    mark("hint.dropped");
    op.removed = true;
    return this.writeOf(op, noBytes);
  }

  /** The newest dot of the present actor that the key's hints reflect, but for the one that is about to go. */
  #ownCounter(op: ReplicaOp<unknown>, hints: readonly StoredHint[], without: number): number {
    let newest = 0;
    for (const { target, sealed } of hints) {
      if (target !== without) newest = Math.max(newest, this.#ownCounterIn(op, sealed));
    }
    return newest;
  }

  #ownCounterIn(op: ReplicaOp<unknown>, sealed: Uint8Array): number {
    const version = versionIn(sealed);
    return version === null ? 0 : this.#actors.counterIn(op.partition, version);
  }

  /** Whether there is room for `sealed` in place of `op.hint`; always, if the op keeps nothing for anybody. */
  fits(op: ReplicaOp<unknown>, sealedBytes: number): boolean {
    if (op.target === 0) return true;
    const before = op.hint === null ? 0 : op.fullKey.length + op.hint.sealed.length;
    const growth = op.fullKey.length + sealedBytes - before;
    return growth <= 0 || this.#room.fits(op.target, growth);
  }

  /** The write of `sealed` (empty: none any more) as the hint for the op's target, over `op.hint`. */
  writeOf(op: ReplicaOp<unknown>, sealed: Uint8Array): StoreWrite {
    assert(op.target !== 0, "a hint has a target");
    const before = op.hint;
    const write = storeWriteOf(op, sealed);
    write.hint = {
      target: op.target,
      second: before === null ? op.second : Math.min(before.second, op.second),
      secondBefore: before?.second ?? 0,
      bytesBefore: before?.sealed.length ?? -1,
    };
    return write;
  }
}

function refuse(op: ReplicaOp<unknown>, status: Status, message: string): null {
  op.status = status;
  op.message = message;
  return null;
}
