/**
 * CopyService: a client that coordinates its get itself asks each owner for the copy that it holds (Dynamo 6.4). The
 * answer is a `GetReply` of this one replica, with a context of just that version: the SDK holds no key to make one.
 * The rules are those of a peer's read: the ring's fence, and who owns the partition and holds all of it.
 */
import { noBytes } from "../base/bytes.ts";
import { statusOk, wireOf } from "../base/errors.ts";
import { bucketOf } from "../base/full-key.ts";
import type { PartitionId } from "../base/ids.ts";
import { Resolver } from "../base/resolver.ts";
import type { Instant } from "../base/time.ts";
import { ReadRule } from "../handoff/transfer.ts";
import { type Replica, ReplicaKind, type ReplicaOp } from "../replica/replica.ts";
import { sealContext } from "../version/context.ts";
import { recordBody, versionOfSealed } from "../version/record.ts";
import { VersionVector } from "../version/version-vector.ts";
import type { Asking } from "../wire/frame.ts";
import { GetReply, type ReplicaReadRequest } from "../wire/gen/codecs.ts";
import type { EpochGate } from "./epoch-gate.ts";
import { OpMaker } from "./peer-service.ts";
import type { ReplicaOrigin, ReplicaTask } from "./request.ts";
import type { Session } from "./session.ts";
import type { NodeState } from "./state.ts";
import { Ticket } from "./ticket.ts";

/** One question of a client. */
class CopyRead extends Ticket implements ReplicaTask {
  readonly started: Instant;
  readonly #service: CopyService;

  constructor(service: CopyService, session: Session, asking: Asking, started: Instant) {
    super(session, asking);
    this.started = started;
    this.#service = service;
  }

  onReplicaDone(now: Instant, op: ReplicaOp<ReplicaOrigin>): void {
    this.#service.answer(now, this, op);
  }
}

export class CopyService {
  readonly #shared: NodeState;
  readonly #epochs: EpochGate;
  readonly #maker: OpMaker;
  readonly #onAnswered: (session: Session) => void;
  #replica: Replica<ReplicaOrigin> | undefined = undefined;

  /** `onAnswered` is told of every read that was begun: it is over. */
  constructor(shared: NodeState, epochs: EpochGate, onAnswered: (session: Session) => void) {
    this.#shared = shared;
    this.#epochs = epochs;
    this.#maker = new OpMaker(shared);
    this.#onAnswered = onAnswered;
  }

  attach(replica: Replica<ReplicaOrigin>): void {
    this.#replica = replica;
  }

  /** Answers, now or later; `begun` is called if `onAnswered` will be. Throws `RingtailError` on a bad key. */
  read(now: Instant, session: Session, asking: Asking, asked: ReplicaReadRequest, begun: () => void): void {
    const replica = this.#replica;
    const task = new CopyRead(this, session, asking, now);
    const op = this.#maker.make(now, ReplicaKind.read, task, asked);
    if (replica === undefined) task.fail(wireOf("NOT_SYNCED"), "the node is starting");
    else if (asked.epoch > this.#shared.epoch) task.fail(wireOf("NOT_SYNCED"), "the ring is older here");
    else if (!this.#epochs.isFenced(task, asked.epoch, op.partition)) {
      begun();
      replica.read(now, op);
    }
  }

  /** The replica has read. What counts is whether this node owns the partition, and holds all of it, now. */
  answer(now: Instant, task: CopyRead, op: ReplicaOp<ReplicaOrigin>): void {
    this.#onAnswered(task.session);
    const rule = this.#shared.readRule(op.partition as PartitionId, op.n);
    if (op.status !== statusOk) task.fail(op.status, op.message);
    else if (rule === ReadRule.wrongOwner) task.fail(wireOf("WRONG_OWNER"), "the node does not own this partition");
    else if (rule === ReadRule.notSynced) {
      task.fail(wireOf("NOT_SYNCED"), "the node is still receiving the partition");
    } else task.answer(GetReply, this.#replyOf(now, task, op));
  }

  #replyOf(now: Instant, task: CopyRead, op: ReplicaOp<ReplicaOrigin>): GetReply {
    const { contextKey, number, epoch } = this.#shared;
    const version = op.sealed === null ? VersionVector.empty : versionOfSealed(op.sealed);
    return {
      record: op.sealed === null ? noBytes : recordBody(op.sealed),
      context: sealContext(contextKey, op.fullKey, version, number, epoch),
      epoch,
      acks: [number],
      coordinator: number,
      elapsedUs: now - task.started,
      stalePossible: false,
      hedged: false,
      queue: this.#shared.queue(),
      busy: this.#shared.busy,
      slow: this.#shared.slow(),
      phases: [],
      lww: this.#shared.ring.policyOf(bucketOf(op.fullKey)).resolver === Resolver.lww,
    };
  }
}
