/**
 * OpWatch: what the data path learns of its own requests while it serves them: where the time of each went (the phase
 * vector of its reply), which were the slowest of each second, and which keys are the hottest. Told by the coordinators'
 * effects with the instants that they have; it reads no clock, and the only memory that it takes per request is a few
 * words in arrays that are there.
 */
import { bucketOf } from "../base/full-key.ts";
import type { DurationUs, Instant } from "../base/time.ts";
import { noWords } from "../base/words.ts";
import { PutOp } from "../coordinator/put.ts";
import { type Cause, causes, dissect, neverStood, type Stood, stallUs } from "../metrics/cause.ts";
import { PauseKind } from "../metrics/pauses.ts";
import { Phases, PhaseWord } from "../metrics/phases.ts";
import { type SlowOpKept, SlowOps } from "../metrics/slow-ops.ts";
import { TopKeys } from "../metrics/top-keys.ts";
import type { ReplicaOp } from "../replica/replica.ts";
import { FrameType } from "../wire/frame-types.ts";
import type { Environment } from "./environment.ts";
import { type AnyOp, MultiGetPart, type ReplicaOrigin } from "./request.ts";
import { opIdOf, slotOf } from "./slot-frame-id.ts";
import { SlotTimes } from "./slot-times.ts";
import type { NodeState } from "./state.ts";

/** What a cause has taken of all that was ever among the slowest of its second. */
export interface CauseTotal {
  ops: number;
  us: number;
}

/** How much of a replica's op that ends `now` its process stood still. Short ones are not worth the look. */
export function stoodUsOf(now: Instant, op: ReplicaOp<ReplicaOrigin>, env: Environment): DurationUs {
  if (now - op.begunAt < stallUs) return 0;
  // What ended the pause may be the very event that is told of here: then it is noted by this.
  env.loopWaitUs(now);
  return env.pauses.overlap(PauseKind.loop, op.begunAt, now);
}

/** How long the store took for it, without that and without the wait for its key. */
export function storageUsOf(now: Instant, op: ReplicaOp<ReplicaOrigin>, stoodUs: DurationUs): DurationUs {
  return Math.max(0, now - op.begunAt - op.keyUs - stoodUs);
}

export class OpWatch {
  readonly slowOps: SlowOps;
  readonly topGets: TopKeys = new TopKeys();
  readonly topPuts: TopKeys = new TopKeys();
  readonly totals: ReadonlyMap<Cause, CauseTotal> = new Map(causes.map((cause) => [cause, { ops: 0, us: 0 }]));
  readonly #shared: NodeState;
  readonly #isOff: boolean;
  readonly #gets: SlotTimes = new SlotTimes();
  readonly #puts: SlotTimes = new SlotTimes();

  constructor(shared: NodeState) {
    this.#shared = shared;
    this.#isOff = shared.config.withoutPhases;
    this.slowOps = new SlowOps((op) => this.#count(op));
  }

  #timesOf(op: AnyOp): SlotTimes {
    return op instanceof PutOp ? this.#puts : this.#gets;
  }

  /** A request that came at `arrivedAt` is begun, to be coordinated here: it was worked on at once, or it stood in line. */
  took(now: Instant, op: AnyOp, arrivedAt: Instant): void {
    if (this.#isOff) return;
    op.waitedUs = arrivedAt === now ? this.#shared.loopWaitUs : now - arrivedAt;
    const { hashHigh, hashLow } = op;
    const top = op instanceof PutOp ? this.topPuts : this.topGets;
    top.record(now, hashHigh, hashLow, op.fullKey);
    this.#shared.turnKeys.begun(hashHigh, hashLow);
  }

  asked(now: Instant, op: AnyOp, slot: number): void {
    if (!this.#isOff) this.#timesOf(op).asked(now, op.id, slot);
  }

  /** The own replica has minted, and the others are about to be asked. */
  prepared(op: AnyOp, local: ReplicaOp<ReplicaOrigin>): void {
    if (!this.#isOff) this.#puts.waited(op.id, op.localSlot, local.keyUs);
  }

  /** A peer's answer to a read. */
  getAnswered(now: Instant, frameId: number, loopUs: DurationUs, storageUs: DurationUs): void {
    this.#gets.answered(now, opIdOf(frameId), slotOf(frameId), 0, loopUs, storageUs);
  }

  /** A peer's answer to a write. */
  putAnswered(now: Instant, frameId: number, keyUs: DurationUs, loopUs: DurationUs, storageUs: DurationUs): void {
    this.#puts.answered(now, opIdOf(frameId), slotOf(frameId), keyUs, loopUs, storageUs);
  }

  /** A slot could not even be asked. */
  unsent(now: Instant, ofGet: boolean, id: number, slot: number): void {
    (ofGet ? this.#gets : this.#puts).answered(now, id, slot, 0, 0, 0);
  }

  /** The own replica has finished what an op wanted of it. */
  ownAnswered(now: Instant, op: AnyOp, local: ReplicaOp<ReplicaOrigin>): void {
    if (this.#isOff) return;
    const stoodUs = stoodUsOf(now, local, this.#shared.env);
    const storageUs = storageUsOf(now, local, stoodUs);
    this.#timesOf(op).answered(now, op.id, op.localSlot, local.keyUs, stoodUs, storageUs);
  }

  /** An op is being answered: its phase vector, which holds until the next call. Keeps the op if it was slow. */
  answered(now: Instant, op: AnyOp): Uint32Array {
    if (this.#isOff) return noWords;
    const times = this.#timesOf(op);
    const { pauses } = this.#shared.env;
    const cameAt = (op.started - op.waitedUs) as Instant;
    if (now - cameAt >= stallUs) this.#shared.env.loopWaitUs(now);
    const paused = pauses.lastEnd > cameAt;
    const heldUs = paused ? pauses.overlap(PauseKind.loop, op.started, now) : 0;
    const words = times.vector(now, op, heldUs, paused ? pauses.overlap(PauseKind.gc, cameAt, now) : 0);
    const totalUs = now - cameAt;
    if (this.slowOps.wants(now, totalUs)) this.#keep(now, op, totalUs, times, words);
    return words;
  }

  #keep(now: Instant, op: AnyOp, totalUs: DurationUs, times: SlotTimes, words: Uint32Array): void {
    const slot = times.completing(now, op);
    const decidedBy = slot < 0 ? 0 : (op.targetNumbers[slot] as number);
    const { hashHigh, hashLow, status } = op;
    const elapsedUs = now - op.started;
    const facts = { answeredAt: now, elapsedUs, hashHigh, hashLow, status, decidedBy, type: typeOf(op) };
    this.slowOps.keep(totalUs, facts, bucketOf(op.fullKey), words);
  }

  /** How this process stood still while an operation that it coordinated went on. */
  stoodIn(op: SlowOpKept): Stood {
    const waitedUs = op.phases[PhaseWord.waited] as number;
    const from = (op.answeredAt - op.elapsedUs - waitedUs) as Instant;
    const { pauses } = this.#shared.env;
    return {
      gcUs: pauses.overlap(PauseKind.gc, from, op.answeredAt),
      diskUs: pauses.overlap(PauseKind.disk, from, op.answeredAt),
      keyUs: pauses.overlap(PauseKind.key, from, op.answeredAt),
    };
  }

  #count(op: SlowOpKept): void {
    const { elapsedUs } = op;
    const isPut = op.type !== FrameType.GET && op.type !== FrameType.MULTI_GET;
    const { cause } = dissect({ isPut, elapsedUs, phases: new Phases(op.phases) }, this.stoodIn(op), neverStood);
    const total = this.totals.get(cause) as CauseTotal;
    total.ops += 1;
    total.us += elapsedUs + (op.phases[PhaseWord.waited] as number);
  }
}

/** The frame type that a client asked with; a put that was passed on does not show whether it was a delete's. */
function typeOf(op: AnyOp): number {
  if (op instanceof PutOp) return op.tombstone ? FrameType.DELETE : FrameType.PUT;
  return op.origin instanceof MultiGetPart ? FrameType.MULTI_GET : FrameType.GET;
}
