/**
 * Coordination: what the coordinators ask of the world, bound to this node's own replica and to its peers.
 *
 * A slot of an op is either this node (the op goes to the replica) or a peer (it becomes a frame:
 * coordination-requests.ts). An effect must not call the core that made it, so work for the own replica and failures
 * known at once wait in a queue until `settle`, which runs last in every event.
 *
 * A slot among `op.fallbacks` is asked for what it keeps for others: its record is a hint.
 */
import { noBytes } from "../base/bytes.ts";
import { Durability } from "../base/durability.ts";
import { codeOf, type Status, statusOk, wireOf } from "../base/errors.ts";
import { Fifo } from "../base/fifo.ts";
import type { NodeNumber } from "../base/ids.ts";
import { varyFields } from "../base/one-shape.ts";
import { after, type DurationUs, type Instant } from "../base/time.ts";
import { getAgain, mayTryAgain, putAgain } from "../coordinator/again.ts";
import { GetCoordinator, type GetEffects, GetOp } from "../coordinator/get.ts";
import { PutCoordinator, type PutEffects, PutOp } from "../coordinator/put.ts";
import { resolveQuorum } from "../coordinator/quorum.ts";
import { ReadRule } from "../handoff/transfer.ts";
import type { Replica } from "../replica/replica.ts";
import { ReplicaKind, ReplicaOp } from "../replica/replica.ts";
import type { VersionVector } from "../version/version-vector.ts";
import type { ReplicaReadReply } from "../wire/gen/codecs.ts";
import { CoordinationRequests } from "./coordination-requests.ts";
import type { OpWatch } from "./op-watch.ts";
import type { PeerService } from "./peer-service.ts";
import type { Peers } from "./peers.ts";
import { ReadHedging } from "./read-hedging.ts";
import { type AnyOp, type GetOrigin, type ReplicaOrigin, Request } from "./request.ts";
import type { Routing } from "./routing.ts";
import { SecondAttempts } from "./second-attempts.ts";
import { opIdOf, slotOf } from "./slot-frame-id.ts";
import type { NodeState } from "./state.ts";

/** A slot that failed before anything was sent. */
interface Unsent {
  readonly what: "put" | "get" | "head";
  readonly id: number;
  readonly slot: number;
}

/** Who answers clients; `ClientService`. */
export interface Answers {
  answerPut(now: Instant, op: PutOp<Request>): void;
  answerGet(now: Instant, op: GetOp<GetOrigin>): void;
}

/** What coordination is made of. */
export interface CoordinationOptions {
  readonly shared: NodeState;
  readonly peers: Peers;
  readonly routing: Routing;
  readonly answers: Answers;
  readonly watch: OpWatch;
  /** This node's own slot has kept a hint. */
  readonly hintKept: (now: Instant, target: number) => void;
}

/** Whether the own replica is to do it for a slot of an op, whose answer waits for it; a read repair is not. */
function isOfSlot(local: ReplicaOp<ReplicaOrigin>): local is ReplicaOp<ReplicaOrigin> & { readonly origin: AnyOp } {
  const { origin, kind } = local;
  return origin instanceof PutOp || (origin instanceof GetOp && kind !== ReplicaKind.write);
}

const peerDown = "the peer is not reachable";
/** A replica's time ends this much before the client's, so that the client hears of a failure. */
const marginUs = 5_000;
/** How long a replica may say nothing before a put looks for another. */
const silenceUs = 200_000;
const localOpsMax = 1 << 20;
/** Answered ops that wait for a straggler count: with one silent peer they are rate x timeout. */
const opsMax = 65_536;

export class Coordination implements PutEffects<Request>, GetEffects<GetOrigin> {
  readonly puts: PutCoordinator<Request>;
  readonly gets: GetCoordinator<GetOrigin>;
  readonly #shared: NodeState;
  readonly #requests: CoordinationRequests;
  readonly #routing: Routing;
  readonly #hedging: ReadHedging;
  readonly #answers: Answers;
  readonly #watch: OpWatch;
  readonly #hintKept: (now: Instant, target: number) => void;
  readonly #secondAttempts: SecondAttempts = new SecondAttempts();
  /** Gets whose own slot began to read while this node was still receiving the partition. */
  readonly #unsyncedReads: Set<GetOp<GetOrigin>> = new Set();
  #replica: Replica<ReplicaOrigin> | undefined = undefined;
  readonly #localOps: Fifo<ReplicaOp<ReplicaOrigin>> = new Fifo(localOpsMax);
  readonly #unsent: Fifo<Unsent> = new Fifo(localOpsMax);
  constructor({ shared, peers, routing, answers, watch, hintKept }: CoordinationOptions) {
    this.#shared = shared;
    this.#requests = new CoordinationRequests(shared, peers, routing, watch);
    this.#routing = routing;
    this.#hedging = new ReadHedging(shared, routing.health);
    this.#answers = answers;
    this.#watch = watch;
    this.#hintKept = hintKept;
    const options = { opsMax, repairsMax: 256, replicaMarginUs: marginUs, silenceUs };
    this.puts = new PutCoordinator<Request>(this, options);
    this.gets = new GetCoordinator<GetOrigin>(this, options);
  }

  /** The store and its replica are there: requests will come. */
  attach(replica: Replica<ReplicaOrigin>): void {
    this.#replica = replica;
    const quorum = resolveQuorum(this.#shared.ring.policyOf(noBytes), {});
    varyFields(new PutOp(null, noBytes, quorum));
    varyFields(new GetOp(null, noBytes, quorum));
    varyFields(new ReplicaOp(ReplicaKind.read, null, noBytes));
  }

  putLocal(_now: Instant, op: PutOp<Request>, durability: Durability): void {
    const local = this.#newLocal(ReplicaKind.put, op, op.deadline);
    local.durability = durability;
    local.target = this.#routing.hintTarget(op, op.localSlot);
    local.context = op.context;
    local.contextOwn = op.contextOwn;
    local.requestId = op.requestId;
    local.value = op.value;
    local.tombstone = op.tombstone;
    local.overwrite = op.overwrite;
    local.lww = op.quorum.lww;
    local.second = op.second;
    local.siblingsMax = this.#shared.config.siblingsMax;
  }

  writeReplica(now: Instant, op: PutOp<Request>, slot: number, durability: Durability): void {
    if (slot === op.localSlot) {
      // Nobody else can sync the record, or it is a second attempt: this node writes it as any other replica does.
      this.#writeLocally(ReplicaKind.write, op, op.sealed, op.deadline, durability);
      return;
    }
    if (!this.#requests.write(now, op, slot, durability)) this.#fail("put", op, slot);
  }

  keepHint(now: Instant, op: PutOp<Request>, slot: number, owner: NodeNumber, durability: Durability): void {
    if (slot === op.localSlot) {
      const sealed = op.sealed;
      const local = this.#writeLocally(ReplicaKind.keepHint, op, sealed, op.deadline, durability);
      local.target = owner;
      local.second = op.second;
      return;
    }
    if (!this.#requests.keepHint(now, op, slot, owner, durability)) this.#fail("put", op, slot);
  }

  askHead(_now: Instant, op: PutOp<Request>, slot: number): void {
    if (!this.#requests.askHead(op, slot)) this.#fail("head", op, slot);
  }

  heard(now: Instant, op: AnyOp, slot: number, status: Status, us: DurationUs): void {
    this.#routing.heard(now, op, slot, status, us);
  }

  silent(now: Instant, op: AnyOp, slot: number): void {
    this.#routing.health.timedOut(now, op.targetNumbers[slot] as NodeNumber);
  }

  /** Every reply tells its sender's epoch, and a newer ring is pulled whoever tells of it (`coordination-replies.ts`). */
  staleRing(): void {}

  readReplica(now: Instant, op: GetOp<GetOrigin>, slot: number): void {
    if (slot === op.localSlot) {
      const isFallback = ((op.fallbacks >>> slot) & 1) === 1;
      if (!isFallback && this.#ruleOf(op) === ReadRule.notSynced) this.#unsyncedReads.add(op);
      this.#newLocal(isFallback ? ReplicaKind.readHints : ReplicaKind.read, op, op.deadline);
      return;
    }
    if (!this.#requests.read(now, op, slot)) this.#fail("get", op, slot);
  }

  hedgeDelay(): DurationUs {
    return this.#hedging.delayUs();
  }

  mayHedge(): boolean {
    return this.#hedging.take();
  }

  #ruleOf(op: GetOp<GetOrigin>): ReadRule {
    return this.#shared.readRule(op.partition, op.quorum.bucketN);
  }

  #fail(what: Unsent["what"], op: AnyOp, slot: number): void {
    this.#unsent.push({ what, id: op.id, slot });
  }

  repairReplica(_now: Instant, op: GetOp<GetOrigin>, slot: number): void {
    const merged = op.merged as Uint8Array;
    const timeoutUs = this.#shared.config.requestTimeoutMs * 1000;
    if (slot === op.localSlot) {
      this.#writeLocally(ReplicaKind.write, op, merged, after(op.deadline, timeoutUs), Durability.buffered);
      return;
    }
    this.#requests.repair(op, slot, merged, timeoutUs);
  }

  #newLocal(kind: ReplicaKind, op: AnyOp, deadline: Instant): ReplicaOp<ReplicaOrigin> {
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
    kind: ReplicaKind,
    op: AnyOp,
    sealed: Uint8Array,
    deadline: Instant,
    durability: Durability,
  ): ReplicaOp<ReplicaOrigin> {
    const local = this.#newLocal(kind, op, deadline);
    local.durability = durability;
    local.sealed = sealed;
    return local;
  }

  reply(now: Instant, op: AnyOp): void {
    if (mayTryAgain(now, op)) this.#secondAttempts.add(op);
    else this.#answer(now, op);
  }

  #answer(now: Instant, op: AnyOp): void {
    if (op instanceof PutOp) this.#answers.answerPut(now, op);
    else this.#answers.answerGet(now, op);
  }

  forget(_now: Instant, op: AnyOp): void {
    if (op instanceof PutOp) this.#requests.shares.forget(op);
    if (op.awaiting !== 0 || (op instanceof PutOp && op.resent !== 0)) this.#routing.forget(op);
  }

  /** The own replica has minted and sealed a put of ours. */
  prepared(now: Instant, local: ReplicaOp<ReplicaOrigin>): void {
    const op = local.origin as PutOp<Request>;
    op.own = local.own;
    if (local.companion !== null) this.#requests.shares.begin(local.sealed as Uint8Array);
    this.#watch.prepared(op, local);
    this.puts.onPrepared(now, op.id, local.sealed as Uint8Array, local.version);
  }

  /** The own replica has finished an op: a peer's request, the own slot of a put or get, or an own read repair. */
  done(now: Instant, local: ReplicaOp<ReplicaOrigin>, peers: PeerService): void {
    const { origin, status, message } = local;
    if (isOfSlot(local)) this.#watch.ownAnswered(now, local.origin, local);
    if (origin instanceof Request) peers.answer(now, origin, local);
    else if (origin instanceof PutOp) {
      if (status === statusOk && local.target !== 0) this.#hintKept(now, local.target);
      if (status === statusOk) this.puts.onAck(now, origin.id, origin.localSlot, local.durable);
      else this.puts.onFailure(now, origin.id, origin.localSlot, status, message);
    } else if ("onReplicaDone" in origin) origin.onReplicaDone(now, local);
    else if (local.kind === ReplicaKind.write) this.gets.onRepaired(now, origin.id, origin.localSlot);
    else if (status !== statusOk) this.gets.onFailure(now, origin.id, origin.localSlot, status, message);
    else if (local.kind === ReplicaKind.readHints) this.gets.onRecord(now, origin.id, origin.localSlot, local.sealed);
    else this.#onOwnRecord(now, origin, local.sealed);
  }

  /** The own record counts unless this node was still receiving the partition when it was read, or owns it no more. */
  #onOwnRecord(now: Instant, op: GetOp<GetOrigin>, sealed: Uint8Array | null): void {
    const rule = this.#ruleOf(op);
    const unsynced = this.#unsyncedReads.size > 0 && this.#unsyncedReads.delete(op);
    if (rule === ReadRule.wrongOwner) {
      this.gets.onFailure(now, op.id, op.localSlot, wireOf("WRONG_OWNER"), "this node owns the partition no more");
    } else if (unsynced || rule === ReadRule.notSynced) {
      this.gets.onUnsynced(now, op.id, op.localSlot, sealed, "this node is still receiving the partition");
    } else this.gets.onRecord(now, op.id, op.localSlot, sealed);
  }

  /** How loaded a peer is, as it tells with each answer. */
  onLoad(number: NodeNumber, { queue, busy }: { readonly queue: number; readonly busy: number }): void {
    this.#routing.health.told(number, queue, busy);
  }

  /** The frame ids for which the answer to this one counts as well. */
  takeSharers(frameId: number): readonly number[] {
    return this.#requests.shares.take(frameId);
  }

  /** A peer's answer to a write, or to a hint that it was to keep; `epoch`: of its ring, where it refused. */
  onWriteReply(now: Instant, frameId: number, status: Status, durable: boolean, message: string, epoch: number): void {
    const id = opIdOf(frameId);
    const slot = slotOf(frameId);
    if (status === statusOk) this.puts.onAck(now, id, slot, durable);
    else this.puts.onFailure(now, id, slot, status, message, epoch);
  }

  /** A peer's record or its head, borrowed; empty: it holds none. `unsynced`: it is still receiving the partition. */
  onReadReply(now: Instant, frameId: number, { record, recordBytes, unsynced }: ReplicaReadReply): void {
    const id = opIdOf(frameId);
    const slot = slotOf(frameId);
    if (recordBytes !== 0) {
      this.gets.onHead(now, id, slot, record, recordBytes);
      return;
    }
    const sealed = record.length === 0 ? null : record;
    if (unsynced) this.gets.onUnsynced(now, id, slot, sealed, "still receiving the partition");
    else this.gets.onRecord(now, id, slot, sealed);
  }

  onReadRefused(now: Instant, frameId: number, status: Status, message: string, epoch: number): void {
    const id = opIdOf(frameId);
    const slot = slotOf(frameId);
    // A peer that is starting says NOT_SYNCED, too, and has nothing to show.
    if (codeOf(status) === "NOT_SYNCED") this.gets.onUnsynced(now, id, slot, null, message);
    else this.gets.onFailure(now, id, slot, status, message, epoch);
  }

  /** What a peer's record covers; null: it did not say. */
  onHeadReply(now: Instant, frameId: number, version: VersionVector | null): void {
    this.puts.onHead(now, opIdOf(frameId), slotOf(frameId), version);
  }

  /** How a read repair ended does not matter: the next get of the key sees. */
  onRepairReply(now: Instant, frameId: number): void {
    this.gets.onRepaired(now, opIdOf(frameId), slotOf(frameId));
  }

  /** Everything asked of that peer and not answered has failed. */
  onPeerLost(now: Instant, number: NodeNumber): void {
    this.#requests.shares.onPeerLost(number);
    this.puts.onTargetLost(now, number, wireOf("CONNECTION_LOST"), `node ${number}: the connection broke`);
    this.gets.onTargetLost(now, number, wireOf("CONNECTION_LOST"), `node ${number}: the connection broke`);
  }

  /**
   * Does what effects left behind, and whether there was anything: called after each frame and last in every event,
   * when no core is on the stack.
   */
  settle(now: Instant): boolean {
    if (this.#replica === undefined) return false;
    let busy = false;
    while (this.#step(now)) busy = true;
    return busy;
  }

  #step(now: Instant): boolean {
    const local = this.#localOps.shift();
    if (local !== undefined) {
      this.#runLocally(now, local);
      return true;
    }
    const unsent = this.#unsent.shift();
    if (unsent !== undefined) {
      const { what, id, slot } = unsent;
      this.#watch.unsent(now, what === "get", id, slot);
      if (what === "head") this.puts.onHead(now, id, slot, null);
      else (what === "put" ? this.puts : this.gets).onFailure(now, id, slot, wireOf("CONNECTION_LOST"), peerDown);
      return true;
    }
    const refused = this.#secondAttempts.size === 0 ? undefined : this.#secondAttempts.takeReady(this.#shared.epoch);
    if (refused !== undefined) this.#tryAgain(now, refused);
    return refused !== undefined;
  }

  #tryAgain(now: Instant, op: AnyOp): void {
    if (op.deadline <= now) this.#answer(now, op);
    else if (op instanceof PutOp) {
      const next = putAgain(now, op);
      this.#routing.aim(next, "put");
      this.puts.begin(now, next);
    } else {
      const next = getAgain(now, op);
      this.#routing.aimGet(next);
      this.gets.begin(now, next);
    }
  }

  /** Has the own replica do a part's op, in the next `settle`. */
  run(local: ReplicaOp<ReplicaOrigin>): void {
    this.#localOps.push(local);
  }

  #runLocally(now: Instant, local: ReplicaOp<ReplicaOrigin>): void {
    const replica = this.#replica as Replica<ReplicaOrigin>;
    local.begunAt = now;
    if (isOfSlot(local)) this.#watch.asked(now, local.origin, local.origin.localSlot);
    if (local.kind === ReplicaKind.put) replica.put(now, local);
    else if (local.kind === ReplicaKind.read || local.kind === ReplicaKind.readHints) replica.read(now, local);
    else if (local.kind === ReplicaKind.write) replica.write(now, local);
    else if (local.kind === ReplicaKind.forget) replica.forget(now, local);
    else replica.changeHint(now, local);
  }

  /** The end of a turn: puts that waited for others of their key. */
  endTurn(now: Instant): void {
    this.settle(now);
    this.#replica?.endTurn(now);
    this.settle(now);
    this.#requests.shares.endTurn();
  }

  expire(now: Instant): void {
    this.puts.expire(now);
    this.gets.expire(now);
    this.#routing.health.tick(now);
    if (this.#secondAttempts.size === 0) return;
    for (let op = this.#secondAttempts.takeExpired(now); op !== undefined; op = this.#secondAttempts.takeExpired(now)) {
      this.#answer(now, op);
    }
  }

  nextDeadline(): Instant {
    const cores = Math.min(this.puts.nextDeadline(), this.gets.nextDeadline());
    return Math.min(cores, this.#routing.health.nextTick(), this.#secondAttempts.nextDeadline()) as Instant;
  }
}
