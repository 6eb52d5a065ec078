/**
 * Coordination: what the coordinators ask of the world, bound to this node's own replica and to its peers.
 *
 * A slot of an op is either this node (the op goes to the replica) or a peer (it becomes a frame whose id is op id * 8 +
 * slot, so that the answer finds its op without a map). An effect must not call the core that made it, so work for the
 * own replica and failures known at once wait in a queue until `settle`, which runs last in every event.
 */
import { noBytes } from "../base/bytes.ts";
import { Durability } from "../base/durability.ts";
import { type Status, statusOk, wireOf } from "../base/errors.ts";
import { Fifo } from "../base/fifo.ts";
import { bucketOf, keyOf } from "../base/full-key.ts";
import type { NodeNumber } from "../base/ids.ts";
import { after, type Instant } from "../base/time.ts";
import { GetCoordinator, type GetEffects, type GetOp } from "../coordinator/get.ts";
import { PutCoordinator, type PutEffects, PutOp } from "../coordinator/put.ts";
import type { Replica } from "../replica/replica.ts";
import { ReplicaKind, ReplicaOp } from "../replica/replica.ts";
import { ReplicaReadRequest, ReplicaWriteRequest } from "../wire/codec.ts";
import { FrameType, WritePurpose } from "../wire/frame-types.ts";
import type { PeerService } from "./peer-service.ts";
import type { Peers } from "./peers.ts";
import { type GetOrigin, type ReplicaOrigin, Request } from "./request.ts";
import type { NodeState } from "./state.ts";

/** A slot that failed before anything was sent. */
interface Unsent {
  readonly put: boolean;
  readonly id: number;
  readonly slot: number;
}

/** Who answers clients; `ClientService`. */
export interface Answers {
  answerPut(now: Instant, op: PutOp<Request>): void;
  answerGet(now: Instant, op: GetOp<GetOrigin>): void;
}

const peerDown = "the peer is not reachable";
/** A replica's time ends this much before the client's, so that the client hears of a failure. */
const marginUs = 5_000;
const localOpsMax = 1 << 20;
/** Answered ops that wait for a straggler count: with one silent peer they are rate x timeout. */
const opsMax = 65_536;

export class Coordination implements PutEffects<Request>, GetEffects<GetOrigin> {
  readonly puts: PutCoordinator<Request>;
  readonly gets: GetCoordinator<GetOrigin>;
  readonly #shared: NodeState;
  readonly #peers: Peers;
  readonly #answers: Answers;
  #replica: Replica<ReplicaOrigin> | undefined = undefined;
  readonly #localOps: Fifo<ReplicaOp<ReplicaOrigin>> = new Fifo(localOpsMax);
  readonly #unsent: Fifo<Unsent> = new Fifo(localOpsMax);
  // Requests are encoded before the next one is filled in, so one object of each kind serves all.
  readonly #read: ReplicaReadRequest = { bucket: noBytes, key: noBytes, epoch: 0, timeoutUs: 0 };
  readonly #write: ReplicaWriteRequest = {
    bucket: noBytes,
    key: noBytes,
    record: noBytes,
    epoch: 0,
    timeoutUs: 0,
    durability: 0,
    purpose: 0,
  };

  constructor(shared: NodeState, peers: Peers, answers: Answers) {
    this.#shared = shared;
    this.#peers = peers;
    this.#answers = answers;
    const options = { opsMax, repairsMax: 256, replicaMarginUs: marginUs };
    this.puts = new PutCoordinator<Request>(this, options);
    this.gets = new GetCoordinator<GetOrigin>(this, options);
  }

  attach(replica: Replica<ReplicaOrigin>): void {
    this.#replica = replica;
  }

  putLocal(_now: Instant, op: PutOp<Request>, durability: Durability): void {
    const local = this.#newLocal(ReplicaKind.put, op, op.deadline);
    local.durability = durability;
    local.context = op.context;
    local.contextOwn = op.contextOwn;
    local.requestId = op.requestId;
    local.value = op.value;
    local.tombstone = op.tombstone;
    local.overwrite = op.overwrite;
    local.second = op.second;
    local.siblingsMax = this.#shared.config.siblingsMax;
  }

  writeReplica(now: Instant, op: PutOp<Request>, slot: number, durability: Durability): void {
    if (slot === op.localSlot) {
      // Nobody else can sync the record: the coordinator, which has written it, writes it again and syncs.
      this.#writeLocally(op, op.sealed as Uint8Array, op.deadline, durability);
      return;
    }
    const message = this.#writeMessage(op.fullKey, op.sealed as Uint8Array, durability);
    message.purpose = WritePurpose.put;
    message.timeoutUs = Math.max(1, op.replicaDeadline - now);
    const peer = this.#peers.of(op.targetNumbers[slot] as number);
    const sent = peer?.send(FrameType.REPLICA_WRITE, op.id * 8 + slot, ReplicaWriteRequest, message) === true;
    if (!sent) this.#unsent.push({ put: true, id: op.id, slot });
  }

  readReplica(now: Instant, op: GetOp<GetOrigin>, slot: number): void {
    if (slot === op.localSlot) {
      this.#newLocal(ReplicaKind.read, op, op.deadline);
      return;
    }
    const message = this.#read;
    message.bucket = bucketOf(op.fullKey);
    message.key = keyOf(op.fullKey);
    message.epoch = this.#shared.epoch;
    message.timeoutUs = Math.max(1, op.replicaDeadline - now);
    const peer = this.#peers.of(op.targetNumbers[slot] as number);
    const sent = peer?.send(FrameType.REPLICA_READ, op.id * 8 + slot, ReplicaReadRequest, message) === true;
    if (!sent) this.#unsent.push({ put: false, id: op.id, slot });
  }

  repairReplica(_now: Instant, op: GetOp<GetOrigin>, slot: number): void {
    const merged = op.merged as Uint8Array;
    const timeoutUs = this.#shared.config.requestTimeoutMs * 1000;
    if (slot === op.localSlot) {
      this.#writeLocally(op, merged, after(op.deadline, timeoutUs), Durability.buffered);
      return;
    }
    const message = this.#writeMessage(op.fullKey, merged, Durability.buffered);
    message.purpose = WritePurpose.readRepair;
    message.timeoutUs = timeoutUs;
    const peer = this.#peers.of(op.targetNumbers[slot] as number);
    peer?.send(FrameType.REPAIR, op.id * 8 + slot, ReplicaWriteRequest, message);
  }

  #newLocal(kind: ReplicaKind, op: PutOp<Request> | GetOp<GetOrigin>, deadline: Instant): ReplicaOp<ReplicaOrigin> {
    const local = new ReplicaOp<ReplicaOrigin>(kind, op, op.fullKey);
    local.hashHigh = op.hashHigh;
    local.hashLow = op.hashLow;
    local.partition = op.partition;
    local.n = op.quorum.bucketN;
    local.deadline = deadline;
    this.#localOps.push(local);
    return local;
  }

  #writeLocally(
    op: PutOp<Request> | GetOp<GetOrigin>,
    sealed: Uint8Array,
    deadline: Instant,
    durability: Durability,
  ): void {
    const local = this.#newLocal(ReplicaKind.write, op, deadline);
    local.durability = durability;
    local.sealed = sealed;
  }

  #writeMessage(fullKey: Uint8Array, sealed: Uint8Array, durability: Durability): ReplicaWriteRequest {
    const message = this.#write;
    message.bucket = bucketOf(fullKey);
    message.key = keyOf(fullKey);
    message.record = sealed;
    message.epoch = this.#shared.epoch;
    message.durability = durability;
    return message;
  }

  reply(now: Instant, op: PutOp<Request> | GetOp<GetOrigin>): void {
    if (op instanceof PutOp) this.#answers.answerPut(now, op);
    else this.#answers.answerGet(now, op);
  }

  forget(): void {}

  /** The own replica has minted and sealed a put of ours. */
  prepared(now: Instant, local: ReplicaOp<ReplicaOrigin>): void {
    const op = local.origin as PutOp<Request>;
    op.own = local.own;
    this.puts.onPrepared(now, op.id, local.sealed as Uint8Array, local.version);
  }

  /** The own replica has finished an op: a peer's request, the own slot of a put or get, or an own read repair. */
  done(now: Instant, local: ReplicaOp<ReplicaOrigin>, peers: PeerService): void {
    const { origin, status, message } = local;
    if (origin instanceof Request) peers.answer(origin, local);
    else if (origin instanceof PutOp) {
      if (status === statusOk) this.puts.onAck(now, origin.id, origin.localSlot, local.durable);
      else this.puts.onFailure(now, origin.id, origin.localSlot, status, message);
    } else if (local.kind === ReplicaKind.write) this.gets.onRepaired(now, origin.id, origin.localSlot);
    else if (status === statusOk) this.gets.onRecord(now, origin.id, origin.localSlot, local.sealed);
    else this.gets.onFailure(now, origin.id, origin.localSlot, status, message);
  }

  onWriteReply(now: Instant, from: number, frameId: number, status: Status, durable: boolean, message: string): void {
    const id = frameId >>> 3;
    const slot = frameId & 7;
    if (status === statusOk) this.puts.onAck(now, id, slot, durable);
    else this.puts.onFailure(now, id, slot, status, `node ${from}: ${message}`);
  }

  onReadReply(now: Instant, from: number, frameId: number, status: Status, record: Uint8Array, message: string): void {
    const id = frameId >>> 3;
    const slot = frameId & 7;
    if (status === statusOk) this.gets.onRecord(now, id, slot, record.length === 0 ? null : record);
    else this.gets.onFailure(now, id, slot, status, `node ${from}: ${message}`);
  }

  /** How a read repair ended does not matter: the next get of the key sees. */
  onRepairReply(now: Instant, frameId: number): void {
    this.gets.onRepaired(now, frameId >>> 3, frameId & 7);
  }

  /** Everything asked of that peer and not answered has failed. */
  onPeerLost(now: Instant, number: NodeNumber): void {
    this.puts.onTargetLost(now, number, wireOf("CONNECTION_LOST"), `node ${number}: the connection broke`);
    this.gets.onTargetLost(now, number, wireOf("CONNECTION_LOST"), `node ${number}: the connection broke`);
  }

  /** Does what effects left behind: called after each frame and last in every event, when no core is on the stack. */
  settle(now: Instant): void {
    if (this.#replica === undefined) return;
    for (;;) {
      const local = this.#localOps.shift();
      if (local !== undefined) {
        this.#runLocally(now, local);
        continue;
      }
      const unsent = this.#unsent.shift();
      if (unsent === undefined) return;
      const core = unsent.put ? this.puts : this.gets;
      core.onFailure(now, unsent.id, unsent.slot, wireOf("CONNECTION_LOST"), peerDown);
    }
  }

  #runLocally(now: Instant, local: ReplicaOp<ReplicaOrigin>): void {
    const replica = this.#replica as Replica<ReplicaOrigin>;
    if (local.kind === ReplicaKind.put) replica.put(now, local);
    else if (local.kind === ReplicaKind.read) replica.read(now, local);
    else replica.write(now, local);
  }

  expire(now: Instant): void {
    this.puts.expire(now);
    this.gets.expire(now);
  }

  nextDeadline(): Instant {
    return Math.min(this.puts.nextDeadline(), this.gets.nextDeadline()) as Instant;
  }
}
