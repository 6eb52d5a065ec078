/**
 * PeerService: what other nodes ask of this node's replica. Each request is checked against the ring (an owner answers,
 * anybody else says `WRONG_OWNER`), its record against its checksum, and then it is the replica's.
 */
import { noBytes } from "../base/bytes.ts";
import type { Durability } from "../base/durability.ts";
import { RingtailError, statusOk, wireOf } from "../base/errors.ts";
import { bucketBytesMax, fullKeyOf, keyBytesMax } from "../base/full-key.ts";
import { Hash64, hashKey } from "../base/hash.ts";
import type { Instant } from "../base/time.ts";
import { after } from "../base/time.ts";
import { type Replica, ReplicaKind, ReplicaOp } from "../replica/replica.ts";
import { checkRecord } from "../version/record.ts";
import { decode, ReplicaReadReply, ReplicaReadRequest, ReplicaWriteReply, ReplicaWriteRequest } from "../wire/codec.ts";
import { FrameType } from "../wire/frame-types.ts";
import { type ReplicaOrigin, Request } from "./request.ts";
import type { Session } from "./session.ts";
import type { NodeState } from "./state.ts";

export class PeerService {
  readonly #shared: NodeState;
  readonly #hash = new Hash64();
  #replica: Replica<ReplicaOrigin> | undefined = undefined;
  readonly #readReply: ReplicaReadReply = { record: noBytes, epoch: 0 };
  readonly #writeReply: ReplicaWriteReply = { durable: false, epoch: 0 };
  readonly #repairs;

  constructor(shared: NodeState) {
    this.#shared = shared;
    this.#repairs = shared.metrics.counter("read_repairs_received");
  }

  attach(replica: Replica<ReplicaOrigin>): void {
    this.#replica = replica;
  }

  /** A replica request of a peer. Throws `WireError` or `RingtailError` on bad input. */
  onRequest(
    now: Instant,
    session: Session,
    type: number,
    frameId: number,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): void {
    const replica = this.#replica;
    if (replica === undefined) {
      session.fail(type, frameId, wireOf("NOT_SYNCED"), "the node is starting");
      return;
    }
    if (type !== FrameType.REPLICA_READ && this.#shared.storeBehind()) {
      session.fail(type, frameId, wireOf("OVERLOADED"), "the store has fallen behind");
      return;
    }
    if (type === FrameType.REPLICA_READ) this.#onRead(now, replica, session, frameId, bytes, start, end);
    else this.#onWrite(now, replica, session, type, frameId, bytes, start, end);
  }

  #newOp(
    now: Instant,
    kind: 0 | 1,
    request: Request,
    bucket: Uint8Array,
    key: Uint8Array,
    timeoutUs: number,
  ): ReplicaOp<ReplicaOrigin> | undefined {
    if (bucket.length < 1 || bucket.length > bucketBytesMax || key.length < 1 || key.length > keyBytesMax) {
      throw new RingtailError(
        "INVALID_ARGUMENT",
        `a bucket of ${bucket.length} bytes and a key of ${key.length} bytes`,
      );
    }
    const ring = this.#shared.ring;
    const n = ring.policyOf(bucket).n;
    const op = new ReplicaOp<ReplicaOrigin>(kind, request, fullKeyOf(bucket, key));
    hashKey(op.fullKey, this.#hash);
    op.hashHigh = this.#hash.high;
    op.hashLow = this.#hash.low;
    const partition = ring.partitionOf(op.hashHigh);
    op.partition = partition;
    op.n = n;
    op.deadline = after(now, timeoutUs);
    if (ring.isOwner(partition, n, this.#shared.number)) return op;
    request.session.fail(request.type, request.frameId, wireOf("WRONG_OWNER"), "the node does not own this partition");
    return undefined;
  }

  #onRead(
    now: Instant,
    replica: Replica<ReplicaOrigin>,
    session: Session,
    frameId: number,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): void {
    const asked = decode(ReplicaReadRequest, bytes, start, end);
    const request = new Request(session, FrameType.REPLICA_READ, frameId, 0);
    const op = this.#newOp(now, ReplicaKind.read, request, asked.bucket, asked.key, asked.timeoutUs);
    if (op !== undefined) replica.read(now, op);
  }

  #onWrite(
    now: Instant,
    replica: Replica<ReplicaOrigin>,
    session: Session,
    type: number,
    frameId: number,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): void {
    const asked = decode(ReplicaWriteRequest, bytes, start, end);
    const fault = checkRecord(asked.record);
    if (fault !== null) throw new RingtailError("INVALID_ARGUMENT", `the record is damaged: ${fault}`);
    if (asked.durability < 1 || asked.durability > 4) {
      throw new RingtailError("INVALID_ARGUMENT", `durability is ${asked.durability}; allowed: 1 to 4`);
    }
    const op = this.#newOp(
      now,
      ReplicaKind.write,
      new Request(session, type, frameId, 0),
      asked.bucket,
      asked.key,
      asked.timeoutUs,
    );
    if (op === undefined) return;
    if (type === FrameType.REPAIR) this.#repairs.value += 1;
    op.durability = asked.durability as Durability;
    op.sealed = asked.record;
    replica.write(now, op);
  }

  /** The replica has finished a peer's request. */
  answer(request: Request, op: ReplicaOp<ReplicaOrigin>): void {
    if (op.status !== statusOk) {
      request.session.fail(request.type, request.frameId, op.status, op.message);
    } else if (op.kind === ReplicaKind.read) {
      this.#readReply.record = op.sealed ?? noBytes;
      this.#readReply.epoch = this.#shared.epoch;
      request.session.answer(request.type, request.frameId, ReplicaReadReply, this.#readReply);
    } else {
      this.#writeReply.durable = op.durable;
      this.#writeReply.epoch = this.#shared.epoch;
      request.session.answer(request.type, request.frameId, ReplicaWriteReply, this.#writeReply);
    }
  }
}
