/**
 * Hinting: what this node keeps for others (Dynamo 4.6), bound to its store, its replica and its peers: the budgets,
 * the delivery of hints to owners that are back, and what others ask in that matter (hint-service.ts). The thinking is
 * in handoff/. Writing a hint is the replica's work; who keeps one, the coordinators'.
 */

import { Durability } from "../base/durability.ts";
import { statusOk, wireOf } from "../base/errors.ts";
import { Fifo } from "../base/fifo.ts";
import { bucketOf, keyOf } from "../base/full-key.ts";
import type { NodeNumber } from "../base/ids.ts";
import { copyBytes } from "../base/pool.ts";
import { Rng } from "../base/rng.ts";
import { after, type DurationUs, type Instant, never } from "../base/time.ts";
import { HintDelivery } from "../handoff/delivery.ts";
import { defaultHintConfig, type HintDeliveryEffects } from "../handoff/delivery-effects.ts";
import type { HintSend } from "../handoff/hint-lane.ts";
import { HintBudget, HintLevel } from "../handoff/hints.ts";
import type { HintRoom } from "../replica/hint-ops.ts";
import { ReplicaKind, ReplicaOp } from "../replica/replica.ts";
import type { HintPage, Store } from "../storage/store.ts";
import type { Frame } from "../wire/frame.ts";
import { FrameType } from "../wire/frame-types.ts";
import { HintDeliverReply, HintDeliverRequest } from "../wire/gen/codecs.ts";
import type { Coordination } from "./coordination.ts";
import type { EpochGate } from "./epoch-gate.ts";
import { HintService } from "./hint-service.ts";
import { Part, type Route } from "./part.ts";
import type { Peer, Peers } from "./peers.ts";
import { seedOf } from "./random.ts";
import type { ReplicaOrigin, ReplicaTask } from "./request.ts";
import type { Session } from "./session.ts";
import type { NodeState } from "./state.ts";
import type { StoreAsker, StoreQuestions } from "./store-questions.ts";

const checkEveryUs: DurationUs = 1_000_000;
/** A local op of the delivery that has not begun by then is not begun. */
const patienceUs: DurationUs = 10_000_000;
const mebibyte = 1024 * 1024;
/** Bytes of hints per second and target, with all slices. */
const rateMost = 64 * mebibyte;
const noOwners: ArrayLike<number> = [];
const leftMax = 65_536;

/** What an effect left to be told later. */
type Left = (now: Instant, delivery: HintDelivery) => void;

/** One op of the own replica for the delivery. */
class HintTask implements ReplicaTask {
  readonly #delivery: HintDelivery;
  readonly #send: number;

  constructor(delivery: HintDelivery, send: number) {
    this.#delivery = delivery;
    this.#send = send;
  }

  onReplicaDone(now: Instant, op: ReplicaOp<ReplicaOrigin>): void {
    const { status } = op;
    if (op.kind === ReplicaKind.readHints) this.#delivery.onRecord(now, this.#send, op.sealed, status);
    else if (op.kind === ReplicaKind.keepHint) this.#delivery.onKept(now, this.#send, status);
    else if (op.kind === ReplicaKind.dropHint) this.#delivery.onDropped(now, this.#send, status, op.removed);
    else if (status !== statusOk) this.#delivery.onFailed(now, this.#send, status);
    else this.#delivery.onDelivered(now, this.#send, { ...freely, durable: op.durable });
  }
}

/** What this node grants itself. */
const freely = { creditBytes: mebibyte, foregroundUs: 0, limitUs: 0 };

/** What hinting is made of. */
export interface HintingOptions {
  readonly shared: NodeState;
  readonly peers: Peers;
  readonly epochs: EpochGate;
  /** Of clients' requests at this node: a high percentile of their latency, and its limit; 0: not known. */
  readonly foreground: (now: Instant) => { readonly foregroundUs: DurationUs; readonly limitUs: DurationUs };
}

export class Hinting extends Part implements HintDeliveryEffects, HintRoom, StoreAsker {
  readonly #shared: NodeState;
  readonly #peers: Peers;
  readonly #service: HintService;
  readonly #delivered;
  #coordination: Coordination | undefined = undefined;
  #questions: StoreQuestions | undefined = undefined;
  #budget: HintBudget | undefined = undefined;
  #delivery: HintDelivery | undefined = undefined;
  readonly #left: Fifo<Left> = new Fifo(leftMax);
  #checkAt: Instant = never;
  #stopping = false;
  readonly #message: HintDeliverRequest = {
    bucket: new Uint8Array(0),
    key: new Uint8Array(0),
    record: new Uint8Array(0),
    epoch: 0,
    timeoutUs: defaultHintConfig.timeoutUs,
  };

  constructor(options: HintingOptions) {
    super();
    this.#shared = options.shared;
    this.#peers = options.peers;
    this.#delivered = options.shared.metrics.counter("hints_delivered");
    this.#service = new HintService({
      ...options,
      run: (op) => this.#run(op),
      kept: (now, target) => this.kept(now, target),
      report: () => this.#budget?.report(this.#delivery as HintDelivery) ?? [],
    });
  }

  /** The store is open. Before the replica is built: it asks for room. */
  attach(store: Store, questions: StoreQuestions, coordination: Coordination): void {
    const shared = this.#shared;
    this.#coordination = coordination;
    this.#questions = questions;
    this.#budget = new HintBudget({
      counts: store.hints,
      bytesMax: shared.config.hintMiBPerNodeMax * mebibyte,
      effects: { levelChanged: (_now, target, level, bytes) => this.#tellLevel(target, level, bytes) },
    });
    this.#delivery = new HintDelivery({
      effects: this,
      counts: store.hints,
      rng: new Rng(seedOf(shared.env.randomBytes(4))),
    });
  }

  #tellLevel(target: number, level: HintLevel, bytes: number): void {
    const { log } = this.#shared.env;
    const name = this.#peers.of(target)?.member.name ?? "";
    const fields = { target, name, bytes, bytesMax: (this.#budget as HintBudget).bytesMax };
    if (level === HintLevel.fine) log.info("the hints for a node are few again", fields);
    else if (level === HintLevel.half) log.warn("the hints for a node have used up half of their bytes", fields);
    else log.error("the hints for a node use up their bytes; without room, puts that need them are refused", fields);
  }

  fits(target: number, growth: number): boolean {
    return (this.#budget as HintBudget).fits(target, growth);
  }

  /** This node has kept a hint for the target. */
  kept(now: Instant, target: number): void {
    this.#delivery?.onStored(now, target);
  }

  override get routes(): readonly Route[] {
    return this.#service.routes;
  }

  override get asks(): readonly number[] {
    return [FrameType.HINT_DELIVER];
  }

  override onRequest(now: Instant, session: Session, frame: Frame): void {
    this.#service.onRequest(now, session, frame);
  }

  override onReply(now: Instant, _peer: Peer, frame: Frame): void {
    const delivery = this.#delivery as HintDelivery;
    if (frame.status === statusOk) delivery.onDelivered(now, frame.frameId, frame.decode(HintDeliverReply));
    else delivery.onFailed(now, frame.frameId, frame.status);
  }

  override onStarted(now: Instant): void {
    const delivery = this.#delivery as HintDelivery;
    this.#service.open();
    this.#checkAt = now;
    delivery.onReachable(now, this.#shared.number);
    delivery.start(now);
  }

  override onRing(now: Instant): void {
    this.#delivery?.onRing(now);
  }

  override onPeerUp(now: Instant, number: NodeNumber): void {
    this.#delivery?.onReachable(now, number);
  }

  override onPeerLost(now: Instant, number: NodeNumber): void {
    this.#delivery?.onUnreachable(now, number);
  }

  override tick(now: Instant): void {
    if (this.#delivery === undefined || this.#stopping) return;
    if (this.#checkAt <= now) {
      this.#checkAt = after(now, checkEveryUs);
      this.#budget?.check(now);
    }
    this.#delivery.setRateMost(now, this.#shared.background.shareOf(rateMost));
    this.#delivery.tick(now);
    this.#delivered.value = this.#delivery.delivered;
  }

  override nextTick(): Instant {
    if (this.#delivery === undefined || this.#stopping) return never;
    return Math.min(this.#checkAt, this.#delivery.nextTick()) as Instant;
  }

  override settle(now: Instant): void {
    for (let left = this.#left.shift(); left !== undefined; left = this.#left.shift()) {
      left(now, this.#delivery as HintDelivery);
    }
  }

  override stop(): void {
    this.#stopping = true;
  }

  onHintPage(now: Instant, token: number, page: HintPage | null): void {
    (this.#delivery as HintDelivery).onPage(now, token, page);
  }

  scan(_now: Instant, target: number, cursor: Uint8Array | null, keysMax: number, token: number): void {
    this.#left.push((now) => this.#questions?.scanHints(now, this, { target, cursor, keysMax, token }));
  }

  read(now: Instant, send: HintSend): void {
    const op = this.#newOp(now, ReplicaKind.readHints, send);
    op.target = send.target;
    this.#run(op);
  }

  deliver(now: Instant, send: HintSend, sealed: Uint8Array): void {
    if (send.target === this.#shared.number) {
      const op = this.#newOp(now, ReplicaKind.write, send);
      op.durability = Durability.oneDurable;
      op.sealed = copyBytes(sealed);
      this.#run(op);
      return;
    }
    const message = this.#message;
    message.bucket = bucketOf(send.fullKey);
    message.key = keyOf(send.fullKey);
    message.record = sealed;
    message.epoch = this.#shared.epoch;
    const peer = this.#peers.of(send.target);
    if (peer?.send(FrameType.HINT_DELIVER, send.id, HintDeliverRequest, message) === true) return;
    this.#left.push((at, delivery) => delivery.onFailed(at, send.id, wireOf("CONNECTION_LOST")));
  }

  keep(now: Instant, send: HintSend, owner: number, sealed: Uint8Array): void {
    const op = this.#newOp(now, ReplicaKind.keepHint, send);
    op.target = owner;
    op.second = send.second;
    op.durability = Durability.durable;
    op.sealed = copyBytes(sealed);
    this.#run(op);
  }

  drop(now: Instant, send: HintSend): void {
    const op = this.#newOp(now, ReplicaKind.dropHint, send);
    op.target = send.target;
    op.causalHigh = send.causalHigh;
    op.causalLow = send.causalLow;
    this.#run(op);
  }

  ownersOf(fullKey: Uint8Array, hashHigh: number): ArrayLike<number> {
    const ring = this.#shared.ringOrNone;
    if (ring === undefined) return noOwners;
    const { n } = ring.policyOf(bucketOf(fullKey));
    const list = ring.nextList(ring.partitionOf(hashHigh), n);
    return Array.from(list.subarray(0, Math.min(n, list.length)));
  }

  hasLeft(target: number): boolean {
    return this.#shared.ringOrNone?.member(target as NodeNumber)?.status === "left";
  }

  #newOp(now: Instant, kind: ReplicaKind, send: HintSend): ReplicaOp<ReplicaOrigin> {
    const task = new HintTask(this.#delivery as HintDelivery, send.id);
    const op = new ReplicaOp<ReplicaOrigin>(kind, task, send.fullKey);
    const { ring } = this.#shared;
    op.hashHigh = send.hashHigh;
    op.hashLow = send.hashLow;
    op.partition = ring.partitionOf(send.hashHigh);
    op.n = ring.policyOf(bucketOf(send.fullKey)).n;
    op.deadline = after(now, patienceUs);
    return op;
  }

  #run(op: ReplicaOp<ReplicaOrigin>): void {
    (this.#coordination as Coordination).run(op);
  }
}
