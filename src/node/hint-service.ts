/**
 * HintService: what others ask in the matter of hints: to keep one for an owner that cannot be reached, to tell what is
 * kept of a key, to take one in because its owner is this node; and, by people, how much is kept for whom.
 */
import { noBytes } from "../base/bytes.ts";
import { Durability } from "../base/durability.ts";
import { RingtailError, statusOk, wireOf } from "../base/errors.ts";
import type { PartitionId } from "../base/ids.ts";
import type { DurationUs, Instant } from "../base/time.ts";
import { HintCredits } from "../handoff/hint-credits.ts";
import { type HintReport, hintWaits } from "../handoff/hints.ts";
import { WriteRule } from "../handoff/transfer.ts";
import { ReplicaKind, type ReplicaOp } from "../replica/replica.ts";
import type { Frame } from "../wire/frame.ts";
import { FrameType } from "../wire/frame-types.ts";
import {
  HintDeliverReply,
  HintDeliverRequest,
  HintKeepRequest,
  HintStatusReply,
  ReplicaReadReply,
  ReplicaReadRequest,
  ReplicaWriteReply,
} from "../wire/gen/codecs.ts";
import type { EpochGate } from "./epoch-gate.ts";
import type { Route } from "./part.ts";
import { checkWrite, OpMaker } from "./peer-service.ts";
import type { ReplicaOrigin, ReplicaTask } from "./request.ts";
import type { Session } from "./session.ts";
import type { NodeState } from "./state.ts";
import { Ticket } from "./ticket.ts";

/** What the service is made of. */
export interface HintServiceOptions {
  readonly shared: NodeState;
  readonly epochs: EpochGate;
  readonly foreground: (now: Instant) => { readonly foregroundUs: DurationUs; readonly limitUs: DurationUs };
  /** Has the own replica do it, before its frame's bytes are gone. */
  readonly run: (op: ReplicaOp<ReplicaOrigin>) => void;
  readonly kept: (now: Instant, target: number) => void;
  readonly report: () => readonly HintReport[];
}

/** A request that the own replica works on. */
class HintRequest extends Ticket implements ReplicaTask {
  readonly #service: HintService;

  constructor(service: HintService, session: Session, frame: Frame) {
    super(session, frame);
    this.#service = service;
  }

  onReplicaDone(now: Instant, op: ReplicaOp<ReplicaOrigin>): void {
    this.#service.answer(now, this, op);
  }
}

export class HintService {
  readonly #shared: NodeState;
  readonly #options: HintServiceOptions;
  readonly #maker: OpMaker;
  readonly #credits: HintCredits = new HintCredits();
  readonly #stored;
  readonly #received;
  #open = false;

  constructor(options: HintServiceOptions) {
    this.#options = options;
    this.#shared = options.shared;
    this.#maker = new OpMaker(options.shared);
    this.#stored = options.shared.metrics.counter("hints_kept");
    this.#received = options.shared.metrics.counter("hints_received");
  }

  /** Store and replica are there. */
  open(): void {
    this.#open = true;
  }

  get routes(): readonly Route[] {
    return [
      { type: FrameType.HINT_KEEP, roles: ["node"] },
      { type: FrameType.HINT_READ, roles: ["node"] },
      { type: FrameType.HINT_DELIVER, roles: ["node"] },
      { type: FrameType.HINT_STATUS, roles: ["client"] },
    ];
  }

  /** Throws `WireError` or `RingtailError` on bad input. */
  onRequest(now: Instant, session: Session, frame: Frame): void {
    const { type } = frame;
    if (type === FrameType.HINT_STATUS) {
      this.#onStatus(session, frame);
      return;
    }
    if (!this.#open) {
      session.fail(frame, wireOf("NOT_SYNCED"), "the node is starting");
      return;
    }
    if (type !== FrameType.HINT_READ && this.#shared.storeBehind()) {
      session.fail(frame, wireOf("OVERLOADED"), "the store has fallen behind");
      return;
    }
    const asked = decodeAsked(frame);
    if (!this.#options.epochs.admits(now, session, frame, asked.epoch)) return;
    const task = new HintRequest(this, session, frame);
    const op = this.#newOp(now, task, asked);
    if (this.#options.epochs.isFenced(task, asked.epoch, op.partition)) return;
    if (type === FrameType.HINT_DELIVER && !this.#mayDeliver(task, op)) return;
    this.#options.run(op);
  }

  #newOp(now: Instant, task: HintRequest, asked: Asked): ReplicaOp<ReplicaOrigin> {
    if (task.type === FrameType.HINT_READ) return this.#maker.make(now, ReplicaKind.readHints, task, asked);
    const { record, target, durability } = asked as HintKeepRequest;
    if (task.type === FrameType.HINT_DELIVER) {
      checkWrite(record, Durability.oneDurable);
      const op = this.#maker.make(now, ReplicaKind.write, task, asked);
      op.durability = Durability.oneDurable;
      op.sealed = record;
      return op;
    }
    checkWrite(record, durability);
    if (target < 1 || target > 0xffff || target === this.#shared.number) {
      throw new RingtailError("INVALID_ARGUMENT", `a hint for node ${target}; allowed: another node than this`);
    }
    const op = this.#maker.make(now, ReplicaKind.keepHint, task, asked);
    op.durability = durability as Durability;
    op.sealed = record;
    op.target = target;
    op.second = Math.floor(this.#shared.env.wallMs() / 1000);
    return op;
  }

  #mayDeliver(task: HintRequest, op: ReplicaOp<ReplicaOrigin>): boolean {
    const rule = this.#shared.writeRule(op.partition as PartitionId, op.n);
    if (rule === WriteRule.accept) return true;
    const code = rule === WriteRule.notReady ? "NOT_SYNCED" : "WRONG_OWNER";
    task.fail(wireOf(code), "");
    return false;
  }

  /** The replica has finished. */
  answer(now: Instant, task: HintRequest, op: ReplicaOp<ReplicaOrigin>): void {
    if (op.status !== statusOk) {
      task.fail(op.status, op.message);
      return;
    }
    const { epoch } = this.#shared;
    if (task.type === FrameType.HINT_READ) {
      task.answer(ReplicaReadReply, { record: op.sealed ?? noBytes, epoch, unsynced: false });
    } else if (task.type === FrameType.HINT_KEEP) {
      this.#stored.value += 1;
      this.#options.kept(now, op.target);
      task.answer(ReplicaWriteReply, { durable: op.durable, epoch });
    } else {
      this.#received.value += 1;
      const { foregroundUs, limitUs } = this.#options.foreground(now);
      const load = { foregroundUs, limitUs, behind: this.#shared.storeBehind() };
      const creditBytes = this.#credits.grant(now, task.session.number, load);
      const reply = { durable: op.durable, creditBytes, foregroundUs, limitUs, epoch };
      task.answer(HintDeliverReply, reply);
    }
  }

  #onStatus(session: Session, frame: Frame): void {
    const rows = this.#options.report().map(({ waiting, ...row }) => ({ ...row, wait: hintWaits.indexOf(waiting) }));
    session.answer(frame, HintStatusReply, { epoch: this.#shared.epoch, rows });
  }
}

type Asked = HintKeepRequest | HintDeliverRequest | ReplicaReadRequest;

function decodeAsked(frame: Frame): Asked {
  if (frame.type === FrameType.HINT_KEEP) return frame.decode(HintKeepRequest);
  if (frame.type === FrameType.HINT_DELIVER) return frame.decode(HintDeliverRequest);
  return frame.decode(ReplicaReadRequest);
}
