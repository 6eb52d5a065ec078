/**
 * PeerService: what other nodes ask of this node's replica. Each request is checked against the ring by the epoch gate
 * and by the rules of transfers (who owns the partition or is about to, and whether what it holds is whole), its record
 * against its checksum, and then it is the replica's.
 */
import { noBytes } from "../base/bytes.ts";
import type { Durability } from "../base/durability.ts";
import { RingtailError, statusOk, wireOf } from "../base/errors.ts";
import { bucketBytesMax, fullKeyOf, keyBytesMax } from "../base/full-key.ts";
import { Hash64, hashKey } from "../base/hash.ts";
import type { PartitionId } from "../base/ids.ts";
import { after, type Instant } from "../base/time.ts";
import { ReadRule, WriteRule } from "../handoff/transfer.ts";
import { type Replica, ReplicaKind, ReplicaOp } from "../replica/replica.ts";
import { checkRecord, headIfLarger, versionOfSealed } from "../version/record.ts";
import type { Frame } from "../wire/frame.ts";
import { FrameType } from "../wire/frame-types.ts";
import {
  ReplicaHeadReply,
  ReplicaReadReply,
  ReplicaReadRequest,
  ReplicaWriteReply,
  ReplicaWriteRequest,
} from "../wire/gen/codecs.ts";
import type { EpochGate } from "./epoch-gate.ts";
import { stoodUsOf, storageUsOf } from "./op-watch.ts";
import { type ReplicaOrigin, Request } from "./request.ts";
import type { Session } from "./session.ts";
import type { NodeState } from "./state.ts";

/** The record of a request, of whatever type; throws `RingtailError` if it or what is asked of it makes no sense. */
export function checkWrite(record: Uint8Array, durability: number): void {
  const fault = checkRecord(record);
  if (fault !== null) throw new RingtailError("INVALID_ARGUMENT", `the record is damaged: ${fault}`);
  if (durability < 1 || durability > 4) {
    throw new RingtailError("INVALID_ARGUMENT", `durability is ${durability}; allowed: 1 to 4`);
  }
}

/** Makes an op of a request; its hashes, partition and n follow from the key. Throws `RingtailError` for a bad key. */
export class OpMaker {
  readonly #shared: NodeState;
  readonly #hash = new Hash64();

  constructor(shared: NodeState) {
    this.#shared = shared;
  }

  make(
    now: Instant,
    kind: ReplicaKind,
    origin: ReplicaOrigin,
    asked: { readonly bucket: Uint8Array; readonly key: Uint8Array; readonly timeoutUs: number },
  ): ReplicaOp<ReplicaOrigin> {
    const { bucket, key } = asked;
    if (bucket.length < 1 || bucket.length > bucketBytesMax || key.length < 1 || key.length > keyBytesMax) {
      throw new RingtailError(
        "INVALID_ARGUMENT",
        `a bucket of ${bucket.length} bytes and a key of ${key.length} bytes`,
      );
    }
    const { ring } = this.#shared;
    const op = new ReplicaOp<ReplicaOrigin>(kind, origin, fullKeyOf(bucket, key));
    hashKey(op.fullKey, this.#hash);
    op.hashHigh = this.#hash.high;
    op.hashLow = this.#hash.low;
    op.partition = ring.partitionOf(op.hashHigh);
    op.n = ring.policyOf(bucket).n;
    op.deadline = after(now, asked.timeoutUs);
    op.begunAt = now;
    op.loopUs = this.#shared.loopWaitUs;
    this.#shared.turnKeys.begun(op.hashHigh, op.hashLow);
    return op;
  }
}

const notOwner = "the node does not own this partition";
const notReady = "the node is about to receive the partition, and still deletes what it held of it";

export class PeerService {
  readonly #shared: NodeState;
  readonly #epochs: EpochGate;
  readonly #maker: OpMaker;
  #replica: Replica<ReplicaOrigin> | undefined = undefined;
  readonly #readReply: ReplicaReadReply = {
    record: noBytes,
    epoch: 0,
    unsynced: false,
    recordBytes: 0,
    queue: 0,
    busy: 0,
    loopUs: 0,
    storageUs: 0,
  };
  readonly #writeReply: ReplicaWriteReply = {
    durable: false,
    epoch: 0,
    queue: 0,
    busy: 0,
    keyUs: 0,
    loopUs: 0,
    storageUs: 0,
  };
  readonly #repairs;

  constructor(shared: NodeState, epochs: EpochGate) {
    this.#shared = shared;
    this.#epochs = epochs;
    this.#maker = new OpMaker(shared);
    this.#repairs = shared.metrics.counter("read_repairs_received");
  }

  attach(replica: Replica<ReplicaOrigin>): void {
    this.#replica = replica;
  }

  /** A replica request of a peer. Throws `WireError` or `RingtailError` on bad input. */
  onRequest(now: Instant, session: Session, frame: Frame): void {
    const { type } = frame;
    const replica = this.#replica;
    if (replica === undefined) {
      session.fail(frame, wireOf("NOT_SYNCED"), "the node is starting");
      return;
    }
    const reads = type === FrameType.REPLICA_READ || type === FrameType.REPLICA_HEAD;
    if (!reads && this.#shared.storeBehind()) {
      session.fail(frame, wireOf("OVERLOADED"), "the store has fallen behind");
      return;
    }
    const codec = reads ? ReplicaReadRequest : ReplicaWriteRequest;
    const asked = frame.decode<ReplicaReadRequest | ReplicaWriteRequest>(codec);
    if (!this.#epochs.admits(now, session, frame, asked.epoch)) return;
    const request = new Request(now, session, frame);
    if (reads) this.#onRead(now, replica, request, asked as ReplicaReadRequest);
    else this.#onWrite(now, replica, request, asked as ReplicaWriteRequest);
  }

  #onRead(now: Instant, replica: Replica<ReplicaOrigin>, request: Request, asked: ReplicaReadRequest): void {
    const op = this.#maker.make(now, ReplicaKind.read, request, asked);
    if (this.#epochs.isFenced(request, asked.epoch, op.partition)) return;
    const rule = this.#shared.readRule(op.partition as PartitionId, op.n);
    if (rule === ReadRule.wrongOwner) {
      request.fail(wireOf("WRONG_OWNER"), notOwner);
      return;
    }
    request.unsynced = rule === ReadRule.notSynced;
    request.bodyMax = asked.bodyMax;
    replica.read(now, op);
  }

  #onWrite(now: Instant, replica: Replica<ReplicaOrigin>, request: Request, asked: ReplicaWriteRequest): void {
    checkWrite(asked.record, asked.durability);
    const op = this.#maker.make(now, ReplicaKind.write, request, asked);
    if (this.#epochs.isFenced(request, asked.epoch, op.partition)) return;
    const rule = this.#shared.writeRule(op.partition as PartitionId, op.n);
    if (rule !== WriteRule.accept) {
      const owner = rule === WriteRule.notReady;
      request.fail(wireOf(owner ? "NOT_SYNCED" : "WRONG_OWNER"), owner ? notReady : notOwner);
      return;
    }
    if (request.type === FrameType.REPAIR) this.#repairs.value += 1;
    op.durability = asked.durability as Durability;
    op.sealed = asked.record;
    replica.write(now, op);
  }

  /** The replica has finished a peer's request. */
  answer(now: Instant, request: Request, op: ReplicaOp<ReplicaOrigin>): void {
    if (op.status !== statusOk) request.fail(op.status, op.message);
    else if (request.type === FrameType.REPLICA_HEAD) this.#answerHead(request, op);
    else if (op.kind === ReplicaKind.read) this.#answerRead(now, request, op);
    else {
      this.#writeReply.durable = op.durable;
      this.#writeReply.keyUs = op.keyUs;
      this.#tellHow(now, this.#writeReply, op);
      request.answer(ReplicaWriteReply, this.#writeReply);
    }
  }

  /** What every answer tells of this node, and of where the time went. */
  #tellHow(now: Instant, reply: ReplicaReadReply | ReplicaWriteReply, op: ReplicaOp<ReplicaOrigin>): void {
    const shared = this.#shared;
    const stoodUs = stoodUsOf(now, op, shared.env);
    reply.epoch = shared.epoch;
    reply.queue = shared.queue();
    reply.busy = shared.busy;
    reply.loopUs = op.loopUs + stoodUs;
    reply.storageUs = storageUsOf(now, op, stoodUs);
    shared.onServed(now, reply.storageUs);
  }

  /** The partition may have been closed to reads, or found wanting, while the record was read. */
  #answerRead(now: Instant, request: Request, op: ReplicaOp<ReplicaOrigin>): void {
    const rule = this.#shared.readRule(op.partition as PartitionId, op.n);
    if (rule === ReadRule.wrongOwner) {
      request.fail(wireOf("WRONG_OWNER"), notOwner);
      return;
    }
    const reply = this.#readReply;
    const sealed = op.sealed ?? noBytes;
    reply.unsynced = request.unsynced || rule === ReadRule.notSynced;
    // What does not count is rarely the same as what does: it is sent whole.
    reply.record = request.bodyMax === 0 || reply.unsynced ? sealed : headIfLarger(sealed, request.bodyMax);
    reply.recordBytes = reply.record === sealed ? 0 : sealed.length;
    this.#tellHow(now, reply, op);
    request.answer(ReplicaReadReply, reply);
  }

  #answerHead(request: Request, op: ReplicaOp<ReplicaOrigin>): void {
    const words = op.sealed === null ? [] : versionOfSealed(op.sealed).words;
    const version = words.map((word) => word >>> 0);
    request.answer(ReplicaHeadReply, { version, epoch: this.#shared.epoch });
  }
}
