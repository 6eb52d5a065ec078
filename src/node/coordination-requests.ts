/**
 * Coordination's requests: what those slots of puts and gets that are peers are asked, as frames; what they answer is in
 * coordination-replies.ts. A method returns false if nothing could be sent: the peer is not reachable.
 *
 * Requests are encoded before the next one is filled in, so one object of each kind serves all.
 */
import { noBytes } from "../base/bytes.ts";
import { Durability } from "../base/durability.ts";
import { bucketOf, keyOf } from "../base/full-key.ts";
import type { NodeNumber } from "../base/ids.ts";
import type { DurationUs, Instant } from "../base/time.ts";
import { type GetOp, wantsHead } from "../coordinator/get.ts";
import type { PutOp } from "../coordinator/put.ts";
import type { Encoder } from "../wire/codec.ts";
import { FrameType, WritePurpose } from "../wire/frame-types.ts";
import { HintKeepRequest, ReplicaReadRequest, ReplicaWriteRequest } from "../wire/gen/codecs.ts";
import type { OpWatch } from "./op-watch.ts";
import type { Peers } from "./peers.ts";
import type { AnyOp, GetOrigin, Request } from "./request.ts";
import type { Routing } from "./routing.ts";
import { SharedWrites } from "./shared-writes.ts";
import { slotFrameId } from "./slot-frame-id.ts";
import type { NodeState } from "./state.ts";

/** Asks the slots of ops that are peers. */
export class CoordinationRequests {
  readonly shares: SharedWrites = new SharedWrites();
  readonly #shared: NodeState;
  readonly #peers: Peers;
  readonly #routing: Routing;
  readonly #watch: OpWatch;
  readonly #read: ReplicaReadRequest = { bucket: noBytes, key: noBytes, epoch: 0, timeoutUs: 0, bodyMax: 0 };
  readonly #write: ReplicaWriteRequest = {
    bucket: noBytes,
    key: noBytes,
    record: noBytes,
    epoch: 0,
    timeoutUs: 0,
    durability: 0,
    purpose: 0,
  };
  readonly #hint: HintKeepRequest = {
    bucket: noBytes,
    key: noBytes,
    record: noBytes,
    target: 0,
    epoch: 0,
    timeoutUs: 0,
    durability: 0,
  };

  constructor(shared: NodeState, peers: Peers, routing: Routing, watch: OpWatch) {
    this.#shared = shared;
    this.#peers = peers;
    this.#routing = routing;
    this.#watch = watch;
  }

  /** Sends a put's record to an owner, or shares the frame of another put of this turn. */
  write(now: Instant, op: PutOp<Request>, slot: number, durability: Durability): boolean {
    if (this.shares.join(op, slot, durability)) {
      this.#watch.asked(now, op, slot);
      this.#routing.health.sent(op.targetNumbers[slot] as NodeNumber);
      return true;
    }
    const message = this.#writeMessage(op.fullKey, op.sealed, durability, op.epoch);
    message.purpose = WritePurpose.put;
    message.timeoutUs = Math.max(1, op.replicaDeadline - now);
    if (!this.#ask(now, op, slot, FrameType.REPLICA_WRITE, ReplicaWriteRequest, message)) return false;
    this.shares.sent(op, slot, durability);
    return true;
  }

  /** Sends a put's record to a fallback, to be kept for `owner`. */
  keepHint(now: Instant, op: PutOp<Request>, slot: number, owner: NodeNumber, durability: Durability): boolean {
    const message = this.#hint;
    message.bucket = bucketOf(op.fullKey);
    message.key = keyOf(op.fullKey);
    message.record = op.sealed;
    message.target = owner;
    message.epoch = op.epoch;
    message.timeoutUs = Math.max(op.silenceUs, op.replicaDeadline - now);
    message.durability = durability;
    return this.#ask(now, op, slot, FrameType.HINT_KEEP, HintKeepRequest, message);
  }

  /** Asks an owner for its record, or a fallback for what it keeps of the key. */
  read(now: Instant, op: GetOp<GetOrigin>, slot: number): boolean {
    const message = this.#readMessage(op.fullKey, op.epoch, Math.max(1, op.replicaDeadline - now));
    if (wantsHead(op, slot)) message.bodyMax = this.#shared.config.bodyMaxBytes;
    const isFallback = ((op.fallbacks >>> slot) & 1) === 1;
    const type = isFallback ? FrameType.HINT_READ : FrameType.REPLICA_READ;
    return this.#ask(now, op, slot, type, ReplicaReadRequest, message);
  }

  #ask<T>(now: Instant, op: AnyOp, slot: number, type: number, codec: Encoder<T>, message: T): boolean {
    this.#watch.asked(now, op, slot);
    if (!this.#send(op, slot, type, codec, message)) return false;
    this.#routing.health.sent(op.targetNumbers[slot] as NodeNumber);
    return true;
  }

  #send<T>(op: AnyOp, slot: number, type: number, codec: Encoder<T>, message: T): boolean {
    const peer = this.#peers.of(op.targetNumbers[slot] as NodeNumber);
    return peer?.send(type, slotFrameId(op.id, slot), codec, message) === true;
  }

  /** Asks what an owner's record covers. It says nothing of the way there: a put asks those that are slow already. */
  askHead(op: PutOp<Request>, slot: number): boolean {
    const message = this.#readMessage(op.fullKey, op.epoch, op.silenceUs);
    return this.#send(op, slot, FrameType.REPLICA_HEAD, ReplicaReadRequest, message);
  }

  /** Brings an owner what it lacks of the merged record, by `timeoutUs`. */
  repair(op: GetOp<GetOrigin>, slot: number, merged: Uint8Array, timeoutUs: DurationUs): boolean {
    const message = this.#writeMessage(op.fullKey, merged, Durability.buffered, this.#shared.epoch);
    message.purpose = WritePurpose.readRepair;
    message.timeoutUs = timeoutUs;
    return this.#send(op, slot, FrameType.REPAIR, ReplicaWriteRequest, message);
  }

  #readMessage(fullKey: Uint8Array, epoch: number, timeoutUs: DurationUs): ReplicaReadRequest {
    const message = this.#read;
    message.bucket = bucketOf(fullKey);
    message.key = keyOf(fullKey);
    message.epoch = epoch;
    message.timeoutUs = timeoutUs;
    message.bodyMax = 0;
    return message;
  }

  #writeMessage(fullKey: Uint8Array, sealed: Uint8Array, durability: Durability, epoch: number): ReplicaWriteRequest {
    const message = this.#write;
    message.bucket = bucketOf(fullKey);
    message.key = keyOf(fullKey);
    message.record = sealed;
    message.epoch = epoch;
    message.durability = durability;
    return message;
  }
}
